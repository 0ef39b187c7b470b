"""Backends: each writes a plan as Python source and loads that."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from einbatch.backends.passes import PASSES

__all__ = ["BACKENDS", "PASSES", "backend"]

BACKENDS = {"numpy": "einbatch.backends.numpy"}
"""The module of each backend; it is imported when it is asked for."""


def backend(name: str) -> ModuleType:
    """The module of a backend, with `emit(plan)` and `load(source, plan)`; KeyError if none."""
    return import_module(BACKENDS[name])
