"""Progress on stderr, where somebody asks for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Optional

from ._options import other_kind

# Seconds between two changes of the line.
_INTERVAL = 0.1


class Line:
    """One line that is written over and over, and wiped at the end."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._since = time.monotonic()
        self._shown = 0.0
        self._length = 0

    def show(self, done: int, total: int, beside: str = "") -> None:
        """`done` of `total` steps are done."""
        now = time.monotonic()
        if now - self._shown < _INTERVAL and done < total:
            return
        self._shown = now
        width = 30
        filled = width * done // max(total, 1)
        bar = "#" * filled + "." * (width - filled)
        seconds = now - self._since
        text = f"{self._what} [{bar}] {done}/{total} {seconds:.0f} s {beside}".rstrip()
        sys.stderr.write("\r" + text.ljust(self._length))
        sys.stderr.flush()
        self._length = len(text)

    def wipe(self) -> None:
        """Leaves the line empty."""
        sys.stderr.write("\r" + " " * self._length + "\r")
        sys.stderr.flush()


def is_line(progress: Any) -> bool:
    """Whether `progress`, which is no function, asks for a line on stderr."""
    if progress is None or isinstance(progress, bool):
        return bool(progress)
    raise other_kind("progress", "True, False or a function of steps done and steps in all", progress)


@contextmanager
def told(what: str, progress: Any) -> Iterator[Optional[Callable[[int, int], object]]]:
    """What the native functions call: nothing, the caller's function, or a line on stderr."""
    if callable(progress):
        yield progress
    elif not is_line(progress):
        yield None
    else:
        line = Line(what)
        try:
            yield line.show
        finally:
            line.wipe()
