"""Text that comes in: from a file, and what no text may hold."""

from __future__ import annotations

import re
from pathlib import Path

from einbatch.diagnostics import NOWHERE, EinbatchError, Source, Span, fail
from einbatch.syntax.spelling import unknown_character

LARGEST = 4 * 2**20
"""The most bytes that a program's file may have."""


def read_source(path: str | Path, name: str | None = None) -> Source:
    """The text of a file, under its path or another name; EinbatchError if it has none.

    A byte order mark at the beginning is dropped.
    """
    name = str(path) if name is None else name
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise fail(
            "E0104",
            f"`{name}` cannot be read: {reason or type(error).__name__}",
            (NOWHERE, name),
            help="give the path of a text file",
        ) from None
    if len(data) > LARGEST:
        raise _too_large(Span(Source(name, data[:80].decode("utf-8", "replace")), 0, 1))
    try:
        return Source(name, data.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start, name) from None


def check_text(source: Source) -> None:
    """Raise if a text is too long, or holds characters that no text should."""
    text = source.text
    if len(text) * 4 > LARGEST and len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        raise _too_large(Span(source, 0, 1))
    found = _FORBIDDEN.search(text)
    if found:
        raise unknown_character(Span(source, found.start(), found.end()))


# Control characters, lone surrogates, the line separators of Unicode, a bare carriage return.
_FORBIDDEN = re.compile(
    r"[^\x09\x0a\x0d\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]|\r(?!\n)"
)


def _too_large(span: Span) -> EinbatchError:
    return fail(
        "E0105",
        f"the file is larger than {LARGEST // 2**20} MiB",
        span,
        help="put data into an `.npz` or `.csv` file and name it with `from`",
    )


def _not_utf8(data: bytes, offset: int, name: str) -> EinbatchError:
    before = data[:offset].decode("utf-8").removeprefix("\ufeff")
    source = Source(name, before + data[offset:].decode("utf-8", "replace"))
    guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "another encoding"
    return fail(
        "E0103",
        f"the file is not UTF-8: byte {offset} (0x{data[offset]:02X}) begins no character",
        (Span(source, len(before), len(before) + 1), "here"),
        help=f"save the file as UTF-8; this looks like {guess}",
    )
