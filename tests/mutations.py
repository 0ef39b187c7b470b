"""Wrong programs by the thousand: seeded mutations of right ones, and what einbatch makes of them.

Every case has to end in success or in an EinbatchError, soon, and in bounded memory.
"""

from __future__ import annotations

import math
import os
import random
import re
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.programs_of_everything import PROGRAMS

ROOT = Path(__file__).parent.parent
TOKEN = re.compile(r"\s+|[^\W\d][\w'.]*|\d+(?:\.\d+)?(?:e-?\d+)?|[-+*max]*=|.", re.DOTALL)
SECONDS = 10
"""How long one case may take; a hundred times what a right program takes."""
MOST_POINTS = 3_000
"""The largest index space that the loop nest is asked to walk."""
MOST_ELEMENTS = 20_000
"""The largest tensor of a case that is run; from `REFUSED` on, it must be refused."""
REFUSED = 10**8
POOL = [
    "\n+",
    "-",
    "*",
    "/",
    "^",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "+=",
    "-=",
    "*=",
    "max=",
    "min=",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "~",
    "|",
    "_",
    "²",
    "⁻¹",
    "·",
    "×",
    "−",
    "≤",
    "∞",
    "π",
    "'",
    '"',
    "#",
    ".",
    ";",
    "@",
    "\\",
    "$",
    "?\nfor",
    "scan",
    "down",
    "batch",
    "index",
    "let",
    "input",
    "param",
    "state",
    "dtype",
    "minimize",
    "maximize",
    "report",
    "train",
    "in",
    "from",
    "if",
    "then\nelse",
    "and",
    "or",
    "not",
    "def",
    "sum",
    "prod",
    "mean",
    "max",
    "min",
    "softmax",
    "log_softmax",
    "logsumexp",
    "argmax",
    "argmin",
    "exp",
    "log",
    "sqrt\nabs",
    "sign",
    "sin",
    "tanh",
    "sigmoid",
    "relu",
    "floor",
    "mod",
    "clamp",
    "erf",
    "stop",
    "step",
    "normal",
    "uniform",
    "glorot",
    "bernoulli",
    "training\ni",
    "j",
    "k",
    "b",
    "t",
    "x",
    "W",
    "loss",
    "h.grad",
    "W.grad",
    "W.grad2",
    "inf",
    "pi",
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "0.5",
    "1e3",
    "1e300",
    "10^12",
    "9^9^9^9",
    "1/0",
    "1/2",
    "|i|",
    "|b|\nΣ_i",
    "Σ_{i,j}",
    "softmax_k",
    "σ",
    "ŷ",
    "h̃",
    "W⁰",
    "x²",
    "ᵀ",
    "é",
    "中",
    "🙂",
    "\u200b",
    "\u202e",
    "\ufeff",
    "\t",
    "\r\n",
]


def right_programs() -> list[str]:
    """The texts that are mutated: those of the tests, and every shipped one."""
    shipped = sorted((ROOT / "programs").rglob("*.ein"))
    return [*PROGRAMS.values(), *(path.read_text(encoding="utf-8") for path in shipped)]


def mutated(text: str, chance: random.Random) -> str:
    """The text with one mutation or a few."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        text = chance.choice(MUTATIONS)(text, chance)
    return text


def _on_tokens(change: Callable[[list[str], random.Random], None]) -> Mutation:
    def mutation(text: str, chance: random.Random) -> str:
        tokens = TOKEN.findall(text) or [" "]
        change(tokens, chance)
        return "".join(tokens)

    return mutation


def _place(tokens: list[str], chance: random.Random) -> int:
    """A token that is no blank, where there is one."""
    solid = [k for k, token in enumerate(tokens) if not token.isspace()]
    return chance.choice(solid or [0])


def _delete(tokens: list[str], chance: random.Random) -> None:
    del tokens[_place(tokens, chance)]


def _duplicate(tokens: list[str], chance: random.Random) -> None:
    place = _place(tokens, chance)
    tokens.insert(place, tokens[place])


def _swap(tokens: list[str], chance: random.Random) -> None:
    a, b = _place(tokens, chance), _place(tokens, chance)
    tokens[a], tokens[b] = tokens[b], tokens[a]


def _swap_neighbours(tokens: list[str], chance: random.Random) -> None:
    a = _place(tokens, chance)
    b = min(a + 1, len(tokens) - 1)
    tokens[a], tokens[b] = tokens[b], tokens[a]


def _replace_by_another(tokens: list[str], chance: random.Random) -> None:
    tokens[_place(tokens, chance)] = tokens[_place(tokens, chance)]


def _replace_name(tokens: list[str], chance: random.Random) -> None:
    names = [k for k, token in enumerate(tokens) if token[:1].isalpha()]
    if names:
        tokens[chance.choice(names)] = tokens[chance.choice(names)]


def _replace_from_pool(tokens: list[str], chance: random.Random) -> None:
    tokens[_place(tokens, chance)] = chance.choice(POOL)


def _insert_from_pool(tokens: list[str], chance: random.Random) -> None:
    blank = chance.choice(["", " "])
    tokens.insert(_place(tokens, chance), blank + chance.choice(POOL) + blank)


def _change_number(tokens: list[str], chance: random.Random) -> None:
    numbers = [k for k, token in enumerate(tokens) if token[:1].isdigit()]
    if numbers:
        new = ["0", "1", "2", "5", "-1", "3.5", "1/3", "10^6", "10^12", "10^30", "1e400", "9^9^9"]
        tokens[chance.choice(numbers)] = chance.choice(new)


def _change_operator(tokens: list[str], chance: random.Random) -> None:
    signs = [k for k, token in enumerate(tokens) if token in "+-*/^<>=~[](),|" and token.strip()]
    if signs:
        tokens[chance.choice(signs)] = chance.choice([*"+-*/^<>=~[](),|", "+=", "max=", "!="])


def _truncate_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
    return "\n".join(lines)


def _truncate(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _move_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    line = lines.pop(chance.randrange(len(lines)))
    lines.insert(chance.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def _repeat_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return "\n".join(lines)


def _drop_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines)


def _insert_character(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    strange = [chr(chance.randrange(32)), chr(chance.randrange(128, 0xD800)), "𝔛", "́", "﹡"]
    return text[:at] + chance.choice(strange) + text[at:]


Mutation = Callable[[str, random.Random], str]
MUTATIONS: list[Mutation] = [
    *map(
        _on_tokens,
        [
            _delete, _duplicate, _swap, _swap_neighbours, _replace_by_another, _replace_name,
            _replace_name, _replace_from_pool, _insert_from_pool, _change_number, _change_number,
            _change_operator,
        ],
    ),
    _truncate_line, _truncate, _move_line, _repeat_line, _drop_line, _insert_character,
]  # fmt: skip


class TooSlow(Exception):
    """A case that did not end in time."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """TooSlow after that many seconds."""

    def ring(number: int, frame: object) -> None:
        del number, frame
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class Tally:
    """What became of a range of cases."""

    refused: int = 0
    checked: int = 0
    stepped: int = 0
    slowest: float = 0
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.refused + other.refused,
            self.checked + other.checked,
            self.stepped + other.stepped,
            max(self.slowest, other.slowest),
            self.failures + other.failures,
        )


def case(number: int) -> str:
    """The text of a case."""
    chance = random.Random(number)
    return mutated(chance.choice(right_programs()), chance)


def try_cases(numbers: range) -> Tally:
    """Mutates, checks and steps; in a process of its own or not."""
    os.environ["EINBATCH_MEMORY"] = "64MiB"
    tally = Tally()
    texts = right_programs()
    for number in numbers:
        chance = random.Random(number)
        text = mutated(chance.choice(texts), chance)
        started = time.perf_counter()
        try:
            with time_limit(SECONDS):
                _try(text, number, tally)
        except BaseException as error:
            where = "".join(traceback.format_exception(error)[-8:])
            tally.failures.append(f"case {number}:\n{text}\n{where}")
            if isinstance(error, KeyboardInterrupt):
                raise
        tally.slowest = max(tally.slowest, time.perf_counter() - started)
    return tally


def _try(text: str, number: int, tally: Tally) -> None:
    import numpy as np

    import einbatch as eb

    try:
        model = eb.parse(text, backend="numpy", dtype="float64")
        str(model)
        model.warnings  # noqa: B018 - computed when it is asked for
        if model.program.objective is not None:
            str(model.backward)
        tally.checked += 1
        if number % 2 == 0 or len(text) < 200:
            with np.errstate(all="ignore"):
                _step(model, text, tally)
    except eb.EinbatchError as error:
        str(error)
        tally.refused += 1


def _step(model, text: str, tally: Tally) -> None:  # type: ignore[no-untyped-def]
    """One step of training or, without, the values; on the loop nest too where it is short."""
    import einbatch as eb

    largest = max(map(math.prod, _shapes(model.program).values()), default=1)
    if largest >= REFUSED:
        model.init(0, _data(model, 1))
    if largest > MOST_ELEMENTS:
        return
    data = _data(model, MOST_ELEMENTS)
    _values(model, data)
    if _points(model.program) <= MOST_POINTS:
        _values(eb.parse(text, backend="loops", dtype="float64"), data)
    tally.stepped += 1


def _values(model, data) -> None:  # type: ignore[no-untyped-def]
    params = model.init(0, data)
    if model.program.objective is None:
        model.forward(params, data)
    elif model.program.train is not None or model.program.updates:
        model.step(params, None, data)
    else:
        model.value_and_grad(params, data)


def _data(model, most: int):  # type: ignore[no-untyped-def]
    """Arrays for the inputs that have none in the file and no more than `most` elements."""
    import numpy as np

    found = {}
    numbers = np.random.default_rng(0)
    shapes = _shapes(model.program)
    for tensor in model.inputs:
        shape = shapes[tensor.name]
        if tensor.initial is None and math.prod(shape) <= most:
            whole = tensor.integer
            found[tensor.name] = (
                numbers.integers(0, 2, shape) if whole else numbers.uniform(0.1, 1, shape)
            )
    return found


def _shapes(program) -> dict[str, tuple[int, ...]]:  # type: ignore[no-untyped-def]
    """The shape of every tensor, with 3 for what data fix; extents that come to none count 1."""
    from einbatch.ir import Extent, evaluate_constant, walk

    symbols = {index.name: 3 for index in program.indices}
    extents = [extent for tensor in program.tensors for extent in tensor.extents]
    for node in (node for extent in extents for node in walk(extent)):
        if isinstance(node, Extent):
            symbols[node.name] = 3
    found = {}
    for tensor in program.tensors:
        values = (evaluate_constant(extent, {}, symbols) for extent in tensor.extents)
        found[tensor.name] = tuple(max(int(value), 1) for value in values)
    return found


def _points(program) -> float:  # type: ignore[no-untyped-def]
    """About how many points the loop nest of a program has, with 3 for what data fix."""
    from einbatch.ir import Number, Reduce, statements_of, walk

    extents = {
        index.name: index.extent.value if isinstance(index.extent, Number) else 3
        for index in program.indices
    }
    total = 0.0
    for statement in statements_of((*program.statements, *program.updates, *program.reports)):
        names = list(statement.indices)
        for node in walk(statement.value):
            names += node.indices if isinstance(node, Reduce) else ()
        total += math.prod(extents[name] for name in names)
    return total
