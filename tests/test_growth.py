"""What compiling costs grows with the program, and no faster.

Counted in function calls, which no other work on the machine changes.
"""

from __future__ import annotations

import cProfile
import pstats

import numpy as np
import pytest

import einbatch as eb
from benchmarks.texts import perceptron_text


def calls(layers: int, train: str) -> int:
    """The calls that it takes from a perceptron's text to the end of its first step."""
    text = perceptron_text([4] * (layers + 1), 0.1).replace("sgd(lr=0.1)", train)
    profile = cProfile.Profile()
    profile.enable()
    eb.parse(text).trainer().step(x=np.ones((2, 4)), t=np.zeros(2, int))
    profile.disable()
    return pstats.Stats(profile).total_calls


@pytest.mark.parametrize(("few", "many", "train"), [(20, 140, "sgd(lr=0.1)"), (8, 56, "adam")])
def test_seven_times_the_layers_take_seven_times_the_calls(few: int, many: int, train: str):
    calls(2, train)  # imports, and makes tables
    assert calls(many, train) < many / few * calls(few, train)
