"""OpenCV that computes the same bytes on every processor of a kind.

By default OpenCV takes the widest vector instructions of the processor, and Intel's IPP, whose own code differs from
one processor to another: results then differ in their last bits, and some pixels by a grey level.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2


@contextmanager
def same_on_any_processor() -> Iterator[None]:
    """Leaves OpenCV with what all processors have, while it lasts; rendering takes no longer. Also a decorator."""
    before = cv2.useOptimized()
    cv2.setUseOptimized(False)
    try:
        yield
    finally:
        cv2.setUseOptimized(before)
