"""Source spans, errors, and the pages behind `einbatch explain`."""

from einbatch.diagnostics.diagnostic import (
    Diagnostic,
    EinbatchError,
    InternalError,
    Label,
    diagnostic,
    fail,
)
from einbatch.diagnostics.explain import codes, explain
from einbatch.diagnostics.span import NOWHERE, Source, Span
from einbatch.diagnostics.stack import deep_stack

__all__ = [
    "NOWHERE",
    "Diagnostic",
    "EinbatchError",
    "InternalError",
    "Label",
    "Source",
    "Span",
    "codes",
    "deep_stack",
    "diagnostic",
    "explain",
    "fail",
]
