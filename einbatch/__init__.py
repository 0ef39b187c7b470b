"""An Einstein-notation tensor language for minibatch learning, and its interpreter.

    import einbatch as eb
    model = eb.load("mlp.ein")
    params = model.init(seed=0)
    loss, grads = model.value_and_grad(params, x=x, t=t)

Names are looked up when they are first used: to import einbatch imports nothing else, and
the command line only what a verb needs. But where NumPy is there already, arrays are about
to be computed: then all that a first call needs comes along.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from einbatch.data import load_params, save
    from einbatch.diagnostics import EinbatchError
    from einbatch.model.draws import Moment
    from einbatch.model.function import Function, function
    from einbatch.model.interpreter import Model
    from einbatch.model.load import load, parse
    from einbatch.model.sources import classes

__all__ = [
    "EinbatchError",
    "Function",
    "Model",
    "Moment",
    "classes",
    "function",
    "load",
    "load_params",
    "parse",
    "save",
]

_HOMES = {
    "EinbatchError": "einbatch.diagnostics",
    "Moment": "einbatch.model.draws",
    "Function": "einbatch.model.function",
    "Model": "einbatch.model.interpreter",
    "classes": "einbatch.model.sources",
    "function": "einbatch.model.function",
    "load": "einbatch.model.load",
    "load_params": "einbatch.data",
    "parse": "einbatch.model.load",
    "save": "einbatch.data",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'einbatch' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


if "numpy" in sys.modules:
    globals().update((name, __getattr__(name)) for name in __all__)
