"""Items made ahead of their use: the same items in the same order, whatever the number of threads."""

import threading
import time
from collections.abc import Iterator

import pytest

from dcgan.data.prefetch import ITEMS_A_THREAD, map_in_order


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_items_come_in_order_whoever_is_slow(threads: int) -> None:
    def make(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number * number

    assert list(map_in_order(make, range(40), threads)) == [number * number for number in range(40)]


def test_several_threads_work_at_once() -> None:
    together = threading.Barrier(3, timeout=20)
    assert list(map_in_order(lambda number: together.wait() >= 0, range(3), 3)) == [True] * 3


def test_few_items_are_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    made = map_in_order(lambda number: number, items(), 2)
    for _ in range(3):
        next(made)
    assert len(taken) <= 3 + 2 * ITEMS_A_THREAD
    made.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_source_that_fails_gives_first_what_it_had(threads: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise OSError("the disk is gone")

    received = []
    with pytest.raises(OSError, match="the disk is gone"):
        for number in map_in_order(lambda number: number, items(), threads):
            received.append(number)
    assert received == list(range(5))


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_is_raised_at_its_items_turn_and_ends_the_work(threads: int) -> None:
    made: list[int] = []

    def make(number: int) -> int:
        if number == 20:
            raise ValueError("the twentieth")
        made.append(number)
        return number

    received = []
    with pytest.raises(ValueError, match="the twentieth"):
        for number in map_in_order(make, range(1000), threads):
            received.append(number)
    assert received == list(range(20))
    assert max(made) < 20 + 2 * ITEMS_A_THREAD
