"""Extents by unification: what each index and each axis comes to."""

import pytest

from einbatch.elaborate.show_extent import show
from einbatch.ir import Extent, Number
from tests.elaborate.checked import checked, codes_of, findings


def shown(text: str, name: str) -> str:
    """The extent of an index as a person writes it."""
    return show(checked(text).index(name).extent)


def axes(text: str, tensor: str) -> list[str]:
    return [show(extent) for extent in checked(text).tensor(tensor).extents]


@pytest.mark.parametrize(
    ("text", "name", "extent"),
    [
        ("index i < 3\nh[i] = 1\n", "i", "3"),
        ("index r, c < 8\nh[r,c] = 1\n", "c", "8"),
        ("let J = 4\nindex j < 2*J + 1\nh[j] = 1\n", "j", "9"),
        ("let J = 7\nindex j < floor(J/2)\nh[j] = 1\n", "j", "3"),
        ("index k < 10^12\ns = |k|\n", "k", "1000000000000"),
        ("index k < |i|^2, i < 3\ns = |k|\n", "k", "9"),
        ("input x[i] = [4, 5]\n", "i", "2"),
        ("param W[i,j] = [[1, 2, 3]]\n", "i", "1"),
        ("input x[i]\n", "i", "i"),
        ("batch b < B\ninput x[b]\n", "b", "B"),
        ("batch b\ninput x[b]\n", "b", "b"),
        ("batch b < B\nindex m < 2*B\ninput x[b]\nh[m] = 1\n", "m", "2*B"),
        ("batch b\nindex m < |b|\ninput x[b]\nh[m] = 1\n", "m", "b"),
        ("index q < |k|\ninput x[k]\nh[q] = 1\n", "q", "k"),
        ("let n = |i|\nindex m < n - 1\ninput x[i]\nh[m] = 1\n", "m", "i-1"),
        ("index i < N, j < N\ninput x[i]\nh[j] = 1\n", "j", "N"),
    ],
)
def test_the_extent_of_an_index(text: str, name: str, extent: str):
    assert shown(text, name).replace(" ", "").strip("()") == extent


def test_two_indices_share_an_extent_where_they_meet():
    text = "index q < 5\ninput x[q]\nh[q] = x[q]\ns = sum[k](h[k])\n"
    assert shown(text, "k") == "5"
    text = "input x[q,d]\nfor q,k,d: A[q,k] += x[q,d]*x[k,d]\n"
    assert axes(text, "A") == ["q", "q"]
    assert checked(text).index("k").extent == Extent("q")


def test_an_axis_takes_its_extent_from_whatever_runs_over_it():
    assert axes("index i < 3\ninput x[i]\nfor i: y[i] = x[i]\n", "y") == ["3"]


def test_the_extent_of_an_axis_that_is_scattered_to():
    text = "index k < 10\ninput t[b] in k\ncount[t[b]] += 1\n"
    assert axes(text, "count") == ["10"]


def test_extents_by_name():
    program = checked("batch b < B\nindex i < N, j < N\ninput x[b,i]\ny[j] = N\n")
    assert dict(program.extents) == {"B": Extent("B"), "N": Extent("N")}
    assert program.index("i").extent == program.index("j").extent == Extent("N")
    assert checked("index i < N, j < N\nN2 = N\ninput x[i] = [1, 2]\n").index("j").extent == Number(
        2
    )


def test_a_number_for_the_batch_is_a_default_and_no_bound():
    program = checked("batch b < 4\nh[b] = 1\n")
    assert program.index("b").extent == Extent("b")


@pytest.mark.parametrize(
    "text",
    [
        "index i < 3, j < 1\ninput x[i]\ninput y[j]\nz[i] = x[i] + y[i]\n",
        "index i < 1\ninput x[i] = [1, 2]\n",
        "input x[i] = [1]\ninput y[i] = [1, 2]\n",
        "index i < 3, j < 4\ninput x[i]\nh[i] = x[i]\ns = sum[j](h[j])\n",
        "batch b < B\nindex m < 2*B, n < B*3\ninput x[m]\ninput y[n]\nz[m] = x[m] + y[m]\n",
        "index i < 3\nindex k < |i|\ninput x[k] = [1, 2]\n",
        "index j < 4\nparam W[i] = [1, 2]\nh[j] = W[j]\n",
    ],
)
def test_conflicts(text: str):
    (found,) = findings(text)
    assert found.code == "E0203"
    assert len({(label.span.start, label.span.end) for label in found.labels}) >= 2


@pytest.mark.parametrize(
    "text",
    [
        "batch b < B\nindex m < 2*B, n < B + B\ninput t[b]\nx[m] = 1\nx[n] += 1\n",
        "index m < (|i| + 1)*2, n < 2 + 2*|i|\ninput x[i]\nh[m] = 1\nh[n] += 1\n",
        "index i < 3, j < 6/2\nh[i] = 1\nh[j] += 1\n",
        "index m < |i|*|j|, n < |j|*|i|\ninput x[i,j]\nh[m] = 1\nh[n] += 1\n",
    ],
)
def test_extents_that_are_equal_whatever_the_data(text: str):
    checked(text)


def test_every_conflict_is_shown():
    text = "index i < 3, j < 4, k < 5\nh[i] = 1\nh[j] += 1\nh[k] += 1\nindex l < 0, m < 1/2\n"
    assert sorted(codes_of(text)) == ["E0203", "E0203", "E0301", "E0301"]


def test_a_chain_of_constants_may_be_as_long_as_the_file_and_in_any_order():
    lines = [f"let a{k} = a{k + 1} + 1" for k in range(2000)]
    assert (
        shown("\n".join([*lines, "let a2000 = 1", "index i < a0", "h[i] = 1", ""]), "i") == "2001"
    )
    chain = ", ".join(f"i{k} < |i{k + 1}| + 1" for k in range(2000))
    assert shown(f"index {chain}, i2000 < 1\nh[i0] = 1\n", "i0") == "2001"


def test_constants_that_double_are_computed_once_each():
    lines = ["let a0 = 1", *(f"let a{k + 1} = a{k} + a{k}" for k in range(60))]
    assert shown("\n".join([*lines, "index i < a60", "s = |i|", ""]), "i") == str(2**60)


def test_constants_of_data_may_not_double_for_ever():
    lines = ["input x[i]", "let a0 = |i|", *(f"let a{k + 1} = a{k} + a{k}" for k in range(200))]
    assert codes_of("\n".join([*lines, ""])) == ["E0306"]


def test_a_circle_is_one_error():
    assert codes_of("index i < |j| + 1, j < |k| + 1, k < |i| + 1\nh[i] = 1\n") == ["E0303"]


@pytest.mark.parametrize(
    ("extent", "code"),
    [
        ("0", "E0301"),
        ("-3", "E0301"),
        ("7/2", "E0301"),
        ("3.0", "E0301"),
        ("inf", "E0301"),
        ("inf - inf", "E0301"),
        ("1/0", "E0305"),
        ("9^9^9^9", "E0306"),
        ("x", "E0304"),
        ("2*K", "E0202"),
    ],
)
def test_what_is_no_extent(extent: str, code: str):
    assert codes_of(f"input x\nindex i < {extent}\nh[i] = 1\n") == [code]


@pytest.mark.parametrize(
    "text",
    [
        "batch b < 2*|i|\ninput x[b]\ninput y[i]\n",
        "batch b < B\nindex m < B + 1\ninput x[b]\ny[b] = x[b]\nz[m] = y[m]\n",
    ],
)
def test_the_batch_extent_follows_from_nothing(text: str):
    assert codes_of(text) == ["E0313"]


def test_params_and_states_have_no_batch_axis():
    text = "batch b < B\nindex m < B + 1\ninput x[b]\nparam W[m] = 0\nstate v[b] = 0\n"
    assert codes_of(text) == ["E0308", "E0308"]
    checked("batch b < 4\nindex i < 4\ninput x[b]\nparam W[i] = 0\n")
