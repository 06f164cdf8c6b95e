"""Hash codes of images, and the duplicates that equal codes show (section 4.1.1).

Codes: (N, B) uint8, B bytes per image (16 for the paper's 128 bits). Images with equal codes are duplicates of each
other; the first in the order of the keys is kept. Equal codes are found by sorting, not by comparing pairs.
With a radius above zero, codes that differ in a few bits are duplicates too: dcgan/dedup/hamming_search.py.

Published: about 275,000 of 3,033,042 bedrooms removed; fewer than 1 in 100 of the pairs wrong, by eye.
"""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from dcgan.core.files import InputError, replace_when_done
from dcgan.core.hdf5 import check_texts, dataset_of, open_hdf5

Codes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
WORD_BYTES = 8


class Duplicates(NamedTuple):
    """Per image the number of the image kept for it (its own, if it is kept), and how many bits their codes differ in.

    kept, distance: (N,) int64.
    """

    kept: Indices
    distance: Indices

    @property
    def removed(self) -> Indices:
        """Numbers of the images that are not kept, in order."""
        return np.flatnonzero(self.kept != np.arange(len(self.kept)))

    @property
    def survivors(self) -> Indices:
        """Numbers of the images that are kept, in order."""
        return np.flatnonzero(self.kept == np.arange(len(self.kept)))


def as_words(codes: Codes) -> list[Words]:
    """codes: (N, B) uint8 -> columns (N,) uint64 of eight bytes each; the last is padded with zeros."""
    padding = -codes.shape[1] % WORD_BYTES
    padded = np.pad(codes, ((0, 0), (0, padding))) if padding else np.ascontiguousarray(codes)
    words = padded.view(np.uint64)
    return [np.ascontiguousarray(words[:, column]) for column in range(words.shape[1])]


def find_equal(codes: Codes) -> Duplicates:
    """codes: (N, B) uint8 -> groups of equal codes; the first image of each group is kept."""
    words = as_words(codes)
    # A stable sort: among equal codes the first image comes first.
    order = np.lexsort(words)
    begins = np.zeros(len(codes), bool)
    begins[:1] = True
    for word in words:
        in_order = word[order]
        begins[1:] |= in_order[1:] != in_order[:-1]
    firsts = order[begins]
    group = np.cumsum(begins) - 1
    kept = np.empty(len(codes), np.int64)
    kept[order] = firsts[group]
    return Duplicates(kept, np.zeros(len(codes), np.int64))


def write_codes(path: Path, codes: Codes, keys: "npt.NDArray[np.object_]") -> None:
    """Writes codes (N, B) uint8 and keys (N,) str as HDF5; raises InputError if the disk refuses."""
    with replace_when_done(path) as partial, open_hdf5(partial, "w", libver="v110") as file:
        file.create_dataset("codes", data=codes)
        file.create_dataset("keys", data=list(keys), dtype=h5py.string_dtype(), shape=(len(keys),))


def read_codes(path: Path) -> tuple[Codes, "npt.NDArray[np.object_]"]:
    """Reads codes (N, B) uint8 and keys (N,) str; raises InputError if the file does not hold both."""
    try:
        with open_hdf5(path) as file:
            codes: Codes = file["codes"][:]
            check_texts(dataset_of(file, "keys"), "keys", len(codes))
            keys = np.asarray(file["keys"].asstr()[:], dtype=object)
    except (OSError, KeyError, ValueError, TypeError, InputError) as error:
        raise InputError(f"{path}: not a readable file of codes ({error})") from error
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise InputError(f"{path}: codes must be uint8 (N, B), found {codes.dtype} {codes.shape}")
    return codes, keys
