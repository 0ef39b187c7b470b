"""Scatters count a target for every point of the loop nest."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb

REPEATED = """
index j < 2, i < 4, k < 3
input t in i
input x[k]
for j: g[j] = argmax[k](x[k])
for i,k: h[i,k] = 0
for j: h[t,g[j]] += 1
"""


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_an_index_that_the_subscripts_do_not_vary_with_counts(backend: str) -> None:
    model = eb.parse(REPEATED, backend=backend)
    wanted = np.zeros((4, 3))
    wanted[1, 1] = 2
    assert np.array_equal(model.forward({}, t=1, x=[1, 3, 2])["h"], wanted)


ONE_COLUMN = """
index v < 3
input w[b] in v
input x[b,i]
for v,i: h[v,i] = 0
for b,i: h[w[b],i] += x[b,i]
"""


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize("rows", [1, 4])
def test_rows_of_one_element(backend: str, rows: int) -> None:
    model = eb.parse(ONE_COLUMN, backend=backend)
    found = model.forward({}, w=[2, 0, 2, 2][:rows], x=np.ones((rows, 1)))["h"]
    assert np.array_equal(found, [[0], [0], [1]] if rows == 1 else [[1], [0], [3]])
