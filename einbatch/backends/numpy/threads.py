"""One thread for what has to come out the same on any number of cores.

A sum split over threads is rounded by where the splits are. BLAS splits its products by
its number of threads, and NumPy's own loops have one thread, so bits depend on the
number of threads through BLAS alone; with one it adds up in one order. That costs the
parallel part of the matrix products, which is little for small ones.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

_deterministic = 0


def is_deterministic() -> bool:
    """True inside `deterministic`: then no result may depend on a number of threads."""
    return _deterministic > 0


@contextmanager
def deterministic(enabled: bool = True) -> Generator[None]:
    """A context in which the whole process computes the same bits for any number of threads."""
    global _deterministic
    if not enabled:
        yield
        return
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    _deterministic += 1
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        _deterministic -= 1
