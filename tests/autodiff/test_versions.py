"""Earlier values as versions: before and after, as text and by value."""

from textwrap import dedent

import numpy as np
import pytest

from einbatch.autodiff.versions import separate_versions
from einbatch.ir import verify
from tests.autodiff.derived import arrays_for, program, run, shown, statements

HEAD = """\
batch b < B
index i < 3, k < 4
input x[b,i]
input w[b] in k
param a[k] ~ normal(0, 1)
"""

CASES = {
    "sums go on": (
        """\
        for b,i: h[b] += x[b,i]
        for b: h[b] -= 1
        """,
        """\
        for b,i: h[b] += x[b,i]
        for b: h[b] -= 1
        """,
    ),
    "a value, then sums": (
        """\
        for b: h[b] = x[b,0]
        for b,i: h[b] += x[b,i]
        """,
        """\
        for b: h[b] = x[b,0]
        for b,i: h[b] += x[b,i]
        """,
    ),
    "a sum, scaled": (
        """\
        for b,i: h[b] += x[b,i]
        for b: h[b] *= 1/|i|
        """,
        """\
        for b,i: h_1[b] += x[b,i]
        for b: h[b] = h_1[b]*(1/|i|)
        """,
    ),
    "a product alone": (
        """\
        for b,i: h[b] *= x[b,i]
        """,
        """\
        for b: h[b] = prod[i](x[b,i])
        """,
    ),
    "a product of each element": (
        """\
        for b,i: h[b,i] *= 2*x[b,i]
        """,
        """\
        for b,i: h[b,i] = 2*x[b,i]
        """,
    ),
    "a product, then a sum": (
        """\
        for b,i: h[b] *= x[b,i]
        for b,i: h[b] += x[b,i]
        """,
        """\
        for b: h_1[b] = prod[i](x[b,i])
        for b: h[b] = h_1[b]
        for b,i: h[b] += x[b,i]
        """,
    ),
    "an extremum alone": (
        """\
        for b,i: h[b] max= x[b,i]
        """,
        """\
        for b: h[b] = max[i](x[b,i])
        """,
    ),
    "the greater of two": (
        """\
        for b: h[b] = x[b,0]
        for b,i: h[b] max= x[b,i]
        """,
        """\
        for b: h_1[b] = x[b,0]
        for b: h_2[b] = max[i](x[b,i])
        for b: h[b] = if h_1[b] >= h_2[b] then h_1[b] else h_2[b]
        """,
    ),
    "the lesser of two": (
        """\
        for b,i: h[b] min= x[b,i]
        for b: h[b] min= 0
        """,
        """\
        for b: h_1[b] = min[i](x[b,i])
        for b: h_2[b] = 0
        for b: h[b] = if h_1[b] <= h_2[b] then h_1[b] else h_2[b]
        """,
    ),
    "every operator": (
        """\
        for b: h[b] = 1
        for b,i: h[b] += x[b,i]
        for b: h[b] *= 2
        for b: h[b] *= 3
        for b: h[b] -= x[b,0]
        """,
        """\
        for b: h_1[b] = 1
        for b,i: h_1[b] += x[b,i]
        for b: h_2[b] = h_1[b]*2
        for b: h_3[b] = h_2[b]*3
        for b: h[b] = h_3[b]
        for b: h[b] -= x[b,0]
        """,
    ),
    "a scatter": (
        """\
        for k: T[k] = a[k]
        for b: T[w[b]] *= x[b,0]
        """,
        """\
        for k: T_1[k] = a[k]
        for k': T[k'] = T_1[k']*prod[b](if w[b] = k' then x[b,0] else 1)
        """,
    ),
    "one element": (
        """\
        for k: T[k] = a[k]
        T[2] max= x[0,0]
        """,
        """\
        for k: T_1[k] = a[k]
        for k': T_2[k'] = if 2 = k' then x[0,0] else -inf
        for k': T[k'] = if T_1[k'] >= T_2[k'] then T_1[k'] else T_2[k']
        """,
    ),
    "two tensors in turn": (
        """\
        for b,i: h[b] += x[b,i]
        for b,i: g[b] *= x[b,i]
        for b: h[b] *= g[b]
        for b: g_1[b] = h[b]
        """,
        """\
        for b,i: h_1[b] += x[b,i]
        for b: g[b] = prod[i](x[b,i])
        for b: h[b] = h_1[b]*g[b]
        for b: g_1[b] = h[b]
        """,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_before_and_after(case: str):
    before, after = (dedent(text) for text in CASES[case])
    found = separate_versions(program(HEAD + before))
    assert verify(found) == []
    assert statements(found) == after.splitlines()


@pytest.mark.parametrize("case", CASES)
def test_the_same_values(case: str):
    before = program(HEAD + dedent(CASES[case][0]))
    after = separate_versions(before)
    arrays = arrays_for(before)
    expected, found = run(before, arrays), run(after, arrays)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-14, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_once_is_enough(case: str):
    once = separate_versions(program(HEAD + dedent(CASES[case][0])))
    assert separate_versions(once) == once
    assert shown(separate_versions(once)) == shown(once)
