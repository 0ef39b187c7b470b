"""The laws of several objectives, over random programs whose params two of them share out."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, note, settings
from hypothesis import strategies as st

import einbatch as eb
from einbatch.autodiff import differentiate
from tests.laws import assert_close, checked, program_of, sample, split, text_of
from tests.random_case import Case, access
from tests.strategies import cases
from tests.strategies2 import cases2

SHARES = (0.3, -0.7, 0.2, -0.1)
"""What the second objective takes of each value of the program."""


class Game:
    """A random program with two objectives: its loss over some params, another over the rest."""

    def __init__(self, case: Case, cut: int) -> None:
        assume(len(case.params) > 1)
        self.case = case
        cut = 1 + cut % (len(case.params) - 1)
        self.players = (case.params[:cut], case.params[cut:])
        values = [known for known in case.values if known.member is None]
        terms = [
            f"other += {SHARES[n % 4]}*{access(known.name, known.indices)}"
            for n, known in enumerate(values)
        ]
        lines = [*case.declarations, "", *case.statements, "other = 0", *terms]
        self.forward = "\n".join(lines) + "\n"
        self.lines = (
            f"minimize loss over {', '.join(self.players[0])}\n",
            f"maximize other over {', '.join(self.players[1])}\n",
        )
        self.text = self.forward + "".join(self.lines)
        note(self.text)


@st.composite
def games(draw: st.DrawFn) -> Game:
    case = draw(st.one_of(cases(), cases2()))
    return Game(case, draw(st.integers(0, 3)))


def some(share: float) -> settings:
    return settings(max_examples=max(5, int(share * settings.default.max_examples)))


@some(0.5)
@given(games())
def test_the_derived_program_is_a_program_in_the_language(game: Game):
    program = checked(program_of(game.text))
    assert program_of(text_of(program)) == program
    for simplify in (False, True):
        derived = checked(differentiate(program, simplify=simplify))
        assert program_of(text_of(derived)) == derived


@some(0.5)
@given(games())
def test_each_gradient_is_that_of_its_own_objective(game: Game):
    derived = sample(differentiate(program_of(game.text)), game.case.arrays())
    for line, params in zip(game.lines, game.players, strict=True):
        alone = sample(differentiate(program_of(game.forward + line)), game.case.arrays())
        names = [f"{name}.grad" for name in params]
        assert_close({name: derived.values[name] for name in names}, alone, 1e-12)


@some(0.3)
@given(games(), st.sampled_from(["numpy", "loops"]))
def test_a_step_is_a_step_of_each_in_turn(game: Game, backend: str):
    params, inputs = split(game.case)
    train = "train sgd(lr=0.01, momentum=0.5)\n"
    whole = eb.parse(game.text + train, dtype="float64", backend=backend)
    checked(differentiate(whole.front.training.program, keep=True))
    found, _ = whole.step(params, data=inputs)
    expected = params
    for line in game.lines:
        alone = eb.parse(game.forward + line + train, dtype="float64", backend=backend)
        expected = expected | alone.step(expected, data=inputs)[0]
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        scale = 1 + np.nanmax(np.abs(array), initial=0, where=np.isfinite(array))
        np.testing.assert_allclose(found[name], array, rtol=1e-9, atol=1e-9 * scale, err_msg=name)
