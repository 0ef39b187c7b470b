"""Every pass that can be left out of the way from a program to its result, on one page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from einbatch.backends import PASSES as OF_BACKENDS
from einbatch.diagnostics import fail
from einbatch.optimize.pipeline import PIPELINE
from einbatch.plan import PASSES as OF_PLANNING

PASSES: Mapping[str, str] = MappingProxyType(
    {
        **{step.name: step.description for step in PIPELINE},
        **OF_PLANNING,
        **{name: text for own in OF_BACKENDS.values() for name, text in own.items()},
    }
)
"""What each does, by name; in the order in which they take part."""


def resolve_passes(names: Collection[str]) -> frozenset[str]:
    """The names as a set; EinbatchError (E0812) where there is no such pass."""
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if name not in PASSES:
            near = get_close_matches(str(name), PASSES, 1)
            raise fail(
                "E0812",
                f"there is no pass `{name}`",
                help=f"did you mean `{near[0]}`?" if near else f"there are {', '.join(PASSES)}",
            )
    return frozenset(given)
