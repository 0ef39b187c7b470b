"""What the acceptance tests of the language share: the public doors, and nothing behind them."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import einbatch as eb
from einbatch.cli.main import main

BACKENDS = ("numpy", "loops")


class Outcome(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Outcome:
    """A command line, in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def on_file(text: str, verb: str, *options: object) -> Outcome:
    """A verb on a file of this text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ein"
        path.write_text(text, encoding="utf-8")
        return command(verb, path, *options)


def formatted(text: str) -> str:
    """The canonical form; that it is its own canonical form is asserted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ein"
        path.write_text(text, encoding="utf-8")
        assert command("fmt", path) == Outcome(0, "", "")
        once = path.read_text(encoding="utf-8")
        assert command("fmt", "--check", path) == Outcome(0, "", "")
        return once


def value(expression: str, before: str = "") -> str:
    """An expression in canonical form, after other lines."""
    return formatted(f"{before}\nq_q = {expression}\n").splitlines()[-1].removeprefix("q_q = ")


def grad(text: str, *options: object) -> str:
    """What `einbatch grad` prints."""
    code, out, err = on_file(text, "grad", *options)
    assert (code, err) == (0, "")
    return out


def backward(text: str, *options: object) -> list[str]:
    """The derived statements behind the seed."""
    lines = [line.strip() for line in grad(text, *options).splitlines()]
    seed = next(k for k, line in enumerate(lines) if ".grad" in line)
    return lines[seed + 1 :]


def values(
    text: str,
    params: Mapping[str, object] | None = None,
    *,
    outputs: Collection[str] | None = None,
    **inputs: object,
) -> dict[str, np.ndarray]:
    """Every named tensor in float64, the same on both backends."""
    found = []
    for backend in BACKENDS:
        model = eb.parse(text, dtype="float64", backend=backend)
        found.append(model.forward(params, inputs, outputs=outputs))
    for name in found[0]:
        np.testing.assert_allclose(found[0][name], found[1][name], rtol=1e-12, atol=1e-12)
    return found[0]


def gradients(
    text: str, params: Mapping[str, object] | None = None, wrt: Collection[str] = (), **inputs
) -> tuple[float, dict[str, np.ndarray]]:
    """The objective and the cotangents in float64, the same on both backends."""
    found = []
    for backend in BACKENDS:
        model = eb.parse(text, dtype="float64", backend=backend)
        given = model.init(0, inputs) if params is None else params
        found.append(model.value_and_grad(given, inputs, wrt=wrt))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    for name in found[0][1]:
        np.testing.assert_allclose(found[0][1][name], found[1][1][name], rtol=1e-11, atol=1e-12)
    return found[0]


def refusal(text: str, **options) -> str:
    """What is said of a text that is no program."""
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse(text, **options)
    return str(caught.value)


def warnings(text: str) -> list[str]:
    """What is right, and probably not meant."""
    return [str(warning) for warning in eb.parse(text).warnings]


def places(message: str) -> int:
    """How many places of the text a message points at."""
    return message.count("--> ")
