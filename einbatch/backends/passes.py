"""What backends do for speed: each can be left out of a plan, and the values stay the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PASSES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "numpy": MappingProxyType(
            {
                "put_directly": "what is put somewhere, written there as it is computed",
                "replay": "a step recorded once and replayed natively",
                "group_loops": "loops that follow each other, run a block of rows at a time",
                "loop_over_rows": "functions of whole matrices where there are some",
                "share_bands": "instructions that threads run side by side, each for its own rows",
                "use_threads": "the rows of large groups of loops shared among threads",
            }
        )
    }
)
"""For each backend its passes by name, in the order in which they take part."""
