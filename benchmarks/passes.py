"""The named passes that einbatch has, each of which can be left out: for the ablation."""

from __future__ import annotations

from einbatch.optimize import pipeline

PASSES = {item.name: item.description for item in pipeline.PIPELINE}
"""Name → what it does, in the order in which they run."""


def leave_out(name: str) -> None:
    """From here on this process compiles without that pass."""
    if name not in PASSES:
        raise KeyError(f"there is no pass {name}; there are {', '.join(PASSES)}")
    pipeline.PIPELINE = tuple(item for item in pipeline.PIPELINE if item.name != name)
