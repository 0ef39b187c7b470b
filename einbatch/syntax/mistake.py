"""Where the parser stopped, and how to say so where nothing better is known."""

from __future__ import annotations

from dataclasses import dataclass

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.syntax.expected import ASSIGNMENTS, describe, expected
from einbatch.syntax.parts import Part
from einbatch.syntax.scan import CLOSERS, OPENERS
from einbatch.syntax.words import Lexeme


@dataclass(frozen=True, slots=True)
class Mistake:
    """Where the parser stopped: what it found, what it would take, what it has before that."""

    kind: str
    span: Span
    accepts: frozenset[str]
    before: tuple[Lexeme | Part, ...]

    @property
    def last(self) -> Lexeme | Part | None:
        """What stands directly before."""
        return self.before[-1] if self.before else None

    @property
    def last_kind(self) -> str:
        """The kind of the token directly before, if it is a token."""
        return self.last.type if isinstance(self.last, Lexeme) else ""

    @property
    def opener(self) -> Lexeme | None:
        """The innermost bracket that is still open."""
        closed = 0
        for item in reversed(self.before):
            if not isinstance(item, Lexeme):
                continue
            if item.type in OPENERS:
                if not closed:
                    return item
                closed -= 1
            elif item.type in CLOSERS:
                closed += 1
        return None

    @property
    def found(self) -> str:
        """What was found, in words."""
        return describe(self.kind, self.span)


def unexpected(mistake: Mistake, advice: str = "") -> EinbatchError:
    """The diagnostic that says what was found, and what could stand there."""
    wanted = expected(mistake.accepts)
    return fail(
        "E0101",
        f"found {mistake.found} where {wanted} should stand",
        (mistake.span, "not expected"),
        help=advice or _advice(mistake),
    )


def _advice(mistake: Mistake) -> str:
    if "LET" in mistake.accepts:
        return "a statement is `T[i] = e`, `for i: …`, or begins with a word like `input` or `let`"
    if mistake.kind in ASSIGNMENTS:
        return "a statement is `T[i] = e`: one name with its subscripts stands on the left"
    if "COLON" in mistake.accepts:
        return "the list of a `for` ends with `:`"
    if mistake.accepts >= {"NUMBER", "OPEN"} and "STAR" not in mistake.accepts:
        return "an operand is missing: a number, a name, `T[i]`, or something in parentheses"
    if mistake.accepts >= ASSIGNMENTS:
        return "a statement is `T[i] = e`: one name with its subscripts stands on the left"
    if mistake.kind == "NEWLINE":
        return "a statement ends with its line; inside brackets it goes on"
    if "NEWLINE" in mistake.accepts:
        return "one statement stands on one line"
    return "`einbatch explain E0101` shows the form of every statement"
