"""Feature tables out of arrays, and what an SVM on them minimizes: for tests of what is learned from features."""

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.representation.feature_tables import FeatureTable


def table_of(path: Path, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64]) -> FeatureTable:
    """x: (n, d), one layer; y: (n,)."""
    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=x).attrs["layers"] = [x.shape[1]]
        file.create_dataset("labels", data=y)
    return FeatureTable(path)


def objective(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], cost: float
) -> float:
    """The L2-SVM's P summed over classes; weights: (classes, d + 1), or those of the second of two classes alone."""
    signs = np.where(y[:, None] == np.unique(y), 1.0, -1.0)[:, -len(weights) :]
    slack = np.maximum(0, 1 - signs * (x.astype(np.float64) @ weights[:, :-1].T + weights[:, -1]))
    return float((weights**2).sum() / 2 + cost * (slack**2).sum())
