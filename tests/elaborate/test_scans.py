"""What a round may read and write, and what it is told otherwise."""

from __future__ import annotations

import pytest

from tests.elaborate.answers import codes, errors, program, shape, statements

HEAD = "index i < 3, j < 3, t < 5\ninput x[t]\ninput z[i,j]\ninput n[t] in t\nlet lag = 2\n"


def scan(*lines: str, head: str = "scan t:") -> str:
    return HEAD + "\n".join([head, *(f"    {line}" for line in lines)]) + "\n"


@pytest.mark.parametrize(
    "lines",
    [
        ["h[t] = x[t] + (h[t-1] else 0)"],
        ["h[t] = x[t] + (h[t-1] else x[0])"],
        ["h[t] = x[t] + (h[t-lag] else 0)"],
        ["h[t] = x[t] + (h[t-3] else (h[t-1] else 1))"],
        ["for i: h[t] += x[t]*(h[t-1-i] else 1)"],
        ["h[t] = sum[i](h[t-2*i-1] else 1)"],
        ["h[t] = (g[t-1] else 0)", "g[t] = h[t] + x[t]"],
        ["h[t] = x[n[t]]"],
        ["for i,j: h[i,t] += z[i,j]*(h[j,t-1] else 1)", "for i: h[i,t] += x[t]"],
        ["h[t] = x[t]", "h[t] *= (h[t-1] else 1)", "s += h[t]", "m max= h[t]"],
        ["for i: c[i] += x[t]"],
        ["c[n[t]] += x[t]"],
        ["c[2*t] = x[t]"],
        ["h[t] = sum[t](x[t])"],
    ],
)
def test_what_a_round_may_do(lines: list[str]):
    program(scan(*lines))


def test_downward_the_later_round_is_the_earlier_one():
    program(scan("h[t] = x[t] + (h[t+1] else 0)", head="scan t down:"))
    assert codes(scan("h[t] = x[t] + (h[t-1] else 0)", head="scan t down:")) == ["E0423"]


@pytest.mark.parametrize(
    "read",
    [
        "(h[t+1] else 0)",
        "(h[t+lag] else 0)",
        "(h[t-lag+3] else 0)",
        "(h[2*t-t+1] else 0)",
        "sum[i](h[t-3+i] else 0)",
        "(h[2*t-9] else 0)",
        "(h[4-t] else 0)",
        "h[mod(t-1)]",
        "h[clamp(t-1)]",
        "h[n[t]]",
        "h[0]",
        "sum[t2](h[t2])",
        "max[t](h[t])",
        "h[floor(t/2)]",
        "(h[t-1+0*n[t]] else 0)",
        "(x[t-9] else (h[t+1] else 0))",
    ],
)
def test_a_later_round_in_any_disguise(read: str):
    found = errors(scan(f"h[t] = x[t] + {read}"))
    assert [item.code for item in found] == ["E0423"]
    assert "written here" in [label.text for label in found[0].labels]


def test_what_counts_is_the_axis_that_the_scan_writes():
    head = "index t3 < 5\nscan t:"
    program(scan("for t3: h[t,t3] = x[t] + (h[t-1,t] else 0)", head=head))
    assert codes(scan("for t3: h[t,t3] = x[t] + (h[t3,t-1] else 0)", head=head)) == ["E0423"]
    assert codes(scan("h[t] = x[t]", "g[t] = max[t](h[t])")) == ["E0423"]


def test_a_round_reads_its_own_values_once_they_are_written():
    program(scan("g[t] = x[t]", "h[t] = g[t]"))
    assert codes(scan("h[t] = g[t]", "g[t] = x[t]")) == ["E0410"]
    assert codes(scan("h[t] = h[t] + x[t]")) == ["E0410"]
    assert codes(scan("h[t] = sum[i](h[t-i] else 0)")) == ["E0410"]


def test_writing_behind_and_ahead():
    program(scan("(h[t-1] else 0) += x[t]", head="h[t] = 0\nscan t:"))
    head = "h[t] = 0\nscan t:"
    program(scan("g[t] = (h[t-2] else 0)", "(h[t-1] else 0) += x[t]", head=head))
    assert codes(scan("g[t] = (h[t-2] else 0)", "(h[4-t] else 0) += x[t]", head=head)) == ["E0425"]
    found = codes(scan("g[t] = h[t]", "(h[t-1] else 0) += x[t]", head="h[t] = 0\nscan t:"))
    assert found == ["E0423"]
    found = codes(scan("g[t] = h[t-1] else 0", "(h[t-1] else 0) += x[t]", head="h[t]=0\nscan t:"))
    assert found == ["E0408"]
    program(scan("g[t] = h[t]*x[t]", "(h[t+1] else 0) += g[t]", head="h[t] = 1\nscan t:"))
    found = codes(scan("g[t] = h[t]*x[t]", "h[t] += g[t]", head="h[t] = 1\nscan t:"))
    assert found == ["E0408"]


@pytest.mark.parametrize(
    "lines",
    [
        ["f[t+1] = x[t]*f[t+0]"],
        ["f[t+1] = x[t]*(f[t-1] else 1)"],
        ["f[t+2] = x[t] + f[t+1]*f[t+0]"],
        ["for i,j: f[i,t+1] += z[i,j]*f[j,t+0]"],
        ["for i,j: f[i,t+1] += z[i,j]*f[j,t+0]", "for i: f[i,t+1] += x[t]"],
        ["f[t+1] = x[t]*f[t+0]", "s[t] = f[t+1]"],
    ],
)
def test_a_round_that_writes_ahead_reads_what_is_there_by_then(lines: list[str]):
    program(scan(*lines))
    read = "for i: g[i,t] = f[i,t+2] else 0" if "i" in lines[0] else "g[t] = f[t+3] else 0"
    assert codes(scan(*lines, read)) == ["E0423"]


def test_a_round_that_writes_ahead_has_not_written_yet():
    assert codes(scan("f[t+1] = x[t] + f[t+1]")) == ["E0410"]
    assert codes(scan("f[t+1] = x[t]", "f[t+1] += f[t+1]")) == ["E0408"]


def test_without_the_index_a_round_only_accumulates():
    assert codes(scan("s = x[t]")) == ["E0425"]
    assert codes(scan("s += x[t]", "h[t] = s")) == ["E0425"]
    assert codes(scan("s += x[t]", "s *= x[t]")) == ["E0425"]
    assert codes(scan("s += x[t]", "s max= x[t]")) == ["E0425"]
    program(scan("s += x[t]", "s -= x[t]") + "y = s\n")


def test_outer_rounds_come_first():
    nested = HEAD + "scan i:\n    scan j: d[i,j] = z[i,j] + {}\n"
    for read in (
        "(d[i-1,j] else 0)",
        "(d[i,j-1] else 0)",
        "(d[i-1,j+1] else 0)",
        "sum[k](d[i-1,k] else 0)",
        "(d[i-2,0] else 0)",
    ):
        program(nested.format(read))
    for read in ("(d[i,j+1] else 0)", "(d[i+1,j-1] else 0)", "sum[k](d[i,k])", "(d[j,i] else 0)"):
        assert codes(nested.format(read)) == ["E0423"]


def test_an_inner_accumulation_is_read_by_the_outer_round():
    program(HEAD + "scan i:\n    scan j: s[i] += z[i,j]*(s[i-1] else 1)\n    r[i] = s[i]\n")
    assert codes(
        HEAD + "scan i:\n    scan j:\n        s[i] += z[i,j]\n        d[i,j] = s[i]\n"
    ) == ["E0425"]


def test_the_head_of_a_scan():
    assert codes(HEAD + "scan x: s += 1\n") == ["E0208"]
    assert codes(HEAD + "scan lag: s += 1\n") == ["E0208"]
    assert codes(HEAD + "scan q: s += 1\n") == ["E0302"]
    assert codes(HEAD + "scan t:\n    scan t: s += x[t]\n") == ["E0403"]
    assert codes(scan("for t: h[t] = x[t]")) == ["E0403"]
    assert codes(scan("for t,i: h[t,i] = x[t]*z[i,0]")) == ["E0403"]
    assert codes(scan("h[t] = softmax[t](x[t])")) == ["E0403"]


def test_a_loop_list_leaves_the_index_of_the_scan_out():
    text = scan("h[i,t] += z[i,j]*x[t]", "for i: g[i,t] = h[i,t]")
    assert statements(text) == [
        "scan t:",
        "    for i,j: h[i,t] += z[i,j]*x[t]",
        "    for i: g[i,t] = h[i,t]",
    ]


def test_what_is_carried_has_the_axis_of_the_scan():
    text = scan("for i: h[i,t] = x[t]*i")
    assert shape(text, "h") == ["3", "5"]


def test_a_draw_of_every_round_is_drawn_before():
    text = scan("for i: m[i,t] ~ normal(0, 1)", "for i: h[i,t] = m[i,t]*(h[i,t-1] else 0)")
    assert statements(text)[0] == "for i,t: m[i,t] ~ normal(0, 1)"


def test_the_objective_has_a_value_where_it_is_named():
    assert codes(HEAD + "minimize L\nL = x[0]\n") == ["E0410"]
