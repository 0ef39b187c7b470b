"""The language, section 9: errors, warnings, limits."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import command, on_file, refusal

MISTAKES = "y = a\nindex i < 3\nfor i: w = 3\nz[i] = y2\n"


def test_errors_show_code_place_line_carets_every_place_and_one_help():
    code, out, err = on_file("index i < 3\ninput x[i] = [1, 2]\n", "check")
    assert (code, out) == (1, "")
    assert "error[E0203]: " in err
    assert "model.ein:2:14\n" in err
    assert "model.ein:1:11\n" in err
    assert " 2 | input x[i] = [1, 2]\n" in err
    assert "^^^^^^ 2 here" in err
    assert err.count("help: ") == 1


def test_carets_stand_under_wide_and_combined_letters():
    said = refusal("input h̃ = 1\ny = h̃ + 宽\n")
    line, carets = said.splitlines()[3:5]
    assert "宽" in line
    assert "^^" in carets


def test_all_errors_are_shown_and_after_a_syntax_error_only_that():
    said = on_file(MISTAKES, "check").err
    assert said.count("error[") == 3
    assert on_file(f"{MISTAKES}y = (\n", "check").err.count("error[") == 1


def test_explain_tells_the_long_story():
    code, out, _ = command("explain", "E0203")
    assert code == 0
    assert "E0203" in out
    assert len(out.splitlines()) > 5


def test_every_code_that_is_met_here_has_a_page():
    for text in (MISTAKES, "y = (", "y = 1e999", "for i: y = 1", "y[i] = x[i]", "x = 1\nx = 2"):
        said = refusal(text)
        for code in {part[:5] for part in said.split("error[")[1:]}:
            assert command("explain", code).code == 0, code


@pytest.mark.parametrize(
    ("text", "code", "number"),
    [
        ("y = " + "(" * 250 + "1" + ")" * 250, 3, "200"),
        ("y = " + "-" * 250 + "1", 3, "200"),
        ("y = " + "^".join(["2"] * 250), 3, "200"),
        ("# " + "x" * (4 << 20), 3, "4 MiB"),
        ("index i < 10^12\ny[i] = 1", 3, "EINBATCH_MEMORY"),
        ("y = 1e999", 1, "1.8e308"),
        ("let a = 9^9^9^9\ny = a", 1, "overflows"),
        ("index i < 9^9^9^9\ny[i] = 1", 1, "overflows"),
    ],
)
def test_limits_are_errors_with_the_number(text: str, code: int, number: str):
    outcome = on_file(text + "\n", "run")
    assert outcome.code == code
    assert number in outcome.err
    assert "Traceback" not in outcome.err
    assert on_file(text + "\n", "check").code == 1


def test_a_long_flat_sum_is_not_nesting():
    assert eb.parse("y = " + " + ".join(["1"] * 3000)).forward()["y"] == 3000
    assert eb.parse("y = " + "*".join(["1"] * 3000)).forward()["y"] == 1


def test_a_power_tower_does_not_hang():
    assert on_file("y = 9^9^9^9\n", "run").code in (0, 1)


@pytest.mark.parametrize("name", ["a.npz", "a.csv", "a.npy", "missing.npz"])
def test_bad_data_are_no_traceback(tmp_path, name: str):
    if name != "missing.npz":
        (tmp_path / name).write_bytes(b"\x00\x01 nothing, that\n1,2,x\n")
    path = tmp_path / "m.ein"
    path.write_text(f'batch b\ninput x[b] from "{name}"\ny = sum[b](x[b])\n')
    outcome = command("run", path)
    assert outcome.code == 1
    assert outcome.err.startswith("error[")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"y = \x00", b"", b"\n\n", b"y = 1\r"])
def test_odd_files_are_no_traceback(tmp_path, content: bytes):
    path = tmp_path / "m.ein"
    path.write_bytes(content)
    for verb in ("check", "run", "fmt", "grad"):
        outcome = command(verb, path)
        assert outcome.code in (0, 1)


@pytest.mark.parametrize(
    "data", [{"x": "text"}, {"x": [[1, 2], [3]]}, {"x": None}, {"x": [1.0], "z": [2]}, {}, {"x": 3}]
)
def test_data_that_do_not_fit_are_errors(data: dict):
    model = eb.parse("batch b\ninput x[b]\ny = sum[b](x[b])")
    with pytest.raises(eb.EinbatchError) as caught:
        model.forward(data=data)
    assert "help: " in str(caught.value)


def test_not_a_number_in_data_is_a_number_like_any_other():
    assert np.isnan(eb.parse("batch b\ninput x[b]\ny = sum[b](x[b])").forward(x=[np.nan])["y"])


def test_integers_in_the_file_are_checked_like_bound_ones():
    head = "index i < 3\ninput t[i] in i = "
    for literal in ("[0, 1, 1/2]", "[0, 1, 3]", "[0, -1, 2]"):
        with pytest.raises(eb.EinbatchError):
            eb.parse(f"{head}{literal}\ny[i] = t[i]").forward()
