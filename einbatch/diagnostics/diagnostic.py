"""Errors and warnings: a code, every place that takes part, one line of help."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from einbatch.diagnostics.span import NOWHERE, Span

Severity = Literal["error", "warning"]
EXCERPT = 96
"""The longest piece of a source line that a message shows, in characters."""


@dataclass(frozen=True, slots=True)
class Label:
    """A place, and what there is to say about it."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. The first label is where it is reported; the others take part."""

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    help: str = ""

    @property
    def severity(self) -> Severity:
        return "warning" if self.code.startswith("W") else "error"

    @property
    def is_refusal(self) -> bool:
        """True where the program may be right and only the resources say no."""
        return self.code.startswith("E07")

    def __str__(self) -> str:
        lines = [f"{self.severity}[{self.code}]: {self.message}"]
        for label in self.labels:
            lines += _show(label)
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


def diagnostic(
    code: str,
    message: str,
    *labels: tuple[Span, str] | Span,
    help: str = "",  # noqa: A002 - the word that the message shows
) -> Diagnostic:
    """A diagnostic from plain pairs: `diagnostic("E0203", "…", (span, "here"), help="…")`."""
    pairs = [(item, "") if isinstance(item, Span) else item for item in labels]
    return Diagnostic(code, message, tuple(Label(span, text) for span, text in pairs), help)


class EinbatchError(Exception):
    """What a program, its data or the machine's resources did not allow.

    `diagnostics` holds every finding; `str()` shows them all.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(str(item) for item in self.diagnostics)

    def __reduce__(self) -> tuple[type[EinbatchError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)

    @property
    def is_refusal(self) -> bool:
        """True where every error is a refusal for resources."""
        return all(item.is_refusal for item in self.diagnostics)


class InternalError(Exception):
    """einbatch broke a rule of its own; never the user's fault."""


def fail(
    code: str,
    message: str,
    *labels: tuple[Span, str] | Span,
    help: str = "",  # noqa: A002 - the word that the message shows
) -> EinbatchError:
    """An error of one diagnostic, to be raised."""
    return EinbatchError([diagnostic(code, message, *labels, help=help)])


def _show(label: Label) -> list[str]:
    span = label.span
    if span.source is NOWHERE.source:
        return [f"  --> {label.text}"] if label.text else []
    text = span.source.text
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.start)
    line = text[start : end if end >= 0 else len(text)].rstrip("\r")
    first = span.start - start
    last = min(max(span.end - start, first + 1), max(len(line), first + 1))
    if len(line) > EXCERPT:
        cut = max(0, first - EXCERPT // 2)
        last = min(last, cut + EXCERPT)
        piece = line[cut : cut + EXCERPT]
        prefix = "…" if cut else ""
        line = prefix + piece + ("…" if cut + EXCERPT < len(line) else "")
        first, last = first - cut + len(prefix), last - cut + len(prefix)
    line = line.replace("\t", " ")
    number = str(span.line)
    margin = " " * len(number)
    pad = " " * _width(line[:first])
    carets = "^" * max(1, _width(line[first:last]))
    note = f" {label.text}" if label.text else ""
    return [
        f" {margin}--> {span}",
        f" {margin} |",
        f" {number} | {_visible(line)}",
        f" {margin} | {pad}{carets}{note}",
    ]


def _width(text: str) -> int:
    """The columns that a terminal gives a text."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _visible(text: str) -> str:
    """A source line with its control characters made visible, one column each."""
    return "".join("�" if unicodedata.category(c) == "Cc" else c for c in text)
