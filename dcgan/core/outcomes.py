"""Outcomes: what came out for each unit in each draw; a claim's interval is computed from these, never from a mean.

A unit is what is measured (a test image, a face, a walk); a draw is a repetition with other random choices (labelled
rows, random positions). A file holds a few named arrays, float32 (draws, units): right or wrong as 1 or 0, or a
distance, a share, an angle. Arrays of one file with equally many units are of the same units, in the same order.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.hdf5 import open_hdf5

Outcomes = npt.NDArray[np.float32]


def write_outcomes(path: Path, arrays: Mapping[str, npt.ArrayLike]) -> None:
    """Writes named arrays, (draws, units) or (units,) for one draw, as HDF5: the same bytes for the same numbers.

    Raises ValueError for an array of another rank, without values or with values that are not finite.
    """
    checked = {}
    for name, values in arrays.items():
        array = np.atleast_2d(np.asarray(values, np.float32))
        if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
            raise ValueError(f"{name}: expected finite outcomes of draws and units, got {array.shape}")
        checked[name] = array
    with replace_when_done(path) as partial, open_hdf5(partial, "w", libver="v110") as file:
        for name in sorted(checked):
            file.create_dataset(name, data=checked[name], compression="gzip", shuffle=True)


def read_outcomes(path: Path) -> dict[str, Outcomes]:
    """Reads all arrays of a file; raises InputError if it does not hold outcomes."""
    try:
        with open_hdf5(path) as file:
            arrays = {name: file[name][:] for name in file}
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a readable file of outcomes ({error})") from error
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
            raise InputError(f"{path}: {name} must be finite float32 (draws, units), is {array.dtype} {array.shape}")
    return arrays
