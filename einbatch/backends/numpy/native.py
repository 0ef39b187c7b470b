"""The compiled part of this backend, `replay.c`, and the BLAS that it calls.

Where einbatch was installed without a C compiler there is no compiled part, and
emitted modules run as the Python that they are: the same results, more slowly.
`EINBATCH_REPLAY=0` asks for that too; `describe` says which it is.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy.instructions import Pointer

try:
    from einbatch.backends.numpy import _replay
except ImportError:  # installed without a compiler
    _replay = None

# Any: an array is of floats or of integers.
Array: TypeAlias = NDArray[Any]
VARIABLE = "EINBATCH_REPLAY"
AS_PYTHON = "run as Python"
"""How modules run that are not replayed."""
FUNCTIONS = ("sgemm", "dgemm", "sgemv", "dgemv")
SPELLINGS = (
    ("scipy_cblas_{}64_", "scipy_openblas_{}64_", 64),
    ("cblas_{}64_", "openblas_{}64_", 64),
    ("cblas_{}", "openblas_{}", 32),
)
"""How builds of NumPy name the functions of cblas and OpenBLAS's own, and the bits of integers."""
THREADS = ("get_num_threads", "set_num_threads")
KERNELS = (
    *("mkl_cblas_jit_create_sgemm", "mkl_cblas_jit_create_dgemm"),
    *("mkl_jit_get_sgemm_ptr", "mkl_jit_get_dgemm_ptr"),
)
"""The functions of MKL that make a kernel for products of one shape, and give what runs it."""

SEQUENTIAL = 1
"""What `MKL_Set_Threading_Layer` takes for no threads."""
SET_CALLBACK = "scipy_openblas_set_threads_callback_function64_"


@dataclass(frozen=True, slots=True)
class Blas:
    """A library's functions of cblas, by address, and the bits of their integers."""

    name: str
    addresses: tuple[int, ...]
    bits: int
    set_callback: int = 0
    """The function that makes the library run its jobs in threads of ours, where it has one."""
    is_sequential: bool = False
    """True where the library starts no threads."""
    threads: tuple[int, int] = (0, 0)
    """The functions that give and set how many it starts, by address."""
    kernels: tuple[int, ...] = (0, 0, 0, 0)
    """The functions that make kernels for products of one shape, by address."""

    @property
    def can_be_shared(self) -> bool:
        """True where threads of ours may call it side by side, and it starts none then."""
        return self.is_sequential or all(self.threads)


@cache
def find_blas() -> Blas | None:
    """Intel's MKL where the package `mkl` is installed, else the library that NumPy has loaded."""
    for name, library in _libraries():
        for spelling, own, bits in SPELLINGS:
            names = [spelling.format(each) for each in FUNCTIONS]
            if all(hasattr(library, each) for each in names):
                found = tuple(_address_in(library, each) for each in names)
                # MKL's threads would wait for more work on the cores that ours need.
                layer = getattr(library, "MKL_Set_Threading_Layer", None)
                sequential = layer is not None and layer(SEQUENTIAL) == SEQUENTIAL
                get, set_ = (_address_in(library, own.format(each)) for each in THREADS)
                callback = _address_in(library, SET_CALLBACK)
                kernels = tuple(_address_in(library, each) for each in KERNELS)
                return Blas(name, found, bits, callback, sequential, (get, set_), kernels)
    return None


@cache
def is_available() -> bool:
    """True where steps can be replayed: with the compiled part, and a BLAS for it."""
    if _replay is None or os.environ.get(VARIABLE) == "0":
        return False
    blas = find_blas()
    if blas is None:
        return False
    _replay.use_blas(blas.addresses, blas.bits, blas.is_sequential, blas.threads, blas.kernels)
    use_threads(cores())
    if blas.set_callback and os.name != "nt":
        _replay.share_threads(blas.set_callback)
    return True


def can_share_blas() -> bool:
    """True where threads of ours may call BLAS side by side."""
    blas = find_blas()
    return is_available() and blas is not None and blas.can_be_shared


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """How many threads share the rows of large groups of loops; no result depends on it."""
    assert _replay is not None
    _replay.use_threads(count)


@contextmanager
def one_thread() -> Generator[None]:
    """A context in which steps that are replayed start no threads."""
    if not is_available():
        yield
        return
    use_threads(1)
    try:
        yield
    finally:
        use_threads(cores())


def _address_in(library: ctypes.CDLL, name: str) -> int:
    """Where a library's function is; 0 where it has none of that name."""
    if not hasattr(library, name):
        return 0
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def describe() -> str:
    """How emitted modules run here."""
    blas = find_blas()
    if is_available() and blas is not None:
        return f"replayed natively, with {blas.name}"
    return AS_PYTHON


def address(array: object) -> Pointer:
    """Where an array's elements begin."""
    assert _replay is not None
    return Pointer(_replay.address(array))


def loop_of(ufunc: np.ufunc, types: str) -> tuple[int, int] | None:
    """The address of a ufunc's inner loop for these type codes, and its data."""
    assert _replay is not None
    return _replay.loop_of(ufunc, types)


def named_loops() -> dict[str, int]:
    """The addresses of the inner loops of `replay_loops.h`."""
    assert _replay is not None
    return _replay.LOOPS


def replay(
    code: bytes,
    moved: bytes,
    sizes: tuple[int, ...],
    outputs: tuple[object, ...],
    failed: Callable[..., None],
    kept: object,
) -> Callable[..., tuple[Array, ...]]:
    """A function of the inputs that runs the words, see `replay.c`, and gives the outputs.

    `moved` says which words point into which input; `failed` is called with the number
    of a check that does not hold, and the inputs; `kept` is memory that has to stay.
    """
    assert _replay is not None
    return _replay.Replay(code, moved, sizes, outputs, failed, kept)


def _libraries() -> Iterator[tuple[str, ctypes.CDLL]]:
    mkl = _find_mkl()
    if mkl is not None:
        yield "MKL", ctypes.CDLL(str(mkl))
    yield "NumPy's BLAS", ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)


def _find_mkl() -> Path | None:
    try:
        files = metadata.files("mkl") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name.startswith("libmkl_rt.")]
    return next((path.resolve() for path in found if path.exists()), None)
