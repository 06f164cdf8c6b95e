"""Renders the items of a set in several processes, in the order of the items.

Each item has a generator named after it, so the result does not depend on the number of processes.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

import cv2

from dcgan.core.progress import track

Item = TypeVar("Item")
Rendered = TypeVar("Rendered")
ITEMS_AT_ONCE = 32


def render_all(
    render: Callable[[Item], Rendered], items: Sequence[Item], processes: int, label: str, unit: str
) -> Iterator[Rendered]:
    """Yields render(item) of every item; `render` must be a module's function, or a `partial` of one."""
    if processes == 1:
        yield from track(map(render, items), len(items), label, unit)
        return
    # Not forked: a child of a process whose libraries run threads may hang.
    context = get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from track(pool.map(render, items, chunksize=ITEMS_AT_ONCE), len(items), label, unit)
