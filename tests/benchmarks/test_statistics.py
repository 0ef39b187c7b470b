"""Percentiles, means, ratios, and when results are right."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from benchmarks.harness import show, statistics
from benchmarks.harness.measure import Outcome, Wrong, compare
from benchmarks.harness.statistics import geometric_mean, percentile


@pytest.mark.parametrize("module", [statistics, show])
def test_the_examples_are_right(module):
    found = doctest.testmod(module)
    assert found.failed == 0
    assert found.attempted >= 2


def test_a_percentile_is_that_of_numpy():
    times = np.random.default_rng(0).exponential(size=37)
    for percent in (0, 10, 50, 99, 100):
        assert percentile(list(times), percent) == pytest.approx(np.percentile(times, percent))


def test_one_slow_round_does_not_move_the_tenth_percentile_far():
    assert percentile([1.0] * 9 + [100.0]) == 1


def test_the_geometric_mean_of_a_ratio_and_its_inverse_is_one():
    assert geometric_mean([3, 1 / 3, 1]) == pytest.approx(1)


def test_a_ratio_is_of_the_best_of_the_others_and_no_bound_counts():
    outcome = Outcome(
        "XS",
        {"einbatch": [[2.0], [2.0]], "floor": [[1.0]], "slow": [[9.0]], "fast": [[3.0], [3.0]]},
        bounds=("floor",),
    )
    assert outcome.rival == "fast"
    assert outcome.ratio == 1.5
    assert outcome.over("floor") == 2


def test_without_others_there_is_no_ratio():
    outcome = Outcome("XS", {"einbatch": [[2.0]], "floor": [[1.0]]}, bounds=("floor",))
    assert outcome.rival is None
    assert outcome.ratio is None
    assert Outcome("XS", {"fast": [[2.0]]}).ratio is None


def test_other_work_is_told():
    times = {"einbatch": [[2.0]], "fast": [[3.0]]}
    assert show.summary_of([Outcome("XS", times, foreign=0.04)])[:-1] == []
    assert show.summary_of([Outcome("XS", times, foreign=0.25)])[0] == (
        "XS: other work took 25% of the machine; take it again"
    )


def test_results_are_held_against_how_far_the_reference_came():
    start, wanted = {"W": np.full(4, 100.0)}, {"W": np.full(4, 101.0)}
    assert compare("peer", {"W": np.full(4, 101.0005)}, wanted, start, 1e-3) < 1e-3
    with pytest.raises(Wrong, match=r"W is off by 0\.01 of what it should have changed"):
        compare("peer", {"W": np.full(4, 101.01)}, wanted, start, 1e-3)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"W": np.full(4, np.nan)}, "off by nan"),
        ({"W": np.ones(3)}, r"shape \(3,\), not \(4,\)"),
        ({"V": np.ones(4)}, r"gives \['V'\], not \['W'\]"),
        ({}, r"gives \[\], not \['W'\]"),
    ],
)
def test_what_is_no_result_is_wrong(found, message):
    with pytest.raises(Wrong, match=message):
        compare("peer", found, {"W": np.ones(4)}, {}, 1e-3)


def test_a_reference_that_has_not_moved_tells_nothing():
    with pytest.raises(Wrong, match="off by inf"):
        compare("peer", {"W": np.ones(4)}, {"W": np.ones(4)}, {"W": np.ones(4)}, 1e-3)
