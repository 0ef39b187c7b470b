"""This process' memory, as Linux counts it (proc(5)), in bytes."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

_baseline: list[int] = []


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {field}")


def resident() -> int:
    """What lies in memory now."""
    return _status("VmRSS")


def peak() -> int:
    """The most that ever lay in memory, since the peak was forgotten."""
    return _status("VmHWM")


def take_baseline() -> None:
    """From here on memory counts."""
    forget_peak()
    _baseline[:] = [resident()]


def forget_peak() -> None:
    """Gives back what is free, and forgets the peak so far."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def baseline() -> int | None:
    """What lay in memory when the baseline was taken; None where none was."""
    return _baseline[0] if _baseline else None
