"""Prefetching: threads read minibatches while a network computes, or search several photos for faces at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
AHEAD = 2
ITEMS_A_THREAD = 4  # waiting or done, so that one slow item does not stop the other threads


class Prefetcher(Generic[Item]):
    """`make(number)`, while a thread makes the next two; any order is correct, an ascending one is fast.

    Two, because every other minibatch may have nothing to read. An error in the thread is raised by the call for its
    item.
    """

    def __init__(self, make: Callable[[int], Item]) -> None:
        self.make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._pending: dict[int, Future[Item]] = {}

    def __call__(self, number: int) -> Item:
        """Item `number`, at once if it was prefetched."""
        wanted = range(number, number + 1 + AHEAD)
        self._pending = {n: self._pending.get(n) or self._thread.submit(self.make, n) for n in wanted}
        return self._pending.pop(number).result()


def map_in_order(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """Yields make(item) of every item, in the order of the items, made by `threads` threads.

    At most ITEMS_A_THREAD items per thread are taken in advance, so memory does not grow with their number. An error of
    `make` or of `items` is raised when its item's turn comes.
    """
    pending: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="map_in_order") as pool:
        try:
            for future in submitted(pool, make, items):
                pending.append(future)
                if len(pending) >= ITEMS_A_THREAD * threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def submitted(pool: ThreadPoolExecutor, make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Future[Made]]:
    """Hands every item to the pool; an error of `items` itself becomes the last future."""
    try:
        for item in items:
            yield pool.submit(make, item)
    except Exception as error:
        failed: Future[Made] = Future()
        failed.set_exception(error)
        yield failed
