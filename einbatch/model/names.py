"""Names from the caller: folded, and looked up. Imports no numpy: `check` needs no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from einbatch.diagnostics import fail
from einbatch.syntax.spelling import key_of

T = TypeVar("T")


def merge_names(*mappings: Mapping[str, T] | None) -> dict[str, T]:
    """All values under the NFKC forms of their names; E0615 where one is given twice."""
    found: dict[str, T] = {}
    for mapping in mappings:
        if mapping is not None and not isinstance(mapping, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not typed
            raise fail(
                "E0624",
                f"arrays are given by name, and this is a {type(mapping).__name__}",
                help='give a dict, `{"x": …}`, or keywords, `x=…`',
            )
        for name, value in (mapping or {}).items():
            key = _key(name)
            if key in found:
                raise fail(
                    "E0615",
                    f"`{key}` is given twice",
                    help="names are compared in their NFKC form; give each tensor one array",
                )
            found[key] = value
    return found


def fold_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """Names in their NFKC forms, each once; one name may come alone."""
    try:
        listed = (names,) if isinstance(names, str) else tuple(names)
    except TypeError:
        listed = (names,)
    return tuple(dict.fromkeys(_key(name) for name in listed))


def _key(name: object) -> str:
    """The NFKC form of a name that a caller gives; E0624 where it is no text."""
    if not isinstance(name, str):
        raise fail(
            "E0624",
            f"tensors have names, and this is a {type(name).__name__}",
            help='names are texts, as in `{"x": …}` and `("x",)`',
        )
    return key_of(name)


def check_names(
    given: Iterable[str], known: Collection[str], kind: str, others: Collection[str] = ()
) -> None:
    """E0614 for a name that is none of the program's inputs (or params), with the nearest."""
    for name in given:
        if name in known:
            continue
        names = list(known)
        alike = [item for item in names if item.lower() == name.lower()]
        near = alike or get_close_matches(name, names, 1, cutoff=0.5)
        hint = f"it has {', '.join(f'`{item}`' for item in names)}" if names else "it has none"
        if name in others:
            hint = f"`{name}` is no {kind}: the program computes it, or it is of another kind"
        raise fail(
            "E0614",
            f"the program has no {kind} `{name}`",
            help=f"did you mean `{near[0]}`?" if near else hint,
        )
