"""Ranges of indices that computed subscripts fix, and axes that they reach."""

from __future__ import annotations

import pytest

from tests.elaborate.answers import codes, errors, extents, program, shape, statements

HEAD = "index t < 10, k < 3\ninput x[t]\ninput K[k]\n"


@pytest.mark.parametrize(
    ("subscript", "range_of_p"),
    [
        ("p", "10"),
        ("p+0", "10"),
        ("p+1", "9"),
        ("p+9", "1"),
        ("p+k", "8"),
        ("p-k+2", "8"),
        ("2*p", "5"),
        ("2*p+1", "5"),
        ("2*p+2", "4"),
        ("3*p+2*k", "2"),
        ("9-p", "10"),
        ("4-p", "5"),
        ("9-2*p", "5"),
        ("|t|-1-p", "10"),
        ("|t|-|k|-p", "8"),
        ("-p", "1"),
        ("p+p", "5"),
        ("2*(p+k)", "3"),
    ],
)
def test_an_index_runs_over_all_that_stays_inside(subscript: str, range_of_p: str):
    free = "p,k" if "k" in subscript.replace("|k|", "") else "p"
    assert extents(f"{HEAD}y[{free}] = x[{subscript}]\n")["p"] == range_of_p


def test_the_smallest_range_of_several_accesses():
    text = HEAD + "input z[q]\nindex q < 6\ny[p] = x[p+2]*z[p+0] + x[2*p]\n"
    assert extents(text)["p"] == "5"
    text = HEAD + "y[p] = x[p+1]\nw[p] = x[p+4]\n"
    assert extents(text)["p"] == "6"


def test_ranges_follow_from_each_other():
    text = HEAD + "y[p] += K[k]*x[p+k]\nz[q] += K[k]*y[2*q+k]\n"
    assert extents(text) == {"t": "10", "k": "3", "p": "8", "q": "3"}


def test_ranges_of_data():
    text = "input x[t]\ninput K[k]\ny[p] += K[k]*x[p+k]\nz[q] = y[2*q+1]\n"
    assert extents(text)["p"] == "t-k+1"
    assert extents(text)["q"] == "floor((t-k-1)/2)+1"


def test_the_smaller_of_two_ranges_of_data():
    text = "input x[t]\ninput z[s]\ny[p] = x[p+1]*z[p+2]\n"
    assert extents(text)["p"] == "min(t-1, s-2)"


def test_a_part_of_a_longer_axis():
    text = "index i < 4, j < 9\ninput x[j]\ny[i] = x[i+0]\n"
    assert extents(text) == {"i": "4", "j": "9"}


def test_a_declared_index_keeps_its_extent():
    assert extents(HEAD + "index p < 2\ny[p] = x[p+3]\n")["p"] == "2"
    assert extents(HEAD + "y[k] = x[k+3]\n")["k"] == "3"


def test_guarded_wrapped_and_clamped_reads_bound_nothing():
    for subscript in ("(x[p+1] else 0)", "x[mod(p+1)]", "x[clamp(p+1)]"):
        assert codes(HEAD + f"y[p] = {subscript}\n") == ["E0302"]
        assert extents(HEAD + f"index p < 20\ny[p] = {subscript}\n")["p"] == "20"


def test_guarded_reads_do_not_shorten_a_range():
    assert extents(HEAD + "y[p] = x[p+4] + (x[p+8] else 0)\n")["p"] == "6"


@pytest.mark.parametrize(
    ("target", "extent"),
    [("2*t+1", "20"), ("t+k", "12"), ("|t|-1-t", "10"), ("3*t+k", "30"), ("t+5", "15")],
)
def test_an_axis_reaches_as_far_as_it_is_written(target: str, extent: str):
    value = "x[t]*K[k]" if "k" in target else "x[t]"
    assert shape(HEAD + f"T[{target}] += {value}\n", "T") == [extent]


def test_an_axis_that_has_an_extent_bounds_what_writes_it():
    text = HEAD + "index n < 20\nT[n] = 0\nT[2*t+1] += x[t]\n"
    assert shape(text, "T") == ["20"]
    assert codes(HEAD + "index n < 19\nT[n] = 0\nT[2*t+1] += x[t]\n") == ["E0311"]


def test_partial_writes_take_their_axis_from_elsewhere():
    text = HEAD + "T[t] = 0\n(T[2*t-3] else 0) += x[t]\n"
    assert shape(text, "T") == ["10"]
    assert statements(text)[-1] == "for t: (T[2*t-3] else 0) += x[t]"
    assert codes(HEAD + "(T[t+1] else 0) += x[t]\n") == ["E0302"]


@pytest.mark.parametrize("subscript", ["p+10", "p+15", "-p-1", "p-1", "p+k-1", "8+k-p-20"])
def test_no_value_of_the_index_stays_inside(subscript: str):
    free = "p,k" if "k" in subscript else "p"
    found = errors(HEAD + f"y[{free}] = x[{subscript}]\n")
    assert {item.code for item in found} <= {"E0312", "E0311"}
    assert len(found) == 1


def test_nothing_fixes_two_loose_indices_of_one_subscript():
    assert codes(HEAD + "y[p,q] = x[p+q]\n") == ["E0302", "E0302"]
    assert extents(HEAD + "index q < 4\ny[p,q] = x[p+q]\n")["p"] == "7"


def test_constants_and_their_overrides_count():
    text = "let stride = 2\nindex t < 10\ninput x[t]\ny[p] = x[stride*p+1]\n"
    assert extents(text)["p"] == "5"


@pytest.mark.parametrize("subscript", ["t+1", "2*t", "t-1", "t+k", "10", "-1", "|t|"])
def test_a_known_access_that_leaves_its_axis_is_an_error(subscript: str):
    assert codes(HEAD + f"y[t,k] = x[{subscript}] + K[k]\n") == ["E0311"]
    program(HEAD + f"y[t,k] = (x[{subscript}] else 0) + K[k]\n")


def test_what_only_data_tell_is_not_refused_before():
    assert extents("index i < 4\ninput x[t]\ny[i] = x[i+3]\n")["i"] == "4"


@pytest.mark.parametrize(
    ("second", "reach"),
    [("|i|+j", "i+j"), ("j+0", "max(i, j)"), ("|i|+2*j+3", "2*j+i+2")],
)
def test_an_axis_reaches_as_far_as_all_that_is_written_along_it(second: str, reach: str):
    text = f"input a[i]\ninput c[j]\nz[i+0] = a[i]\nz[{second}] += c[j]\ny[k] = z[k]\n"
    assert extents(text)["k"] == reach


def test_an_axis_reaches_as_far_as_the_farthest_write():
    head = HEAD + "h[0] += 1\n"
    assert shape(head + "for t: h[t+1] += x[t]\n", "h") == ["11"]
    assert shape(HEAD + "for t: h[t+1] += x[t]\nh[0] += 1\n", "h") == ["11"]
    assert shape(head + "input z[s]\nfor s: h[2*s] += z[s]\n", "h") == ["2*s-1"]
    assert shape("h[1] += 1\nh[3] += 1\nh[2] += 1\n", "h") == ["4"]
    text = "input x[t]\ninput z[s]\nfor t: h[t+1] += x[t]\nfor s: h[s+2] += z[s]\nh[4] += 1\n"
    assert shape(text, "h") == ["max(max(t+1, s+2), 5)"]
