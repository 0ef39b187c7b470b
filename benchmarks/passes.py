"""What einbatch does for speed, by name, each of which can be left out: for the ablation.

The one place that lists it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from einbatch.backends.numpy import native
from einbatch.optimize import pipeline


@dataclass(frozen=True, slots=True)
class Switch:
    """What a pass does, and what makes this process compile and run without it."""

    description: str
    off: Callable[[], None]


def _without(name: str) -> Callable[[], None]:
    def off() -> None:
        pipeline.PIPELINE = tuple(item for item in pipeline.PIPELINE if item.name != name)

    return off


def _run_as_python() -> None:
    os.environ[native.VARIABLE] = "0"


PASSES = {
    **{item.name: Switch(item.description, _without(item.name)) for item in pipeline.PIPELINE},
    "replay": Switch("a step recorded once and replayed natively", _run_as_python),
}
"""In the order in which they take part."""


def leave_out(name: str) -> None:
    """From here on this process does without that pass."""
    if name not in PASSES:
        raise KeyError(f"there is no pass {name}; there are {', '.join(PASSES)}")
    PASSES[name].off()
