"""The laws of every program, over those with windows, guards, scans, draws and definitions.

About ten examples of each law for each construct alone, where a failure is small
and tells what it is about; and more with all of them together.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from einbatch.optimize.pipeline import PIPELINE
from tests import laws
from tests.laws import Case
from tests.strategies2 import GROUPS, cases2

LAWS = {
    "text": laws.law_of_text,
    "derived text": laws.law_of_derived_text,
    "duals": laws.law_of_duals,
    "numpy": laws.law_of_numpy,
    "numpy backward": laws.law_of_numpy_backward,
}


def some(share: float = 0.5) -> settings:
    """A share of the profile's examples."""
    return settings(max_examples=max(5, int(share * settings.default.max_examples)))


@pytest.mark.parametrize("group", list(dict.fromkeys(GROUPS)))
@some(0.1)
@given(st.data())
def test_each_construct_obeys_the_laws(group: str, data: st.DataObject):
    case = data.draw(cases2(groups=(group,), most=2))
    for law in LAWS.values():
        law(case)


@some()
@given(cases2())
def test_text_tree_and_program_are_one(case: Case):
    laws.law_of_text(case)


@some(0.3)
@given(cases2())
def test_the_derived_program_is_a_program_in_the_language(case: Case):
    laws.law_of_derived_text(case)


@some()
@given(cases2(), st.booleans())
def test_no_pass_changes_what_a_program_means(case: Case, derived: bool):
    laws.law_of_passes(case, PIPELINE, derived=derived)


@some(0.3)
@given(cases2())
def test_no_preparation_changes_what_a_program_means(case: Case):
    laws.law_of_passes(case, laws.PREPARATIONS, derived=False)


@some()
@given(cases2())
def test_numpy_equals_the_loop_nest(case: Case):
    laws.law_of_numpy(case)


@some()
@given(cases2())
def test_numpy_equals_the_loop_nest_backward_too(case: Case):
    laws.law_of_numpy_backward(case)


@some(1)
@given(cases2())
def test_gradients_equal_dual_numbers(case: Case):
    laws.law_of_duals(case)


@some()
@given(cases2())
def test_every_cotangent_is_the_derivative_to_its_tensor(case: Case):
    laws.law_of_cotangents(case)


@some()
@given(cases2())
def test_the_adjoint_is_the_transpose(case: Case):
    laws.law_of_transpose(case)


@some()
@given(cases2())
def test_gradients_equal_central_differences(case: Case):
    laws.law_of_differences(case)


@some()
@given(cases2(groups=("capital", "layer")))
def test_calls_and_capitals_mean_what_they_stand_for(case: Case):
    laws.law_of_twins(case)
