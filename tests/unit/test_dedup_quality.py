"""What the preset `small` finds of planted copies of real bedrooms: the bars that its parameters were chosen for."""

from pathlib import Path

import pytest

from benchmarks.dedup import KINDS, Planted, fitted_codes
from dcgan.dedup.hamming_search import find_duplicates
from dcgan.dedup.hash_codes import Duplicates
from tests.real_data import real_data
from workflow.presets.merge import preset_params

ROOT = Path(__file__).parents[2]
LEAST_RECALL = {"re-encoded": 0.95, "resized": 0.95, "noisy": 0.95, "cut": 0.9, "brightened": 0.9}
LEAST_PRECISION = 0.99
LEAST_LIKENESS = 0.8  # correlation of two pictures of one room; of different rooms that were mistaken, at most 0.76


@pytest.mark.slow
def test_copies_of_real_bedrooms_are_found_and_other_rooms_left_alone() -> None:
    planted, found = preset_small(copies=300)
    recall = {kind: planted.recall(found, kind) for kind in KINDS}
    assert all(recall[kind] >= least for kind, least in LEAST_RECALL.items()), recall
    assert min(planted.precision(found, kind) for kind in (None, *KINDS)) >= LEAST_PRECISION


@pytest.mark.slow
def test_of_a_few_thousand_real_bedrooms_only_the_same_rooms_go() -> None:
    """Without planted copies, which would hide mistakes among what is rightly found."""
    photos, found = preset_small(copies=0)
    removed = photos.group[found.removed], photos.group[found.kept[found.removed]]
    assert len(found.removed) >= 6
    assert photos.alike[removed].min() >= LEAST_LIKENESS


def preset_small(copies: int) -> tuple[Planted, Duplicates]:
    """What the preset finds among real bedrooms and so many planted copies of each kind."""
    params = preset_params("small")
    planted = Planted(real_data("bedroom_train_lmdb"), copies, params)
    return planted, find_duplicates(fitted_codes(planted.crops_uint8, params), params.deduplicate.radius)
