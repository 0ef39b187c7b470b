"""Room on Python's stack for programs as deep as the grammar allows."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

FRAMES = 20_000
"""More frames than any stage takes for a program of the greatest nesting."""


@dataclass(slots=True)
class _Raised:
    """How many calls are inside, in all threads, and the limit before the first of them."""

    lock: Lock = field(default_factory=Lock)
    calls: int = 0
    before: int = 0


_RAISED = _Raised()


@contextmanager
def deep_stack() -> Generator[None]:
    """A higher recursion limit while it is open, in whatever thread; also a decorator."""
    with _RAISED.lock:
        if _RAISED.calls == 0:
            _RAISED.before = sys.getrecursionlimit()
            sys.setrecursionlimit(max(_RAISED.before, FRAMES))
        _RAISED.calls += 1
    try:
        yield
    finally:
        with _RAISED.lock:
            _RAISED.calls -= 1
            if _RAISED.calls == 0:
                sys.setrecursionlimit(_RAISED.before)
