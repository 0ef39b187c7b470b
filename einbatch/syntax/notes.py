"""What a text holds beside its statements: comments and blank lines, for the printer."""

from __future__ import annotations

import re

from einbatch.diagnostics import Source
from einbatch.syntax.nodes import Comment


def find_notes(
    source: Source, comment: str, string: str
) -> tuple[tuple[Comment, ...], tuple[int, ...]]:
    """The comments, and the numbers of the blank lines, from 1.

    `comment` and `string` are the grammar's patterns: a `#` in a string begins no comment.
    """
    text = source.text
    comments: list[Comment] = []
    line, counted = 1, 0
    for match in re.finditer(f"{string}|(?P<comment>{comment})", text):
        found: str | None = match["comment"]
        if found is None:
            continue
        line += text.count("\n", counted, match.start())
        counted = match.start()
        begin = text.rfind("\n", 0, counted) + 1
        comments.append(Comment(found.rstrip(), line, not text[begin:counted].strip("\ufeff \t")))
    lines = text.split("\n")
    blank = [number for number, content in enumerate(lines, 1) if not content.strip("\ufeff \t\r")]
    return tuple(comments), tuple(blank)
