"""Pictures of a classifier's errors have a panel for each curve that was asked for, and no empty one."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from dcgan.representation.plots import draw_errors

WAYS = {"cost": ("cost", "trained", 0.01), "labels": ("labels", "trained", 100), "layers": ("alone", "alone", 1)}


def curves_of(kinds: list[str]) -> pd.DataFrame:
    rows = [
        (WAYS[kind][0], WAYS[kind][1], WAYS[kind][2] * number, 0.5 + number / 10, 0.01)
        for kind in kinds
        for number in (1, 2, 3)
    ]
    return pd.DataFrame(rows, columns=["curve", "weights", "x", "accuracy", "interval"])


@pytest.mark.parametrize("kinds", [["cost"], ["cost", "labels"], ["cost", "layers"], ["cost", "labels", "layers"]])
def test_no_panel_is_empty(tmp_path: Path, kinds: list[str]) -> None:
    counts = np.eye(3, dtype=np.int64) * 5 + 1
    draw_errors(tmp_path / "errors.png", curves_of(kinds), counts, ["a", "b", "c"], "three classes")
    picture = cv2.imread(str(tmp_path / "errors.png"), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    rows = 2 if len(kinds) == 3 else 1
    columns = (len(kinds) + 1) // rows
    assert picture.shape == (380 * rows, 480 * columns)
    panels = [panel for row in np.array_split(picture, rows) for panel in np.array_split(row, columns, axis=1)]
    assert len(panels) == len(kinds) + 1
    assert min((panel < 128).mean() for panel in panels) > 0.005

    draw_errors(tmp_path / "again.png", curves_of(kinds), counts, ["a", "b", "c"], "three classes")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "errors.png").read_bytes()
