"""The laws of derived programs that are derived again, over random programs."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests import laws
from tests.random_case import Case
from tests.strategies import cases
from tests.strategies2 import cases2


@settings(max_examples=max(5, settings.default.max_examples // 3))
@given(st.one_of(cases(most_statements=3, depth=2), cases2(most=2)))
def test_second_derivatives(case: Case):
    assume(case.params)
    laws.law_of_second_derivatives(case)
