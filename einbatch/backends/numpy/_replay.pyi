from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOOPS: dict[str, int]

class Replay:
    def __init__(
        self,
        code: bytes,
        moved: bytes,
        sizes: tuple[int, ...],
        outputs: tuple[object, ...],
        failed: Callable[..., None],
        kept: object,
    ) -> None: ...
    def __call__(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]: ...

def use_blas(
    addresses: tuple[int, ...],
    bits: int,
    is_sequential: bool,
    threads: tuple[int, int],
    kernels: tuple[int, ...],
    /,
) -> None: ...
def use_threads(count: int, /) -> None: ...
def share_threads(setter: int, /) -> None: ...
def loop_of(ufunc: np.ufunc, types: str, /) -> tuple[int, int] | None: ...
def address(array: object, /) -> int: ...
