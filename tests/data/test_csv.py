"""Tables: what is read, and the line and column that each refusal names."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.data import load_all, load_source
from einbatch.diagnostics import EinbatchError

LIMIT = 1 << 20


@pytest.fixture
def table(tmp_path: Path) -> Callable[[str | bytes], Path]:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "t.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_integers_and_floats(table) -> None:
    arrays = load_all(table('i,f,"x, y",inf\n1,2,-3,nan\n\n+4,5.5,6e2,-inf\n'), LIMIT)
    assert arrays["i"].dtype == np.int64
    assert arrays["f"].dtype == np.float64
    assert arrays["i"].tolist() == [1, 4]
    assert arrays["f"].tolist() == [2, 5.5]
    assert arrays["x, y"].tolist() == [-3, 600]
    assert np.isnan(arrays["inf"][0])
    assert arrays["inf"][1] == -np.inf


def test_large_integers(table) -> None:
    arrays = load_all(table(f"a,b\n{2**63 - 1},{2**63}\n{-(2**63)},1\n"), LIMIT)
    assert arrays["a"].tolist() == [2**63 - 1, -(2**63)]
    assert arrays["b"].tolist() == [2.0**63, 1.0]


def test_byte_order_mark_crlf_spaces_and_no_last_newline(table) -> None:
    arrays = load_all(table(b"\xef\xbb\xbfa , \xc5\xb7\r\n 1,2\r\n3 ,4"), LIMIT)
    assert {name: column.tolist() for name, column in arrays.items()} == {
        "a": [1, 3],
        "ŷ": [2, 4],
    }


def test_no_rows(table) -> None:
    assert load_all(table("a,b\n"), LIMIT)["b"].shape == (0,)
    assert load_source(str(table("a,b\n")), None, "a", limit_bytes=LIMIT).shape == (0,)
    assert load_source(f"{table('a,b')}:a,b", None, "", limit_bytes=LIMIT).shape == (0, 2)


def test_a_name_with_a_comma_comes_first(table) -> None:
    path = table('a,b,"a,b"\n1,2,3\n')
    assert load_source(f"{path}:a,b", None, "", limit_bytes=LIMIT).tolist() == [3]
    assert load_source(f"{path}:b,a", None, "", limit_bytes=LIMIT).tolist() == [[2, 1]]


@pytest.mark.parametrize(
    ("content", "at", "reason"),
    [
        ("", "line 1", "there is no header row that names the columns"),
        ("\n1,2\n", "line 1", "there is no header row that names the columns"),
        ("1,2\n3,4\n", "line 1", "it holds numbers where the columns' names should be"),
        ("a,a\n1,2\n", "line 1", "2 columns are named `a`"),
        ("a,b\n1,2\n3\n", "line 3", "the header names 2 columns, this row has 1"),
        ("a,b\n1,2,3\n", "line 2", "the header names 2 columns, this row has 3"),
        ("a,b\n1,2\n3,x\n", "line 3, column `b`", "`x` is not a number"),
        ("a,b\n1,\n", "line 2, column `b`", "the cell is empty"),
        ("a\n1_000\n", "line 2, column `a`", "`1_000` is not a number"),
        ("a\n٣\n", "line 2, column `a`", "`٣` is not a number"),
        ("a\n1e999\n", "line 2, column `a`", "`1e999` is too large for a float64"),
        ("a\n0x10\n", "line 2, column `a`", "`0x10` is not a number"),
        ("a\n1\n\x00\n", "line 3, column `a`", "`�` is not a number"),
        ('a\n"1\n', "line 2", "unexpected end of data"),
        ('a\n"1"2\n', "line 2", "',' expected after '\"'"),
        (b"a\n1\n\xff\n", "after line 0", "the bytes are not UTF-8 text"),
        ("a\n" + "1" * 1_100_000, "line 2", "it is longer than 1,048,576 characters"),
        (
            "a\n" + "1" * 200_000 + "\n",
            "line 2",
            "field larger than field limit (131072)",
        ),
    ],
)
def test_refusals(content: str | bytes, at: str, reason: str, table, refusal) -> None:
    path = table(content)
    assert refusal(load_all, path, LIMIT) == (
        f"error[E0608]: `{path}`, {at}: {reason}\n"
        "  help: a table is a row of column names, then one number per column in every row"
    )


def test_columns_that_are_not_asked_for_may_hold_text(table, refusal) -> None:
    path = table("a,name\n1,iris\n")
    assert load_source(str(path), None, "a", limit_bytes=LIMIT).tolist() == [1]
    text = refusal(load_source, f"{path}:name", None, "a", limit_bytes=LIMIT)
    assert "line 2, column `name`: `iris` is not a number" in text


def test_too_large_for_the_allowance(table, refusal) -> None:
    path = table("a,b\n" + "1,2\n" * 100)
    assert load_source(str(path), None, "a", limit_bytes=800).shape == (100,)
    assert refusal(load_all, path, 800) == (
        f"error[E0710]: `{path}` takes more than 800 bytes from row 51 on,"
        " which is what the memory allowance leaves\n"
        "  help: allow more with EINBATCH_MEMORY, for example EINBATCH_MEMORY=8GiB, "
        "or cut the data to the part that is needed"
    )
    text = refusal(load_source, f"{path}:a,b,a", None, "", limit_bytes=2000)
    assert "has the shape [100,3], which takes 2,400 bytes" in text


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_floats_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "floats.csv"
    path.write_text("x\n" + "\n".join(map(repr, numbers)))
    assert load_all(path, LIMIT)["x"].tolist() == numbers


@given(st.binary(max_size=60))
def test_any_bytes_end_in_arrays_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.csv"
    path.write_bytes(b"a,b\n1,2\n" + noise)
    try:
        load_all(path, LIMIT)
    except EinbatchError as error:
        assert error.diagnostics[0].code == "E0608"
