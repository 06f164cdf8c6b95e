"""Items made ahead of their use: batches gathered from disk while a network computes, photos that threads search."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
ITEMS_A_THREAD = 4  # waiting or done, so that one slow item does not stop the other threads


class Ahead(Generic[Item]):
    """`make(number)`, with number + 1 made in a thread meanwhile; any order is right, a rising one is fast.

    An error in the thread is raised where its item is asked for.
    """

    def __init__(self, make: Callable[[int], Item]) -> None:
        self.make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._pending: tuple[int, Future[Item]] | None = None

    def __call__(self, number: int) -> Item:
        """Item `number`, which may be ready."""
        if self._pending is not None and self._pending[0] == number:
            item = self._pending[1].result()
        else:
            item = self._thread.submit(self.make, number).result()
        self._pending = (number + 1, self._thread.submit(self.make, number + 1))
        return item


def in_order(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """Yields make(item) of every item, in the order of the items, made by `threads` threads.

    Only a few items are taken from `items` ahead, so memory does not grow with their number. An error, of `make` or of
    `items`, is raised where its item's turn comes.
    """
    pending: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="in_order") as pool:
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
