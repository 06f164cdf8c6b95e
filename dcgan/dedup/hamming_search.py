"""Hamming search: near-duplicates within a radius of some bits, without comparing all pairs of codes.

This goes beyond the paper, which takes equal codes only (section 4.1.1).

Images are taken in the order of their keys. An image within the radius of one already kept joins the first such image;
any other is kept. So every removed image lies within the radius of the image kept for it: a chain of codes, each near
the next, never ends in a different room.

The index is multi-index hashing: the bits are dealt out to m chunks. Two codes within radius r < m (t + 1) agree, in
at least one chunk, in all but t bits. So for every chunk, and every choice of t bits left out of it, images that agree
in the rest are candidates, and only candidates are compared. Sorting finds them. Images come in batches that double in
size, and each batch is first compared with the images kept so far: a thousand shots of the same thing then cost a
thousand comparisons instead of half a million. If few pairs are left, all of them are compared.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dcgan.dedup.hash_codes import Codes, Duplicates, Indices, Words, as_words, find_equal

FIRST_BATCH = 1 << 11
PAIRS_AT_ONCE = 1 << 16  # few enough to stay in a core's cache
# How many pairs can be compared in the time that sorting takes per code; all pairs are compared if that is cheaper.
COMPARISONS_A_SORTED_CODE = 8
MOST_LEFT_OUT = 2
SAMPLE_CODES, SAMPLE_MASKS = 1 << 16, 6
LEAST_CHANGE = 1e-6
POSITION_BITS = 26
MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


class Pairs(NamedTuple):
    """Pairs of positions, first < second, whose codes differ in `distance` bits."""

    first: Indices
    second: Indices
    distance: Indices


def find_duplicates(codes: Codes, radius: int) -> Duplicates:
    """codes: (N, B) uint8, in key order -> for each image the one kept for it, the first within `radius` bits.

    Raises ValueError for 2**26 different codes or more.
    """
    equal = find_equal(codes)
    if radius == 0 or len(codes) == 0:
        return equal
    firsts = equal.survivors
    near = find_near(codes[firsts], radius)
    place = np.searchsorted(firsts, equal.kept)
    return Duplicates(firsts[near.kept[place]], near.distance[place])


def find_near(codes: Codes, radius: int) -> Duplicates:
    """The same as `find_duplicates`, for codes that are all different."""
    if len(codes) >= 1 << POSITION_BITS:
        raise ValueError(f"{len(codes):,} codes; at most {1 << POSITION_BITS:,} fit the index")
    words = as_words(codes)
    masks = choose_masks(codes, radius)
    kept = np.arange(len(codes))
    distance = np.zeros(len(codes), np.int64)
    representatives = np.empty(0, np.int64)
    begin = 0
    while begin < len(codes):
        end = min(len(codes), max(2 * begin, FIRST_BATCH))
        batch = np.arange(begin, end)
        for pairs in joined(words, masks, representatives, batch, radius):
            assign_first(kept, distance, pairs)
        left = batch[kept[batch] == batch]
        for first, second, bits in settle(collect(joined(words, masks, None, left, radius))):
            kept[second], distance[second] = first, bits
        representatives = np.concatenate([representatives, left[kept[left] == left]])
        begin = end
    return Duplicates(kept, distance)


def assign_first(kept: Indices, distance: Indices, pairs: Pairs) -> None:
    """Sets, for each second image, the first of the representatives near it."""
    order = np.lexsort((pairs.first, pairs.second))
    first, second, bits = pairs.first[order], pairs.second[order], pairs.distance[order]
    once = np.ones(len(second), bool)
    once[1:] = second[1:] != second[:-1]
    once &= first < kept[second]
    kept[second[once]], distance[second[once]] = first[once], bits[once]


def collect(parts: Iterator[Pairs]) -> Pairs:
    """All different pairs, sorted by their second, then their first image."""
    empty = np.empty(0, np.int64)
    found = Pairs(empty, empty, empty)
    for part in parts:
        together = Pairs(*(np.concatenate(columns) for columns in zip(found, part, strict=True)))
        _, once = np.unique(together.second << POSITION_BITS | together.first, return_index=True)
        found = Pairs(*(column[once] for column in together))
    return found


def settle(pairs: Pairs) -> Iterator[tuple[int, int, int]]:
    """(kept, removed, distance): goes through sorted pairs; an image that is removed keeps no other."""
    removed: set[int] = set()
    for first, second, bits in zip(*(column.tolist() for column in pairs), strict=True):
        if second not in removed and first not in removed:
            removed.add(second)
            yield first, second, bits


def joined(
    words: Sequence[Words], masks: Sequence[Sequence[int]], others: Indices | None, batch: Indices, radius: int
) -> Iterator[Pairs]:
    """Pairs within the radius: one of `others` and one of `batch`, or two of `batch` if `others` is None.

    All of `others` come before all of `batch`.
    """
    positions = batch if others is None else np.concatenate([others, batch])
    selected = [word[positions] for word in words]
    n_pairs = len(batch) * (len(batch) // 2 if others is None else len(others))
    if n_pairs <= COMPARISONS_A_SORTED_CODE * len(masks) * len(positions):
        masks = [[0] * len(words)]  # under which all codes agree
    for mask in masks:
        order, start, count = agreeing(selected, mask, None if others is None else len(others))
        # In the sorted order the codes of a pair lie close together in memory.
        in_order = [word[order] for word in selected]
        for first, second in expand(start, count):
            near = within(radius, in_order, first, second)
            if len(near.first):
                yield Pairs(positions[order[near.first]], positions[order[near.second]], near.distance)


def within(radius: int, words: Sequence[Words], first: Indices, second: Indices) -> Pairs:
    """The pairs of places whose codes lie within the radius; the first words of codes already exclude most pairs."""
    distance = np.zeros(len(first), np.uint16)
    for word in words:
        distance = distance + np.bitwise_count(word[first] ^ word[second])
        near = np.flatnonzero(distance <= radius)
        first, second, distance = first[near], second[near], distance[near]
    return Pairs(first, second, distance.astype(np.int64))


class Agreement(NamedTuple):
    """Codes that agree with another one under a mask, sorted so that those that agree lie side by side.

    order: their places; start, n_compared: each is to be compared with the `n_compared` codes from `start` on in order.
    """

    order: Indices
    start: Indices
    n_compared: Indices


def agreeing(words: Sequence[Words], mask: Sequence[int], n_others: int | None) -> Agreement:
    """Which codes agree under a mask.

    With n_others, only codes behind the first n_others are compared, and only with those.
    """
    mixed = np.zeros(len(words[0]), np.uint64)
    for number, (word, part) in enumerate(zip(words, mask, strict=True)):
        mixed = (mixed ^ (word & np.uint64(part))) * np.uint64(MIXERS[number % len(MIXERS)])
    low = np.uint64((1 << POSITION_BITS) - 1)
    packed = np.sort((mixed & ~low) | np.arange(len(mixed), dtype=np.uint64))
    same = (packed[1:] ^ packed[:-1]) <= low
    in_run = np.zeros(len(packed), bool)
    in_run[1:] = same
    in_run[:-1] |= same
    packed = packed[in_run]
    order = (packed & low).astype(np.int64)
    begins = np.ones(len(order), bool)
    begins[1:] = (packed[1:] ^ packed[:-1]) > low
    first_of_run = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    start = first_of_run[run]
    if n_others is None:
        return Agreement(order, start, np.arange(len(order)) - start)
    # Within a run the others come first: they are sorted by place.
    others_before = np.concatenate([[0], np.cumsum(order < n_others)])
    ends = np.append(first_of_run[1:], len(order))
    others_in_run = others_before[ends] - others_before[first_of_run]
    return Agreement(order, start, np.where(order < n_others, 0, others_in_run[run]))


def expand(start: Indices, count: Indices) -> Iterator[tuple[Indices, Indices]]:
    """For each item i the pairs (start[i], i), (start[i] + 1, i), ... count[i] of them, in blocks of many items."""
    ends = np.cumsum(count)
    at = 0
    while at < len(count):
        done = int(ends[at - 1]) if at else 0
        until = max(at + 1, int(np.searchsorted(ends, done + PAIRS_AT_ONCE, side="right")))
        item = np.repeat(np.arange(at, until), count[at:until])
        step = np.arange(len(item)) - np.repeat(ends[at:until] - count[at:until] - done, count[at:until])
        if len(item):
            yield start[item] + step, item
        at = until


def choose_masks(codes: Codes, radius: int) -> list[list[int]]:
    """Masks such that codes within the radius agree under at least one; each as one number a word.

    Leaving out more bits makes chunks longer, so that fewer codes agree by chance, but needs more masks. The cheapest
    choice is taken, estimated on a sample.
    """
    sample_codes = codes[:: -(-len(codes) // SAMPLE_CODES)]
    bits, sample = np.unpackbits(sample_codes, axis=1, bitorder="little"), as_words(sample_codes)
    choices = []
    for left_out in range(MOST_LEFT_OUT + 1):
        chunks = deal_out(bits, -(-(radius + 1) // (left_out + 1)))
        chosen = [set(chunk) - set(out) for chunk in chunks for out in combinations(chunk, left_out)]
        masks = [as_mask(bits, len(sample)) for bits in chosen]
        choices.append((cost(sample, masks, len(codes)), masks))
    return min(choices, key=lambda choice: choice[0])[1]


def deal_out(bits: npt.NDArray[np.uint8], n_chunks: int) -> list[list[int]]:
    """Deals the bits, (N, B) 0 or 1, out to chunks that distinguish codes well, and about equally well.

    Each chunk gets its share of the bits that are on in about half of the codes. Correlated bits distinguish less, so
    bits of different chunks are swapped as long as that lowers the sum of squared correlations within chunks.
    """
    share = bits.mean(axis=0)
    chunk = np.empty(len(share), np.int64)
    chunk[np.argsort(np.abs(share - 0.5), kind="stable")] = np.arange(len(share)) % n_chunks
    squared = correlations(bits) ** 2
    while True:
        with_chunks = np.stack([squared[:, chunk == number].sum(axis=1) for number in range(n_chunks)])
        moved = with_chunks[chunk].T - with_chunks[chunk, np.arange(len(chunk))][:, None]
        change = moved + moved.T - 2 * squared
        change[chunk[:, None] == chunk] = 0
        one, other = np.unravel_index(change.argmin(), change.shape)
        if change[one, other] > -LEAST_CHANGE:
            return [np.flatnonzero(chunk == number).tolist() for number in range(n_chunks)]
        chunk[[one, other]] = chunk[[other, one]]


def correlations(bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Correlations of every two bits, (N, B) -> (B, B); 0 for a bit with itself or with one that never changes."""
    centred = bits - bits.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=0)
    centred /= np.where(lengths == 0, 1, lengths)
    found = centred.T @ centred
    np.fill_diagonal(found, 0)
    return np.asarray(found, np.float64)


def cost(sample: Sequence[Words], masks: Sequence[Sequence[int]], count: int) -> float:
    """The cost of masks for `count` codes, in comparisons: sorting the codes, and comparing those that agree."""
    tried = masks[:: -(-len(masks) // SAMPLE_MASKS)]
    pairs = sum(int(agreeing(sample, mask, None).n_compared.sum()) for mask in tried) / len(tried)
    scale = count / len(sample[0])
    return len(masks) * (COMPARISONS_A_SORTED_CODE * count + pairs * scale * scale)


def as_mask(bits: set[int], n_words: int) -> list[int]:
    """Bits, counted from the lowest of the first byte, as one number per little-endian word of 64 bits."""
    return [sum(1 << (bit - 64 * word) for bit in bits if bit // 64 == word) for word in range(n_words)]
