"""The stage that renders the demo world, run as the engines run it but on a few images."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.render_demo import SETS, main
from tests.dag.demo import DEMO


@pytest.fixture
def few_images(tmp_path: Path) -> Path:
    yaml = YAML()
    params = yaml.load(DEMO.read_text(encoding="utf-8"))
    params["demo"].update(bedrooms=6, duplicates=2, photos=6, digits=40, objects=40, pictures=40)
    yaml.dump(params, tmp_path / "params.yaml")
    return tmp_path / "params.yaml"


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
