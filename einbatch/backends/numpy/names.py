"""Names for what an emitted module holds: ASCII identifiers of our own making, each once."""

from __future__ import annotations

import keyword
import re
import unicodedata

RESERVED = frozenset(
    {"np", "arena", "bind", "step", "erf", "check", "Outside", "scatter", "aligned"}
)


class Names:
    """Names given so far; each is given once."""

    def __init__(self) -> None:
        self._taken = set(RESERVED)
        self._counts: dict[str, int] = {}

    def fresh(self, wish: str) -> str:
        """A new name, as near to the wish as can be."""
        base = identifier(wish)
        name, number = base, self._counts.get(base, 1)
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._counts[base] = number
        self._taken.add(name)
        return name


def identifier(name: str) -> str:
    """A tensor's name in ASCII letters, digits and `_`.

    >>> [identifier(name) for name in ("h̃.grad", "σ", "y'", "class", "ŷ")]
    ['h_grad', 'sigma', 'y_prime', 'class_', 'y']
    """
    letters = [_ascii(c) for c in unicodedata.normalize("NFKD", name.replace("'", "_prime"))]
    cleaned = re.sub(r"_+", "_", "".join(letters)).strip("_") or "t"
    if cleaned[0].isdigit():
        cleaned = f"t{cleaned}"
    return f"{cleaned}_" if keyword.iskeyword(cleaned) else cleaned


def _ascii(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else "_"
    if unicodedata.combining(character):
        return ""
    word = unicodedata.name(character, "x").split()[-1].lower()
    return word if word.isalnum() and word.isascii() else "x"
