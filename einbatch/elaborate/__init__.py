"""Tree → program, checked; and program → tree."""

from einbatch.elaborate.binding import bind_extents, constant_values
from einbatch.elaborate.elaborate import elaborate
from einbatch.elaborate.erase import erase, erase_statement
from einbatch.elaborate.origins import find_origins
from einbatch.elaborate.warnings import find_warnings

__all__ = [
    "bind_extents",
    "constant_values",
    "elaborate",
    "erase",
    "erase_statement",
    "find_origins",
    "find_warnings",
]
