"""Laws that every program obeys, held to over random ones; and that they can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from einbatch.autodiff.partials import PARTIALS
from einbatch.diagnostics import EinbatchError
from einbatch.ir import (
    Apply,
    Expression,
    Number,
    Program,
    Reduce,
    Statement,
    map_statements,
    transform,
)
from einbatch.optimize.pipeline import PIPELINE, Pass
from tests import laws
from tests.laws import examples
from tests.strategies import Case, cases


@examples(2)
@given(cases())
def test_text_tree_and_program_are_one(case: Case):
    laws.law_of_text(case)


@examples(1)
@given(cases())
def test_the_derived_program_is_a_program_in_the_language(case: Case):
    laws.law_of_derived_text(case)


@examples(2)
@given(cases(), st.booleans())
def test_no_pass_changes_what_a_program_means(case: Case, derived: bool):
    laws.law_of_passes(case, PIPELINE, derived=derived)


@examples(2)
@given(cases())
def test_numpy_equals_the_loop_nest(case: Case):
    laws.law_of_numpy(case)


@examples(2)
@given(cases())
def test_numpy_equals_the_loop_nest_backward_too(case: Case):
    laws.law_of_numpy_backward(case)


@examples(2)
@given(cases())
def test_gradients_equal_dual_numbers(case: Case):
    laws.law_of_duals(case)


@examples(1)
@given(cases())
def test_every_cotangent_is_the_derivative_to_its_tensor(case: Case):
    laws.law_of_cotangents(case)


@examples(1)
@given(cases())
def test_the_adjoint_is_the_transpose(case: Case):
    laws.law_of_transpose(case)


@examples(1)
@given(cases())
def test_gradients_equal_central_differences(case: Case):
    laws.law_of_differences(case)


@examples(1)
@given(cases())
def test_the_model_gives_the_gradients_of_its_derived_program(case: Case):
    laws.law_of_the_model(case)


# --- the laws can fail


def assert_caught(law: Callable[[Case], None], times: int = 3) -> None:
    """The law fails on some program within the profile's number of examples."""
    search = settings(
        max_examples=times * settings.default.max_examples,
        phases=[Phase.generate],
        database=None,
        report_multiple_bugs=False,
    )(given(cases())(law))
    with pytest.raises((AssertionError, KeyError, EinbatchError)):
        search()


@pytest.mark.parametrize("primitive", ["mul", "div", "tanh", "relu", "max", "pow", "log"])
def test_a_wrong_partial_is_caught(primitive: str):
    rule = PARTIALS[primitive]

    def doubled(arguments: tuple, output: object) -> tuple:
        first, *rest = rule(arguments, output)
        return (first and Apply("mul", (Number(2), first)), *rest)

    with patch.dict(PARTIALS, {primitive: doubled}):
        assert_caught(laws.law_of_duals)
        assert_caught(laws.law_of_differences)


def without_the_last(program: Program) -> Program:
    return replace(program, statements=program.statements[:-1])


def with_plus_for_minus(program: Program) -> Program:
    def rule(statement: Statement) -> Statement:
        return replace(statement, operator="+=") if statement.operator == "-=" else statement

    return replace(program, statements=map_statements(program.statements, rule))


def with_mean_for_sum(program: Program) -> Program:
    def rule(node: Expression) -> Expression:
        if isinstance(node, Reduce) and node.reduction == "sum":
            return replace(node, reduction="mean")
        return node

    def everywhere(statement: Statement) -> Statement:
        return replace(statement, value=transform(statement.value, rule))

    return replace(program, statements=map_statements(program.statements, everywhere))


@pytest.mark.parametrize("wrong", [without_the_last, with_plus_for_minus, with_mean_for_sum])
def test_a_wrong_pass_is_caught(wrong: Callable[[Program], Program]):
    passes = (*PIPELINE, Pass(wrong.__name__, "", wrong))
    assert_caught(lambda case: laws.law_of_passes(case, passes, derived=True))
