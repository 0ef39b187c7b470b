"""Text to tree, and back."""

from einbatch.syntax.parse import parse
from einbatch.syntax.source import read_source
from einbatch.syntax.unparse import format_source, unparse

__all__ = ["format_source", "parse", "read_source", "unparse"]
