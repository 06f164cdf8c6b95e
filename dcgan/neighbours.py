"""Near-equal codes without comparing all pairs: duplicates within a Hamming radius.

Beyond the paper, which takes equal codes only (section 4.1.1).

Images are taken in the order of their keys. One that lies within the radius of an image already kept joins the first
such image; any other is kept. So every removed image lies within the radius of the image kept for it: a chain of
codes, each near the next, never swallows a different room.

The index is multi-index hashing: the bits are dealt out to m chunks. Two codes within radius r < m (t + 1) agree, in
one chunk at least, in all but t bits; so for every chunk, and every choice of t bits left out of it, images that agree
in the rest are candidates, and only those are compared. They are found by sorting. Images come in batches that double
in size, each compared first with what is kept so far: a thousand shots of the same thing then cost a thousand
comparisons instead of half a million. Where few are left to compare, all pairs are.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from dcgan.codes import WORD_BYTES, Codes, Duplicates, Indices, Words, as_words, find_equal

FIRST_BATCH = 1 << 11
PAIRS_AT_ONCE = 1 << 21
# How many pairs can be compared while one code is sorted; where it is cheaper, all pairs are compared after all.
COMPARISONS_A_SORTED_CODE = 4
# Candidates a mask leaves by accident: each image collides with about 2 ** -SPARE_BITS others.
SPARE_BITS = 2.0
POSITION_BITS = 26
MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)


class Pairs(NamedTuple):
    """Pairs of positions, first < second, whose codes differ in `distance` bits."""

    first: Indices
    second: Indices
    distance: Indices


def find_duplicates(codes: Codes, radius: int) -> Duplicates:
    """codes: (N, B) uint8 -> for each image the one kept for it, the first within `radius` bits in key order."""
    equal = find_equal(codes)
    if radius == 0 or len(codes) == 0:
        return equal
    firsts = equal.survivors
    near = find_near(codes[firsts], radius)
    place = np.searchsorted(firsts, equal.kept)
    return Duplicates(firsts[near.kept[place]], near.distance[place])


def find_near(codes: Codes, radius: int) -> Duplicates:
    """The same for codes that are all different."""
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
    """Gives each second image the first of the representatives it lies near to."""
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
    """Pairs within the radius: one of `others` and one of `batch`, or two of `batch` where there are no others.

    All of `others` come before all of `batch`.
    """
    positions = batch if others is None else np.concatenate([others, batch])
    selected = [word[positions] for word in words]
    n_pairs = len(batch) * (len(batch) // 2 if others is None else len(others))
    if n_pairs <= COMPARISONS_A_SORTED_CODE * len(masks) * len(positions):
        masks = [[0] * len(words)]  # under which all codes agree
    for mask in masks:
        for run_start, item, order in candidates(selected, mask, None if others is None else len(others)):
            first, second = order[run_start], order[item]
            distance = sum(np.bitwise_count(word[first] ^ word[second]).astype(np.int64) for word in selected)
            near = np.flatnonzero(distance <= radius)
            if len(near):
                yield Pairs(positions[first[near]], positions[second[near]], np.asarray(distance)[near])


def candidates(
    words: Sequence[Words], mask: Sequence[int], n_others: int | None
) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Pairs of places in a sorted order whose codes agree under a mask, in blocks, and that order.

    Where n_others is given, the first of a pair is always one of the first n_others codes, the second never.
    """
    mixed = np.zeros(len(words[0]), np.uint64)
    for word, part, mixer in zip(words, mask, (MIXERS * len(words))[: len(words)], strict=True):
        mixed = (mixed ^ (word & np.uint64(part))) * np.uint64(mixer)
    low = np.uint64((1 << POSITION_BITS) - 1)
    packed = np.sort((mixed & ~low) | np.arange(len(mixed), dtype=np.uint64))
    same = (packed[1:] ^ packed[:-1]) <= low
    in_run = np.zeros(len(packed), bool)
    in_run[1:] = same
    in_run[:-1] |= same
    packed = packed[in_run]
    order = (packed & low).astype(np.int64)
    places = np.arange(len(order))
    begins = np.ones(len(order), bool)
    begins[1:] = (packed[1:] ^ packed[:-1]) > low
    starts = np.flatnonzero(begins)
    run = np.cumsum(begins) - 1
    if n_others is not None:
        # Within a run the others come first; a code of the batch is compared with those and no more.
        others = np.add.reduceat(order < n_others, starts) if len(starts) else starts
        partners = np.where(order < n_others, 0, others[run])
    else:
        partners = places - starts[run]
    yield from ((*block, order) for block in expand(starts[run], partners))


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

    Bits are dealt out so that all chunks tell codes apart about equally well. As few bits are left out as keep chance
    candidates rare: each bit left out makes chunks longer, but masks more.
    """
    n_bits = codes.shape[1] * 8
    share = np.unpackbits(codes, axis=1, bitorder="little").mean(axis=0)
    inside = np.clip(share, 1e-12, 1 - 1e-12)
    entropy = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
    wanted = np.log2(max(len(codes), 2)) + SPARE_BITS
    left_out, n_chunks = 0, radius + 1
    while entropy.sum() / n_chunks - left_out < wanted and left_out < 2 and n_chunks > 1:
        left_out += 1
        n_chunks = -(-(radius + 1) // (left_out + 1))
    by_entropy = np.argsort(-entropy, kind="stable").tolist()
    chunks = [by_entropy[number::n_chunks] for number in range(n_chunks)]
    chosen = [set(chunk) - set(out) for chunk in chunks for out in combinations(chunk, left_out)]
    n_words = -(-n_bits // (8 * WORD_BYTES))
    return [as_mask(bits, n_words) for bits in chosen]


def as_mask(bits: set[int], n_words: int) -> list[int]:
    """Bits, counted from the lowest of the first byte, as one number a little-endian word of 64."""
    return [sum(1 << (bit - 64 * word) for bit in bits if bit // 64 == word) for word in range(n_words)]
