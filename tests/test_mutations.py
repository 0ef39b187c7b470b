"""Wrong programs of every kind end in diagnostics: never in a traceback, a hang, or without bound.

Programs that ship are broken at random, read, derived and, where they still are
programs, stepped once on small data. `EINBATCH_MUTATIONS` sets how many.
"""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.ir import Program, Tensor, evaluate_constant

ROOT = Path(__file__).parent.parent / "programs"
FILES = sorted(ROOT.glob("*.ein")) + sorted(ROOT.glob("*/*.ein"))
COUNT = int(os.environ.get("EINBATCH_MUTATIONS", "10000"))
PARTS = 20
SECONDS = 20
TOKEN = re.compile(r"[^\W\d]\w*(?:\.grad\d*)?|\d+(?:\.\d+)?|\s+|[<>=!+*/-]=|.", re.DOTALL)
WORDS = [
    *("for", "scan", "index", "param", "input", "state", "let", "batch", "minimize", "if", "else"),
    *("sum", "softmax", "max", "log", "exp", "stop", "def", "in", "~", "=", "+=", "*=", "max="),
    *("(", ")", "[", "]", ",", ":", "|", "^", "/", "-", "<", "0", "1", "2", "3.5", "1e999"),
    *("10^12", "-1", "0/0", "W", "x", "b", "i", "j", "h", "T.grad", "ŷ", "W⁰", "ᵀ", "²", "Σ_i"),
    *("\n", "\n    ", "\t", "#", '"', "\x00", "é", "∞", "{", "}", ";", "$"),
]


def mutated(text: str, draws: random.Random) -> str:
    """The text with one to three of its tokens changed."""
    tokens = TOKEN.findall(text)
    for _ in range(draws.randint(1, 3)):
        at = draws.randrange(len(tokens))
        match draws.randrange(7):
            case 0:
                del tokens[at : at + draws.randint(1, 4)]
            case 1:
                tokens.insert(at, tokens[at])
            case 2:
                other = draws.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = draws.choice(WORDS)
            case 4:
                tokens.insert(at, draws.choice(WORDS))
            case 5:
                tokens[at] = draws.choice(tokens)
            case _:
                if draws.random() < 0.1:
                    tokens = tokens[:at]
                else:
                    tokens[at] = tokens[at][:-1] or "9"
        tokens = tokens or [" "]
    return "".join(tokens)


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fails where the block takes longer."""

    def late(number: int, frame: object) -> None:
        del number, frame
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def small_data(program: Program, inputs: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
    """Arrays for the inputs that the file does not give, where they are small."""
    sizes = dict.fromkeys([*(i.name for i in program.indices), *dict(program.extents)], 3)
    found: dict[str, np.ndarray] = {}
    for tensor in inputs:
        shape = tuple(int(evaluate_constant(e, {}, sizes)) for e in tensor.extents)
        if tensor.initial is None and np.prod(shape, dtype=float) < 10_000:
            kind = np.int64 if tensor.integer else np.float64
            found[tensor.name] = np.zeros(shape, kind)
    return found


def read_and_step(text: str) -> bool:
    """True where the text is a program that runs; EinbatchError is the only other end."""
    try:
        model = eb.parse(text, folder=ROOT)
        assert isinstance(model.warnings, list)
        data = small_data(model.program, model.inputs)
        if model.program.objective is None:
            model.forward(model.init(data=data), data)
        else:
            assert str(model.backward)
            params = model.init(data=data)
            model.value_and_grad(params, data)
            if model.program.train is not None:
                model.step(params, None, data)
    except eb.EinbatchError as error:
        assert str(error)
        return False
    return True


@pytest.mark.parametrize("part", range(PARTS))
def test_a_broken_program_is_told_so(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EINBATCH_MEMORY", "2MiB")
    draws = random.Random(part)
    texts = [path.read_text("utf-8") for path in FILES]
    short = [text for text in texts if len(text) < 2500]
    running = 0
    for number in range(COUNT // PARTS):
        text = mutated(draws.choice(short), draws)
        try:
            with limited(SECONDS):
                running += read_and_step(text)
        except BaseException as error:
            error.add_note(f"mutation {number} of part {part}:\n{text}")
            raise
    assert 0 < running < COUNT // PARTS
