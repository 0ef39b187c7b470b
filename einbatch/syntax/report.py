"""A token that no rule takes, told in words."""

from __future__ import annotations

from lark.exceptions import UnexpectedToken

from einbatch.diagnostics import EinbatchError, Source, Span, fail


def syntax_error(error: UnexpectedToken, source: Source) -> EinbatchError:
    span = getattr(error.token, "span", Span(source, len(source.text), len(source.text)))
    return fail("E0101", f"unexpected {error.token.type}", span, help=str(sorted(error.accepts)))
