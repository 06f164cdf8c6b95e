"""What the preset `small` finds of planted copies of real bedrooms: the bars that its parameters were chosen for."""

import os
from pathlib import Path

import pytest

from benchmarks.dedup import KINDS, Planted, fitted_codes
from dcgan.neighbours import find_duplicates
from workflow.params import load_params

ROOT = Path(__file__).parents[2]
LEAST_RECALL = {"re-encoded": 0.95, "resized": 0.95, "noisy": 0.95, "cut": 0.9, "brightened": 0.9}
LEAST_PRECISION = 0.99


@pytest.mark.slow
@pytest.mark.skipif("DCGAN_REAL_DATA" not in os.environ, reason="DCGAN_REAL_DATA names no folder with real data")
def test_copies_of_real_bedrooms_are_found_and_other_rooms_left_alone() -> None:
    params = load_params(ROOT / "workflow/presets/small.yaml")
    planted = Planted(Path(os.environ["DCGAN_REAL_DATA"]) / "bedroom_train_lmdb", 300, params)
    found = find_duplicates(fitted_codes(planted.crops_uint8, params), params.deduplicate.radius)
    recall = {kind: planted.recall(found, kind) for kind in KINDS}
    assert all(recall[kind] >= least for kind, least in LEAST_RECALL.items()), recall
    assert planted.precision(found) >= LEAST_PRECISION
