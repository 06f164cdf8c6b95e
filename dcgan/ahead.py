"""Items that are made ready while the one before them is used: batches gathered from disk while a network computes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")


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
