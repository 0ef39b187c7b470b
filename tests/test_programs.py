"""Every file in programs/ does what its header expects, on every backend.

A header says `# expect: h[0,1] = 3/4` of an element at the final params (cotangents
too), or `# expect: holdout accuracy >= 0.96` of what training reports. The right side
is a constant expression of the language.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import einbatch as eb
from einbatch.cli.main import main
from einbatch.syntax.spelling import key_of

PROGRAMS = Path(__file__).parent.parent / "programs"
FILES = sorted(PROGRAMS.glob("*.ein"))
EXPECT = re.compile(
    r"# expect: (?:(train|holdout) )?([^\s\[]+)(?:\[([0-9,]*)\])? (=|<=|>=) (.+)", re.MULTILINE
)
HEAVY = {"digits", "batch_size"}
"""Programs on real data: too much for the loop nest, which runs a small part of it."""


class Expectation(NamedTuple):
    """One line of a header."""

    part: str
    name: str
    element: tuple[int, ...]
    relation: str
    value: float

    def holds_of(self, found: float, tolerance: float) -> bool:
        match self.relation:
            case "=":
                return found == pytest.approx(self.value, rel=tolerance, abs=tolerance)
            case "<=":
                return found <= self.value
            case _:
                return found >= self.value


def expectations(path: Path) -> list[Expectation]:
    found = EXPECT.findall(path.read_text("utf-8"))
    return [
        Expectation(
            part,
            key_of(name),
            tuple(int(k) for k in element.split(",") if k),
            relation,
            float(eb.parse(f"v = {value}", dtype="float64").forward()["v"]),
        )
        for part, name, element, relation, value in found
    ]


def outcome(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `einbatch run --json` prints, and every tensor."""
    out = tmp_path / "o.npz"
    grad = ["--grad"] if "minimize" in path.read_text("utf-8") else []
    assert main(["run", str(path), "--json", "--out", str(out), *grad, *options]) == 0
    with np.load(out) as values:
        return json.loads(capsys.readouterr().out), dict(values)


def test_the_programs_are_there():
    assert {path.stem for path in FILES} >= {
        *("digits", "lecture", "by_hand", "batch_learning", "batch_size"),
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_header(path: Path, backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    expected = expectations(path)
    assert len(expected) == path.read_text("utf-8").count("# expect") > 0
    if backend == "loops" and path.stem in HEAVY:
        pytest.skip("see test_real_data_on_the_loop_nest")
    found, values = outcome(path, tmp_path, capsys, "--backend", backend)
    tolerance = 1e-12 if eb.load(path).dtype == "float64" else 2e-6
    for item in expected:
        if item.part == "":
            value = float(values[item.name][item.element])
        elif item.name == "loss":
            value = found["loss" if item.part == "train" else "holdout_loss"]
        else:
            value = found["reports"][item.part][item.name]
        assert item.holds_of(value, tolerance), (item, value)


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_real_data_on_the_loop_nest(name: str):
    with np.load(PROGRAMS / "data" / "digits.npz") as digits:
        data = {key: digits[key][:6] for key in ("image", "label")}
    results = [
        eb.load(PROGRAMS / f"{name}.ein", set=None, dtype="float64", backend=backend).fit(
            data, epochs=1, batch=4
        )
        for backend in ("numpy", "loops")
    ]
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-12)
    for key, value in results[0].params.items():
        assert np.allclose(value, results[1].params[key], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_program_is_free_of_warnings(path: Path):
    assert eb.load(path).warnings == []


def test_the_lectures_backward_statements():
    text = str(eb.load(PROGRAMS / "lecture.ein").derive(wrt=("x",)))
    assert "for b,i,j: x.grad[b,i] += h̃.grad[b,j]*W⁰[j,i]\n" in text
    assert "for b,i,j: W⁰.grad[j,i] += 1/B*h̃.grad[b,j]*x[b,i]\n" in text


def test_the_noise_falls_with_the_batch(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(PROGRAMS))
    import batch_size  # pyright: ignore[reportMissingImports]

    one, sixteen, many = batch_size.measure(sizes=(1, 16, 256), minibatches=60)
    assert sixteen.noise == pytest.approx(one.noise / 4, rel=0.2)
    assert many.noise == pytest.approx(one.noise / 16, rel=0.2)
    assert one.one_step == pytest.approx(one.many_steps)
    assert many.one_step < one.one_step < many.many_steps / 4
