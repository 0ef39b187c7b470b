"""What becomes of the times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.harness.suite import OWN

PERCENTILE = 10


def percentile(times: Sequence[float], percent: float = PERCENTILE) -> float:
    """The percentile of sorted times, between neighbours linearly.

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([1.0, 2.0], 10), percentile([7.0])
    (2.0, 1.1, 7.0)
    """
    ordered = sorted(times)
    place = (len(ordered) - 1) * percent / 100
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The mean that counts twice as fast and half as fast as even.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))


def best_rival(times: Mapping[str, float], bounds: Iterable[str]) -> str | None:
    """The fastest contender that is neither ours nor a bound; None where there is none.

    >>> best_rival({"einbatch": 1.0, "floor": 0.5, "torch": 3.0, "jax": 2.0}, ["floor"])
    'jax'
    """
    rivals = {name: t for name, t in times.items() if name not in {OWN, *bounds}}
    return min(rivals, key=rivals.__getitem__, default=None)
