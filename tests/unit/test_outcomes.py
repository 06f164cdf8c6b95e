"""Files of outcomes: what was written comes back, the same bytes every time, and nothing else is taken for one."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.core.outcomes import read_outcomes, write_outcomes


def test_arrays_come_back_and_one_draw_is_a_row(tmp_path: Path) -> None:
    right = np.array([[True, False, True], [False, False, True]])
    write_outcomes(tmp_path / "a.h5", {"trained": right, "angle": [0.5, -2.0]})
    found = read_outcomes(tmp_path / "a.h5")
    np.testing.assert_array_equal(found["trained"], right.astype(np.float32))
    np.testing.assert_array_equal(found["angle"], np.array([[0.5, -2.0]], np.float32))


def test_the_same_numbers_are_the_same_bytes(tmp_path: Path) -> None:
    for name, order in (("a.h5", ("x", "y")), ("b.h5", ("y", "x"))):
        write_outcomes(tmp_path / name, {key: np.arange(1000) % 7 for key in order})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("values", [[], [[[1.0]]], [1.0, float("nan")], [[1.0, float("inf")]]])
def test_what_is_no_outcome_is_not_written(tmp_path: Path, values: list[object]) -> None:
    with pytest.raises(ValueError, match="x: expected finite outcomes"):
        write_outcomes(tmp_path / "a.h5", {"x": values})
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused_with_their_name(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros((2, 2), np.int64)
    for name in ("text.h5", "other.h5", "missing.h5"):
        with pytest.raises(InputError, match=name):
            read_outcomes(tmp_path / name)
