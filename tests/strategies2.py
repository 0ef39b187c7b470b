"""Random programs of everything that models beyond a perceptron need.

Windows and other affine subscripts with ranges that follow from them, guarded
reads and partial writes, wrapping and clamping, gathers and scatters, parts put one
after the other, scans over time, depth and both, random draws, what is only so in
training, definitions, capital slices and stopped gradients; each in many forms, beside
everything that `strategies.py` draws.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from tests.random_affine import Affine
from tests.random_case import Case
from tests.random_expressions import Draw
from tests.random_layers import call_definitions, declare_definitions
from tests.random_models import (
    deep_group,
    diagonal_group,
    embedding_group,
    filtered_group,
    joined_group,
    nested_group,
    spread_group,
    training_group,
)
from tests.strategies import NAMES, declare, draw_indices, draw_tensors

WRITERS: dict[str, Callable[[Affine, str, int], object]] = {
    "window": Affine.window_group,
    "shifted": Affine.shifted_group,
    "partial": Affine.partial_group,
    "placed": Affine.placed_group,
    "sample": Affine.sample_group,
    "capital": Affine.capital_group,
    "layer": call_definitions,
    "scan": Affine.scan_group,
    "grid": Affine.grid_group,
    "deep": deep_group,
    "nested": nested_group,
    "joined": joined_group,
    "training": training_group,
    "embedding": embedding_group,
    "spread": spread_group,
    "filtered": filtered_group,
    "diagonal": diagonal_group,
    "scatter": Affine.scatter_group,
    "value": Affine.value_group,
}
GROUPS = (*WRITERS, "scan", "partial", "layer", "sample")


@st.composite
def cases2(draw: Draw, groups: tuple[str, ...] = GROUPS, most: int = 4, depth: int = 2) -> Case:
    """A program with some of the constructs named by `groups`, and its data."""
    case = Case(seed=draw(st.integers(0, 2**16)))
    draw_indices(draw, case, 4)
    digits = [name for name, extent in case.indices.items() if extent.isdigit()]
    if digits and draw(st.booleans()):
        name = draw(st.sampled_from(digits))
        case.indices["k"] = case.indices[name]
        case.declarations.append(f"index k < |{name}|")
    draw_tensors(draw, case)
    if len(case.given) < 4:
        axes = tuple(draw(st.permutations(list(case.indices)))[:2])
        declare(case, "input", "x9", axes, "")
    writer = Affine(draw, case)
    writer.bodies = {}
    if "layer" in groups:
        declare_definitions(writer)
    depths = st.sampled_from([0, 1, *range(2, depth + 1)])
    for name in NAMES[: draw(st.integers(1, most))]:
        WRITERS[writer.pick(groups)](writer, name, draw(depths))
    writer.loss()
    return case
