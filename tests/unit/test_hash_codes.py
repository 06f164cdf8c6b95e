"""Codes of images, and the duplicates they tell: grouping against comparing all pairs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dcgan.core.files import InputError
from dcgan.dedup import hamming_search as neighbours
from dcgan.dedup.hamming_search import Pairs, choose_masks, find_duplicates, within
from dcgan.dedup.hash_codes import Codes, Indices, Words, find_equal, read_codes, write_codes


def distances(codes: Codes) -> np.ndarray:
    return np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2, dtype=np.int64)


def by_all_pairs(codes: Codes, radius: int) -> tuple[list[int], list[int]]:
    """Each image joins the first kept one within the radius, in order."""
    between = distances(codes)
    kept: list[int] = []
    joined, bits = [], []
    for number in range(len(codes)):
        near = [other for other in kept if between[other, number] <= radius]
        joined.append(near[0] if near else number)
        bits.append(int(between[joined[-1], number]))
        if not near:
            kept.append(number)
    return joined, bits


def clustered_codes(seed: int, count: int, centres: int, flips: int, size: int = 16) -> Codes:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 256, (centres, size), dtype=np.uint8)[generator.integers(0, centres, count)]
    for code in codes:
        for bit in generator.integers(0, 8 * size, generator.integers(0, flips + 1)):
            code[bit // 8] ^= 1 << (bit % 8)
    return codes


def test_equal_codes_are_grouped_under_the_first() -> None:
    codes = np.array([[7] * 16, [1] * 16, [7] * 16, [7] * 15 + [8], [1] * 16, [7] * 16], np.uint8)
    duplicates = find_equal(codes)
    assert duplicates.kept.tolist() == [0, 1, 0, 3, 1, 0]
    assert duplicates.removed.tolist() == [2, 4, 5] and duplicates.survivors.tolist() == [0, 1, 3]


@pytest.mark.parametrize("size", [1, 8, 12, 16, 20])
def test_grouping_agrees_with_a_dictionary(size: int) -> None:
    codes = np.random.default_rng(size).integers(0, 3, (2000, size), dtype=np.uint8)
    first: dict[bytes, int] = {}
    expected = [first.setdefault(code.tobytes(), number) for number, code in enumerate(codes)]
    assert find_equal(codes).kept.tolist() == expected


def test_no_codes_and_one_code() -> None:
    for count in (0, 1):
        codes = np.zeros((count, 16), np.uint8)
        for radius in (0, 5):
            assert find_duplicates(codes, radius).kept.tolist() == list(range(count))


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8, 12, 20])
@pytest.mark.parametrize(("first_batch", "comparisons"), [(16, 0), (1 << 16, 0), (16, 4)])
def test_near_codes_agree_with_all_pairs(
    radius: int, first_batch: int, comparisons: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "FIRST_BATCH", first_batch)
    monkeypatch.setattr(neighbours, "COMPARISONS_A_SORTED_CODE", comparisons)
    for seed, (count, centres) in enumerate([(400, 40), (300, 3), (200, 200)]):
        codes = clustered_codes(seed, count // 2, centres, flips=6)
        duplicates = find_duplicates(codes, radius)
        expected = by_all_pairs(codes, radius)
        assert (duplicates.kept.tolist(), duplicates.distance.tolist()) == expected


def test_small_blocks_of_pairs_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = clustered_codes(9, 300, 5, flips=4)
    whole = find_duplicates(codes, 4)
    monkeypatch.setattr(neighbours, "PAIRS_AT_ONCE", 10)
    monkeypatch.setattr(neighbours, "COMPARISONS_A_SORTED_CODE", 0)
    assert np.array_equal(find_duplicates(codes, 4).kept, whole.kept)


def test_a_chain_of_near_codes_does_not_swallow_its_far_end() -> None:
    """Each code differs from the next in 3 bits, the ends in 30."""
    bits = np.zeros((11, 128), np.uint8)
    for number in range(11):
        bits[number, : 3 * number] = 1
    duplicates = find_duplicates(np.packbits(bits, axis=1), radius=3)
    assert duplicates.kept.tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10]
    between = distances(np.packbits(bits, axis=1))
    assert all(between[number, kept] <= 3 for number, kept in enumerate(duplicates.kept))


def test_units_that_are_always_on_or_off_do_no_harm() -> None:
    codes = clustered_codes(4, 300, 30, flips=3)
    codes[:, :6], codes[:, 6:9] = 0, 255
    assert find_duplicates(codes, 3).kept.tolist() == by_all_pairs(codes, 3)[0]


@pytest.mark.parametrize(("count", "radius"), [(100, 3), (100_000, 3), (100_000, 8), (100_000, 12)])
def test_codes_within_the_radius_agree_under_a_mask(count: int, radius: int) -> None:
    generator = np.random.default_rng(radius)
    masks = choose_masks(generator.integers(0, 256, (count, 16), dtype=np.uint8), radius)
    for _ in range(300):
        flipped = generator.choice(128, radius, replace=False).tolist()
        words = [sum(1 << (bit - 64 * word) for bit in flipped if bit // 64 == word) for word in range(2)]
        assert any(all(part & word == 0 for part, word in zip(mask, words, strict=True)) for mask in masks)


def test_many_shots_of_one_thing_are_not_all_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, compared = clustered_codes(5, 60_000, 1, flips=2), list[int]()

    def count(radius: int, words: Sequence[Words], first: Indices, second: Indices) -> Pairs:
        compared.append(len(first))
        return within(radius, words, first, second)

    monkeypatch.setattr(neighbours, "within", count)
    assert len(find_duplicates(codes, 8).survivors) <= 2
    different = len(find_equal(codes).survivors)
    assert 0 < sum(compared) < different * (different - 1) // 4, "half of all pairs"


def test_codes_survive_a_file(tmp_path: Path) -> None:
    codes = clustered_codes(1, 20, 5, 2)
    write_codes(tmp_path / "codes.h5", codes, np.array([f"{number}é" for number in range(20)], object))
    assert np.array_equal(read_codes(tmp_path / "codes.h5")[0], codes)
    (tmp_path / "codes.h5").write_bytes(b"other")
    with pytest.raises(InputError, match=r"codes.h5: not a readable file of codes"):
        read_codes(tmp_path / "codes.h5")
