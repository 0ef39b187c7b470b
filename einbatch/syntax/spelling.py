"""How names are spelled: which characters they may hold, and the key that a spelling folds to."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir.primitives import FUNCTIONS, REDUCTIONS

FUNCTION_SPELLINGS = {name: name for name in FUNCTIONS} | {
    "σ": "sigmoid",
    "ln": "log",
    "ReLU": "relu",
}
"""What a user may write before `(`, and the function that is meant."""

SIGNS = {"Σ": "sum", "∑": "sum", "Π": "prod", "∏": "prod"}
"""The signs that reduce whatever index follows their `_`."""

REDUCTION_SPELLINGS = {name: name for name in REDUCTIONS} | SIGNS
"""What a user may write before `[i]` or `_i`, and the reduction that is meant."""

CONSTANTS = {"inf": "inf", "∞": "inf", "pi": "pi", "π": "pi"}
"""The numbers that have names, where the name stands alone."""

PRIMES = str.maketrans({"′": "'"})


@lru_cache(maxsize=4096)
def key_of(spelling: str) -> str:
    """What a spelling folds to: `W⁰` and `W0` are `W0`, `y″` is `y''`."""
    if spelling.isascii():
        return spelling
    return unicodedata.normalize("NFKC", spelling).translate(PRIMES)


def ascii_number(text: str) -> str:
    """A number in ASCII: `⁻³` is `-3`, and `1e−7` is `1e-7`."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).replace("−", "-")


def check_name(spelling: str, span: Span) -> None:
    """Raise if a name holds what no name may hold. `span` is where it stands."""
    if spelling.isascii():
        return
    for offset, character in enumerate(spelling):
        if character.isascii() or _is_allowed(character):
            continue
        place = Span(span.source, span.start + offset, span.start + offset + 1)
        if _is_small(character) and unicodedata.category(character).startswith("L"):
            raise _small_letter(spelling, offset, place)
        raise unknown_character(place)
    key = key_of(spelling)
    if not _begins(key[0]) or not all(_continues(character) for character in key):
        raise fail(
            "E0102",
            f"`{spelling}` cannot be a name",
            (span, f"reads as `{key}`"),
            help="a name is a letter or `_`, then letters, digits, marks, `_` and primes",
        )


def unknown_character(span: Span) -> EinbatchError:
    """The error for a character that means nothing here."""
    character = span.text
    code_point = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    shown = f"`{character}` ({code_point})" if character.isprintable() else code_point
    what = f"{shown}, {name.lower()}," if name else shown
    return fail(
        "E0102",
        f"{what} is no part of the language",
        (span, "here"),
        help=_MEANT.get(character, "remove it, or write what it stands for"),
    )


_MEANT = {
    "–": "a minus is written `-` or `−`",
    "—": "a minus is written `-` or `−`",
    "’": "a prime is written `'` or `′`",
    "‘": "a prime is written `'` or `′`",
    "“": 'quotation marks are `"`',
    "”": 'quotation marks are `"`',
    '"': 'a text in `"` ends with `"` on the same line',
    "'": "a prime is part of the name before it: `y'`; a text stands in `\"`",
    "|": "the extent of an index is `|i|`; an absolute value is `abs(x)`",
    "&": "conditions are joined by `and`",
    "!": "a condition is negated by `not`; `!=` compares",
    "@": "sum over the shared index: `sum[j](A[i,j]*B[j,k])`",
    "%": "the rest of a division is `mod(a, b)`",
    "÷": "a quotient is written `a/b`",
    ".": "after a name, only `.grad` may follow a dot",
    ";": "one statement stands on one line",
    "√": "a square root is `sqrt(x)`",
    "∂": "the derivative of the objective by `T` is `T.grad`",
    "←": "a value is given with `=`",
    "∼": "a draw is written `~`",
    "\ufeff": "a byte order mark may only begin the file",
}


def _small_letter(spelling: str, offset: int, place: Span) -> EinbatchError:
    letters = spelling[offset:]
    plain = unicodedata.normalize("NFKC", letters)
    before = spelling[:offset]
    if before in REDUCTION_SPELLINGS:
        hint = f"write `{before}_{plain}`"
    elif plain == "T":
        hint = f"a transpose is the same tensor with its indices the other way: `{before}[i,j]`"
    else:
        hint = f"an index stands in brackets, `{before}[{plain}]`; a name may be `{before}_{plain}`"
    return fail(
        "E0111",
        f"`{place.text}` in `{spelling}` is a small letter, which a name cannot hold",
        (place, f"stands for `{unicodedata.normalize('NFKC', place.text)}`"),
        help=hint,
    )


def _is_small(character: str) -> bool:
    return unicodedata.decomposition(character).startswith(("<super>", "<sub>"))


def _is_allowed(character: str) -> bool:
    if character in "′″‴⁗":
        return True
    if _is_small(character):
        return unicodedata.category(character) == "No"
    return unicodedata.category(character) in _PARTS


_PARTS = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}


def _begins(character: str) -> bool:
    return character == "_" or unicodedata.category(character).startswith("L")


def _continues(character: str) -> bool:
    return character in "_'." or unicodedata.category(character) in _PARTS
