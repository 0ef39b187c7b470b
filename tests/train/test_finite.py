"""The first NaN or infinity: which statement, which element, of what; and not too early."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.train.loop import Silent

HEAD = "batch b < B\nindex i < 3\ninput x[b,i]\nparam W[i] = 1\n"
X = np.array([[1.0, 2, 3], [4, 5, 6]])


def stopped(text: str, backend: str = "numpy", x: np.ndarray = X, **options: object) -> str:
    """The error that a training ends with: its first line, and what its place is told."""
    model = eb.parse(text, backend=backend)
    with pytest.raises(eb.EinbatchError) as caught:
        model.fit(x=x, **options)  # type: ignore[arg-type]
    (item,) = caught.value.diagnostics
    return f"{item.code} {item.message}; {item.labels[0].text}"


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            "for b,i: g[b] += W[i]*x[b,i]\nfor b: h[b] = exp(40*g[b])\nfor b: loss[b] = h[b]^2\n"
            "minimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `h\[[01]\]` infinite; with g\[[01]\] = (6|15)",
        ),
        (  # an accumulation: the point at which it overflows
            "for b,i: loss[b] += W[i]*x[b,i]*10^38\nminimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `loss\[[01]\]` infinite; with W\[[012]\] = 1, x\[[01],[012]\] =",
        ),
        (  # the second statement of an accumulation
            "for b,i: s[b] += W[i]*x[b,i]\nfor b: s[b] -= log(x[b,0] - 1)\nfor b: loss[b] = s[b]\n"
            "minimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `s\[[01]\]` infinite; with x\[[01],0\] = 1",
        ),
        (  # infinity less infinity
            "for b: u[b] = exp(W[0]*1000)\nfor b: loss[b] = u[b] - u[b]\n"
            "minimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `u\[0\]` infinite; with W\[0\] = 1",
        ),
        (  # an infinity that is meant is not what made the NaN
            "for b,i: s[b,i] = -inf\nfor b,i: P[b,i] = softmax[i](s[b,i] + W[i])\n"
            "for b: loss[b] = -log(P[b,0])\nminimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `(P|P_\w+|loss)\[0(,0)?\]` NaN; with .*-inf",
        ),
        (  # the backward statement
            "for b: loss[b] = sqrt((W[0] - 1)^2) + sum[i](x[b,i]*W[i])\nminimize loss\n"
            "train adam(lr=0.1)",
            r"E0820 update 1 makes `\S+\.grad\[?.*\]?` (infinite|NaN); by `.*\.grad.*`, with ",
        ),
        (  # an update statement that reads what one before it wrote
            "for b: loss[b] = sum[i]((W[i]*x[b,i])^2)\nminimize loss\nstate n = 2\n"
            "n -= 1\nfor i: W[i] = W[i]/n\ntrain batch=2, epochs=4",
            r"E0820 update 2 makes `W\[0\]` infinite; with W\[0\] = 1, n = 0",
        ),
        (  # a rule that the file does not hold
            "for b: loss[b] = sum[i](x[b,i]*W[i])\nminimize loss\ntrain sgd(lr=1e38), epochs=9",
            r"E0820 update \d makes `W\[\d\]` infinite; by `for i: W\[i\] -= ",
        ),
        (  # a scan: the round
            "scan i:\n    for b: h[b,i] = exp((h[b,i-1] else x[b,0]*W[0])*30)\n"
            "for b: loss[b] = h[b,2]\nminimize loss\ntrain sgd(lr=0.1)",
            r"E0820 update 1 makes `h\[[01],1\]` infinite; by `.*exp.*`, with ",
        ),
        (  # a scan of updates: what a round before made
            "for b: loss[b] = sum[i]((W[i]*x[b,i])^2)\nminimize loss\n"
            "scan i:\n    u[i] = exp(90*((u[i-1] else 0) + i))\n    W[i] -= u[i]\n"
            "train batch=2",
            r"E0820 update 1 makes `u\[1\]` infinite; with u\[0\] = 1",
        ),
    ],
)
def test_the_statement_the_element_and_its_values(lines: str, said: str, backend: str):
    found = stopped(HEAD + lines + "\n", backend)
    assert re.match(said, found), found


def test_data_that_are_not_finite():
    text = HEAD + "for b: loss[b] = sum[i](W[i]*x[b,i])\nminimize loss\ntrain sgd(lr=0.1)\n"
    x = X.copy()
    x[1, 2] = np.nan
    assert stopped(text, x=x, batch=1, seed=1) in [
        f"E0821 update {k} reads `x[0,2]`, which is NaN; declared here" for k in (1, 2)
    ]


LATE = (
    "for b: loss[b] = sum[i]((W[i]*x[b,i])^2)\nminimize loss\n"
    "for i: W[i] = W[i]/(400 - step)\ntrain batch=1, epochs=1000, seed=2\n"
)


def test_only_the_first_updates_are_watched_unless_all_are_or_none():
    model = eb.parse(HEAD + LATE.replace("400", "55"))
    with pytest.raises(eb.EinbatchError, match="update 55 makes `W"):
        model.fit(x=X, epochs=100)
    assert model.fit(x=X, epochs=100, check_finite=False).state["step"] == 200
    late = eb.parse(HEAD + LATE)
    assert late.fit(x=X, epochs=500).state["step"] == 1000
    with pytest.raises(eb.EinbatchError, match="update 400 makes `W"):
        late.fit(x=X, epochs=500, check_finite=True)


@pytest.mark.parametrize("count", [0, 30])
def test_the_update_is_the_optimizers_own_and_draws_are_made_again(count: int):
    """`W` is bad one update before the loss would show it, long after the last copy."""
    lines = (
        "e[b] ~ uniform(0, 1)\nfor b: loss[b] = e[b]*x[b,0] + stop(W[0])*0\nminimize loss\n"
        "for i: W[i] = W[i] + (if step < 270 then 0 else exp(1000))\ntrain batch=1, epochs=200\n"
    )
    model = eb.parse(HEAD + lines)
    state = {"step": count}
    with pytest.raises(eb.EinbatchError, match="update 270 makes" if not count else "update 240 "):
        model.fit(x=X, state=state, params=model.init(), check_finite=True)


def test_a_branch_that_is_not_taken_is_not_blamed():
    text = (
        HEAD + "for b,i: l[b,i] = log(x[b,i])\n"
        "for b: y[b] = sum[i](if x[b,i] > 0 then l[b,i] else 0)\n"
        "for b: loss[b] = W[0]*y[b]/(x[b,1] - 2)\nminimize loss\ntrain sgd(lr=0.1), batch=1\n"
    )
    x = np.array([[0.0, 2, 3]])
    assert stopped(text, x=x).startswith("E0820 update 1 makes `loss[0]`")


def test_the_log_ends_with_the_reason_and_no_checkpoint_is_made_of_it(tmp_path: Path):
    model = eb.parse(HEAD + LATE.replace("400", "5"))
    with pytest.raises(eb.EinbatchError, match="update 5 makes"):
        model.fit(x=X, checkpoint=tmp_path, checkpoint_every=1)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries[-1] == {"event": "end", "reason": "not finite", "step": 5}
    assert entries[-2]["step"] == 5
    names = sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*"))
    assert names[-1] == "step-00000004"


class Bare(Silent):
    """A progress of the caller's own."""


def test_a_training_that_stays_finite_is_as_it_was():
    text = HEAD + "for b: loss[b] = sum[i]((W[i]*x[b,i])^2)\nminimize loss\ntrain adam(lr=0.01)\n"
    results = [
        eb.parse(text).fit(x=X, batch=1, epochs=300, check_finite=check, progress=Bare())
        for check in (True, False, None)
    ]
    assert all((r.params["W"] == results[0].params["W"]).all() for r in results)
