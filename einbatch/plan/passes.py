"""What planning does for speed or memory: each can be left out, and the values stay the same.

A pass is asked for where it acts, `low.uses("one_hot")`; what stands in its place is the
plain way, which the others have to get along with. `tests/plan/test_passes.py` shows for
each what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PASSES: Mapping[str, str] = MappingProxyType(
    {
        "distribute": "scans cut into what recurs and what all rounds may do at once",
        "lift_products": "products of what is known before a scan, made for all its rounds at once",
        "order_contractions": "factors multiplied in the cheapest order, not from left to right",
        "sum_by_products": "short sums as matrix products with ones",
        "scale_smallest": "a coefficient on the smallest factor, not on the product",
        "slide": "windows as loops over their offsets, each a view, not as copies of all patches",
        "block": "loops over examples in place of those, where each makes one wide product",
        "pad": "what may lie outside as views of a padded copy, not as gathers and scatters",
        "put_one_hot": "one-hot factors put where they are 1, not multiplied out",
        "scatter_rows": "rows of lookups added as rows, not by element",
        "prove_inside": "no check of integers that are certainly inside their axes",
        "number_values": "equal values computed once",
        "fold_scales": "one product with a number in place of many or of a large one",
        "write_first": "memory of scans assigned where it is written first, not filled before",
        "fuse_products": "scales and sums taken in by products, BLAS's α and β",
        "compute_constants": "what no input has a part in computed once, not at each call",
        "overwrite": "results in the memory of arguments that nothing else wants",
        "share_memory": "memory used again when what lay there is not wanted any more",
    }
)
"""By name, in the order in which they take part."""
