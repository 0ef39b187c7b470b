"""Text to tree, and back."""

from einbatch.syntax.parse import parse
from einbatch.syntax.source import read_source

__all__ = ["parse", "read_source"]
