"""The stage that renders the demo world, run as the engines run it but on a few images."""

from pathlib import Path

import pytest

from stages.render_demo import SETS, main
from tests.dag.demo import preset_values
from tests.dag.test_params import write


@pytest.fixture
def few_images(tmp_path: Path) -> Path:
    params = preset_values()
    params["demo"].update(bedrooms=6, duplicates=2, photos=6, digits=40, objects=40, pictures=40)
    return write(tmp_path / "params.yaml", params)


@pytest.mark.parametrize("name", SETS)
def test_a_set_appears_whole(name: str, few_images: Path, tmp_path: Path) -> None:
    out = tmp_path / "demo" / name
    main(["--params", str(few_images), "--set", name, "--out", str(out)])
    assert (
        sorted(path.name for path in out.iterdir())
        == {
            "bedrooms": ["bedroom_train_lmdb", "truth.csv", "windows.csv"],
            "faces": ["attributes.csv", "photos"],
            "digits": ["mnist", "svhn"],
            "objects": ["cifar-10-batches-bin", "imagenet"],
        }[name]
    )
    assert [path.name for path in out.parent.iterdir()] == [name]
