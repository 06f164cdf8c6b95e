"""Real data that some tests want and the project does not have: `DCGAN_REAL_DATA` names a folder with some of it.

photos/                 portraits with one face in the middle of each, as Labeled Faces in the Wild has them (.jpg)
bedroom_train_lmdb/     a few thousand bedrooms as LSUN stores them, a handful of them twice
published_weights/      the authors' arrays: svhn/*.npy, imagenet/*.npy
svhn_6000_32x32.mat     6,000 digits of SVHN
"""

import os
from pathlib import Path

import pytest


def real_data(name: str) -> Path:
    """What the folder has under this name; the test is skipped, with a reason, where it has nothing."""
    folder = os.environ.get("DCGAN_REAL_DATA")
    if folder is None:
        pytest.skip("DCGAN_REAL_DATA names no folder with real data (tests/real_data.py)")
    if not (Path(folder) / name).exists():
        pytest.skip(f"DCGAN_REAL_DATA: no {name} in {folder} (tests/real_data.py)")
    return Path(folder) / name
