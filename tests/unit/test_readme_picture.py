"""README's picture, taken of a small report in a real browser."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.core.pixels import write_png
from tests.browser import NAMES
from tests.dag.demo import demo_stages
from tests.readme_picture import PICTURE, REPORT, SCALE, WIDTH, chosen, main
from tests.unit.conftest import stage
from workflow.presets.merge import preset_text
from workflow.report.collect import render

ROOT = Path(__file__).parents[2]
FIGURES = chosen(demo_stages())


@pytest.fixture(autouse=True)
def here(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(results)


def take(results: Path, names: list[str], preset: str = "demo") -> Path:
    """The picture of a report that has these stages' figures, each of one grey; returns its path."""
    stages = {}
    for number, name in enumerate(names):
        figure = f"results/figures/{name.replace('draw_', '').replace('@', '_')}.png"
        write_png(results / figure, np.full((100, 900, 3), 30 * number, np.uint8))
        stages[name] = stage(name, [figure])
    for path in (REPORT, PICTURE):
        (results / path).parent.mkdir(exist_ok=True, parents=True)
    shutil.copy(ROOT / "dvc.yaml", results)
    (results / "params.yaml").write_text(preset_text(preset))
    (results / REPORT).write_text(render(results, stages, "Test"))
    main()
    return results / PICTURE


def test_the_chosen_figures_are_in_the_picture_side_by_side_or_whole(results: Path) -> None:
    if not any(map(shutil.which, NAMES)):
        pytest.skip("no Chromium on this machine")
    assert len(FIGURES) == 5
    pixels = cv2.imread(str(take(results, [*FIGURES, "draw_walk@bedrooms"])))
    assert pixels is not None and pixels.shape[1] == WIDTH * SCALE
    wide = [grey for grey in range(0, 150, 30) if row_of(pixels, grey) > 0.9]
    half = [grey for grey in range(0, 150, 30) if 0.4 < row_of(pixels, grey) < 0.5]
    assert wide == [30 * list(FIGURES.values()).index("wide")] and len(half) == len(FIGURES) - 1
    assert row_of(pixels, 30 * len(FIGURES)) < 0.1  # the walk is not among the chosen
    with pytest.raises(InputError, match="no figure of draw-turn-faces in it"):
        take(results, list(FIGURES)[:-1])


def row_of(pixels: np.ndarray, grey: int) -> float:
    """The largest share of a row of pixels that is of a grey, nearly: JPEG."""
    return float((np.abs(pixels.astype(int) - grey).max(axis=2) <= 4).mean(axis=1).max())


def test_it_is_of_the_demo_only(results: Path) -> None:
    with pytest.raises(InputError, match="this run is of data/raw/bedroom_train_lmdb and data/raw/photos"):
        take(results, list(FIGURES), "small")
    assert not (results / PICTURE).exists()


def test_without_a_browser_it_says_so(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(results))
    with pytest.raises(InputError, match="no Chromium on this machine"):
        take(results, list(FIGURES))
    assert not (results / PICTURE).exists()
