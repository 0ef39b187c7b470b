"""How busy the machine is, as Linux counts it (proc(5)), in clock ticks of all processors."""

from __future__ import annotations

from pathlib import Path


def ticks() -> tuple[int, int]:
    """What all processes have used so far, and what there was to use."""
    first = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, idle, waiting, *_ = map(int, first)
    used = user + nice + system
    return used, used + idle + waiting
