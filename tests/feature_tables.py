"""Feature tables out of arrays, for tests of what is learned from them."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.features import FeatureTable


def table_of(path: Path, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> FeatureTable:
    """x: (n, d), one layer; y: (n,)."""
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=x).attrs["layers"] = [x.shape[1]]
        file.create_dataset("labels", data=y)
    return FeatureTable(path)
