"""Random programs hold every construct of the language, each often enough to be tested."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, Phase, given, settings

from einbatch.elaborate import elaborate
from tests.census import CONSTRUCTS, constructs
from tests.laws import tree_of
from tests.random_case import Case
from tests.strategies2 import WRITERS, cases2

DRAWS, LEAST = 40, 2
"""Programs of each group, and how many of all have to hold each construct."""


def test_every_construct_occurs():
    counts: Counter[str] = Counter()
    for group in WRITERS:
        counts.update(census(group))
    shown = ", ".join(f"{name}: {counts[name]}" for name in CONSTRUCTS)
    missing = [name for name in CONSTRUCTS if counts[name] < LEAST]
    assert not missing, f"{missing}\n{shown}"


def census(group: str) -> Counter[str]:
    counts: Counter[str] = Counter()

    @settings(
        max_examples=DRAWS if group not in ("partial", "layer") else 3 * DRAWS,
        phases=[Phase.generate],
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases2(groups=(group,), most=2))
    def collect(case: Case) -> None:
        counts.update(constructs(case, elaborate(tree_of(case.text))))

    collect()
    return counts
