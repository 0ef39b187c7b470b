"""Every pass left out, and all of them: the laws of values, gradients and updates hold.

The registry says which passes there are. Ten times as many examples, in some minutes:

    HYPOTHESIS_PROFILE=long python -m pytest tests/test_laws_passes.py
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from einbatch.model.passes import PASSES
from tests import laws
from tests.random_case import Case
from tests.strategies import cases
from tests.strategies2 import cases2


@pytest.mark.parametrize("without", [*PASSES, "all", "none"])
@settings(max_examples=max(5, settings.default.max_examples // 5))
@given(st.one_of(cases(), cases2()))
def test_nothing_depends_on_a_pass(without: str, case: Case):
    left_out = {"all": tuple(PASSES), "none": ()}.get(without, (without,))
    laws.law_of_leaving_out(case, frozenset(left_out))
