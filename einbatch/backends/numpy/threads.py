"""One thread for what has to come out the same on any number of cores.

A sum split over threads is rounded by where the splits are, and BLAS, or whoever cuts its
products, splits them by the number of threads; with one it adds up in one order. That
costs the parallel part of a step, which is little for small ones.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from einbatch.backends.numpy import native


@contextmanager
def deterministic(enabled: bool = True) -> Generator[None]:
    """A context in which the whole process computes the same bits for any number of threads."""
    if not enabled:
        yield
        return
    from threadpoolctl import threadpool_limits  # pyright: ignore[reportMissingTypeStubs]

    with threadpool_limits(limits=1), native.one_thread():
        yield
