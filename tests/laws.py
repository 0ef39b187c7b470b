"""The laws that every program obeys: one function each, held to over random programs.

The tolerance of each comparison follows the computation: beside a value v runs
its scale, |v| plus the magnitudes of all that it was added up from (each times
the derivative of v to it), so that 1e-12 of it is thousands of roundings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
from hypothesis import note, reject, settings

import einbatch as eb
from einbatch import loops
from einbatch.autodiff import differentiate
from einbatch.autodiff.activity import find_active
from einbatch.autodiff.hoist import hoist_nested
from einbatch.autodiff.rounds import combine_rounds
from einbatch.autodiff.versions import separate_versions
from einbatch.backends.numpy import emit, load
from einbatch.diagnostics import Source
from einbatch.dual import DERIVATIVES, directional_derivative, tangents_of
from einbatch.elaborate import bind_extents, elaborate, erase
from einbatch.ir import (
    Program,
    verify,
)
from einbatch.loops import MEANING, cells_of, run_with
from einbatch.optimize.pipeline import Pass, optimize
from einbatch.plan import plan
from einbatch.syntax import parse, unparse
from tests.random_case import Case, access

Arrays = dict[str, np.ndarray]
JUMPS = ("eq", "ne", "lt", "le", "gt", "ge", "floor", "sign", "mod")
CLOSE = 1e-10


def examples(times: int) -> Callable:
    """So many times the examples of the profile."""
    return settings(max_examples=times * settings.default.max_examples)


# --- numbers that carry their scale


class Scaled(float):
    """A float, and the magnitudes that it was made of."""

    __slots__ = ("scale",)
    scale: float

    def __new__(cls, value: float, scale: float) -> Scaled:
        number = super().__new__(cls, value)
        number.scale = scale
        return number


def scale_of(value: float) -> float:
    """Integers are exact, and so have none."""
    if isinstance(value, Scaled):
        return value.scale
    return 0.0 if isinstance(value, int) else abs(value)


def distance(primitive: str, first: float, second: float = 0) -> float:
    """How far a primitive's arguments are from where it jumps."""
    if primitive == "mod":
        first = first / second
    if primitive in ("mod", "floor") and np.isfinite(first):
        second = round(first)
    return abs(first - second)


def scaled(primitive: str) -> Callable[..., float]:
    """A primitive of scaled numbers; gives up on an example that jumps within rounding."""
    function, partials = MEANING[primitive], DERIVATIVES.get(primitive)

    def compute(*arguments: float) -> float:
        values = [float(a) if isinstance(a, Scaled) else a for a in arguments]
        result = function(*values)
        if primitive in JUMPS and 0 < distance(primitive, *values) < CLOSE * max(
            1, *map(scale_of, arguments)
        ):
            reject()
        if isinstance(result, (bool, int)) or partials is None:
            return result
        terms = [
            abs(slope) * scale_of(argument)
            for slope, argument in zip(partials(*values), arguments, strict=True)
            if scale_of(argument) and np.isfinite(slope)
        ]
        return Scaled(result, abs(result) + sum(terms))

    return compute


SCALED = {name: scaled(name) for name in MEANING}


@dataclass(frozen=True)
class Sample:
    """A program with its data and what the loop nest makes of it, scales included."""

    program: Program
    arrays: Arrays
    extents: Mapping[str, int]
    values: Arrays
    scales: Arrays


def sample(program: Program, arrays: Arrays, *, updates: bool = False) -> Sample:
    arrays = {name: array for name, array in arrays.items() if program.find_tensor(name)}
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    cells = {name: cells_of(program.tensor(name), array) for name, array in arrays.items()}
    nest = run_with(SCALED, program, cells, extents, updates)
    scales = {
        name: np.array([scale_of(v) for v in cells.values()]).reshape(nest.shapes[name])
        for name, cells in nest.tensors.items()
    }
    values = {name: nest.array(name, "float64") for name in nest.tensors}
    return Sample(program, arrays, extents, values, scales)


def assert_close(found: Mapping[str, np.ndarray], expected: Sample, tolerance: float) -> None:
    """Every tensor of `found` that the sample has, within the tolerance of its scale."""
    compared = [name for name in found if name in expected.values]
    assert compared, "nothing to compare"
    for name in compared:
        array, wanted = np.asarray(found[name], dtype=float), expected.values[name]
        assert array.shape == wanted.shape, name
        bound = tolerance * (expected.scales[name] + 1e-3)
        with np.errstate(invalid="ignore"):
            fits = (array == wanted) | (np.abs(array - wanted) <= bound)
        fits |= np.isnan(array) & np.isnan(wanted)
        assert np.all(fits), f"{name}: {array}\nexpected {wanted}\nto {bound}"


# --- from text to programs


def tree_of(text: str) -> object:
    return parse(Source("<random>", text))


def program_of(text: str) -> Program:
    return elaborate(tree_of(text))


def text_of(program: Program) -> str:
    return unparse(erase(program))


def checked(program: Program) -> Program:
    assert verify(program) == []
    return program


# --- text


def law_of_text(case: Case) -> None:
    tree = tree_of(case.text)
    printed = unparse(tree)
    assert tree_of(printed) == tree
    assert unparse(tree_of(printed)) == printed
    program = checked(elaborate(tree))
    assert elaborate(erase(program)) == program
    assert program_of(text_of(program)) == program


def law_of_derived_text(case: Case) -> None:
    program = program_of(case.text)
    for simplify in (False, True):
        derived = checked(differentiate(program, simplify=simplify))
        text = text_of(derived)
        note(text)
        assert unparse(tree_of(text)) == text
        again = program_of(text)
        assert again == derived
        expected = sample(derived, case.arrays())
        assert_close(sample(again, case.arrays()).values, expected, 1e-15)


# --- meaning


def law_of_passes(case: Case, passes: Sequence[Pass], *, derived: bool) -> None:
    """No pass changes the meaning of what it keeps, and running it again changes nothing."""
    program = program_of(case.text)
    if derived:
        program = differentiate(program, simplify=False)
    expected = sample(program, case.arrays())
    kept = {"loss", *(f"{name}.grad" for name in case.params)} & expected.values.keys()
    for step in passes:
        program = checked(step.run(program))
        note(f"after {step.name}:\n{text_of(program)}")
        after = sample(program, case.arrays())
        assert kept <= after.values.keys()
        assert_close(after.values, expected, 1e-12)
        assert step.run(program) == program, f"{step.name} is not idempotent"


PREPARATIONS = (
    Pass("combine_rounds", "", combine_rounds),
    Pass("separate_versions", "", separate_versions),
    Pass("hoist_nested", "", lambda program: hoist_nested(program, find_active(program, ()))),
)


def computed(program: Program, expected: Sample, without: frozenset[str] = frozenset()) -> Arrays:
    """Every tensor that the NumPy backend computes of an optimized program."""
    program = optimize(program, without=without)
    made = plan(program, expected.extents, dtype="float64", without=without)
    source = emit(made)
    note(source)
    return load(source, made).run(expected.arrays)


def updated(program: Program, expected: Sample, without: frozenset[str]) -> Arrays:
    """The objective, and the params and states after one update in place."""
    outputs = (program.objective.tensor,)
    options = {"dtype": "float64", "outputs": outputs, "updates": True, "without": without}
    made = plan(optimize(program, without=without), expected.extents, **options)
    source = emit(made)
    note(source)
    own = {item.name: expected.arrays[item.name].copy() for item in made.owned}
    step = load(source, made).bind(own)
    (loss,) = step(*(expected.arrays[item.name] for item in made.inputs))
    return {**own, outputs[0]: loss}


def law_of_twins(case: Case) -> None:
    """Two ways to write one tensor give the same."""
    expected = sample(program_of(case.text), case.arrays())
    for name, twin in case.twins:
        bound = 1e-12 * (expected.scales[name] + expected.scales[twin] + 1e-3)
        distance_of_twins = np.abs(expected.values[name] - expected.values[twin])
        assert np.all(distance_of_twins <= bound), (name, twin)


def law_of_numpy(case: Case) -> None:
    program = program_of(case.text)
    expected = sample(program, case.arrays())
    assert_close(computed(program, expected), expected, 1e-12)


def law_of_numpy_backward(case: Case) -> None:
    program = differentiate(program_of(case.text))
    expected = sample(program, case.arrays())
    assert_close(computed(program, expected), expected, 1e-12)


def law_of_leaving_out(case: Case, without: frozenset[str]) -> None:
    """Values, gradients and an update are the loop nest's without some passes, too."""
    program = program_of(case.trained().text)
    derived = differentiate(program, keep=True, simplify="simplify" not in without)
    arrays = case.arrays()
    start = {f"m{name}": np.asarray(0.5 + arrays[name]) for name in case.params}
    expected = sample(derived, {**arrays, **start}, updates=True)
    assert_close(computed(derived, expected, without), expected, 1e-12)
    assert_close(updated(derived, expected, without), expected, 1e-12)


def split(case: Case) -> tuple[Arrays, Arrays]:
    """A case's params and inputs."""
    arrays = case.arrays()
    inputs = {name: array for name, array in arrays.items() if name not in case.params}
    return {name: arrays[name] for name in case.params}, inputs


# --- derivatives


def directions(case: Case, names: list[str], seed: int) -> Iterator[Arrays]:
    """A direction in all of the tensors at once, then a few single elements."""
    draws = np.random.default_rng(seed)
    shapes = {k.name: tuple(case.sizes[a] for a in k.axes) for k in case.given if k.name in names}
    yield {name: draws.normal(size=shape) for name, shape in shapes.items()}
    for name in draws.permutation(list(shapes))[:3]:
        unit = np.zeros(shapes[name])
        unit[tuple(draws.integers(0, n) for n in unit.shape)] = 1.0
        yield {str(name): unit}


def along(
    derived: Sample, case: Case, direction: Arrays, suffix: str = ".grad"
) -> tuple[float, float]:
    """The derivative along a direction by `T.grad`, and its scale.

    A batched tensor's cotangent stands for B times the derivative.
    """
    found = scale = 0.0
    given = {known.name: known for known in case.given}
    for name, vector in direction.items():
        share = case.sizes["B"] if case.is_batched(given[name]) else 1
        gradient = name + suffix
        found += float(np.sum(derived.values[gradient] * vector)) / share
        scale += float(np.sum((derived.scales[gradient] + 1e-3) * np.abs(vector))) / share
    return found, scale


def law_of_duals(case: Case) -> None:
    """Gradients equal dual numbers through the loop nest, for params and inputs."""
    program = program_of(case.text)
    numbers = [known.name for known in case.given if known.member is None]
    names = [name for name in numbers if name not in case.draws]
    inputs = tuple(name for name in names if name not in case.params)
    adjoint = checked(differentiate(program, wrt=inputs))
    note(text_of(adjoint))
    derived = sample(adjoint, case.arrays())
    for direction in directions(case, names, case.seed):
        exact = directional_derivative(program, derived.arrays, derived.extents, direction)
        found, scale = along(derived, case, direction)
        assert abs(found - exact) <= 1e-11 * scale, (direction, found, exact)


def law_of_second_derivatives(case: Case) -> None:
    """The derived program with a sum of gradients as its objective, derived again."""
    params = [known for known in case.given if known.name in case.params]
    terms = [
        f"along += {(0.3, -0.7, 0.2)[n % 3]}*{access(f'{known.name}.grad', known.indices)}"
        for n, known in enumerate(params)
    ]
    first = text_of(differentiate(program_of(case.text)))
    program = program_of("\n".join([first, "along = 0", *terms, "minimize along", ""]))
    adjoint = checked(differentiate(program))
    text = text_of(adjoint)
    note(text)
    assert program_of(text) == adjoint
    derived = sample(adjoint, case.arrays())
    assert_close(computed(adjoint, derived), derived, 1e-12)
    for direction in directions(case, case.params, case.seed):
        exact = directional_derivative(program, derived.arrays, derived.extents, direction)
        found, scale = along(derived, case, direction, ".grad2")
        assert abs(found - exact) <= 1e-10 * scale, (direction, found, exact)


def law_of_cotangents(case: Case) -> None:
    """`T.grad` of a value T is the derivative to an input that is added to T."""
    derived = sample(differentiate(program_of(case.text), simplify=False), case.arrays())
    nudged = case.nudged()
    program = program_of(nudged.text)
    zeros = {
        known.name: np.zeros([case.sizes[axis] for axis in known.axes]) for known in nudged.given
    }
    arrays = {**zeros, **case.arrays()}
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    draws = np.random.default_rng(case.seed)
    for known, end in zip(case.values, case.finished, strict=True):
        cotangent = derived.values.get(f"{known.name}.grad")
        if known.member is not None or cotangent is None or end is None:
            continue
        direction = draws.normal(size=cotangent.shape)
        exact = directional_derivative(program, arrays, extents, {f"e{known.name}": direction})
        share = case.sizes["B"] if case.is_batched(known) else 1
        found = float(np.sum(cotangent * direction)) / share
        scale = float(np.sum((derived.scales[f"{known.name}.grad"] + 1e-3) * np.abs(direction)))
        assert abs(found - exact) <= 1e-11 * scale, (known.name, found, exact)


def law_of_transpose(case: Case) -> None:
    """⟨u, J v⟩ = ⟨Jᵀ u, v⟩: J v by dual numbers, Jᵀ u by reverse mode of Σ u·T."""
    weighted = case.weighted()
    derived = sample(differentiate(program_of(weighted.text)), weighted.arrays())
    (direction, *_) = directions(case, case.params, case.seed)
    program = program_of(case.text)
    arrays = {name: array for name, array in derived.arrays.items() if program.find_tensor(name)}
    tangents = tangents_of(program, arrays, derived.extents, direction)
    taken = [known for known in case.values if known.member is None]
    pushed = sum(
        float(np.sum(derived.arrays[f"u{n}"] * tangents[known.name]))
        for n, known in enumerate(taken)
    )
    pulled, scale = along(derived, weighted, direction)
    assert abs(pushed - pulled) <= 1e-11 * scale


class Decisions(list):
    """Every choice that a run makes: what a kink or a jump depends on."""

    def watching(self, primitive: str) -> Callable[..., float]:
        function = MEANING[primitive]

        def compute(*values: float) -> float:
            result = function(*values)
            match primitive:
                case "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "floor" | "sign":
                    self.append(result)
                case "abs" | "relu":
                    self.append(values[0] > 0)
                case "max" | "min":
                    self.append(values[0] > values[1])
                case "clamp":
                    self.append((values[0] < values[1], values[0] > values[2]))
                case "mod":
                    self.append(np.floor(values[0] / values[1]))
                case _:
                    pass
            return result

        return compute

    def pick(self, values: list[float]) -> int:
        self.append(int(np.argmax(values)))
        return self[-1]


class Stopped(list):
    """What `stop` lets through: the values of the first run, in every run after it."""

    def let_through(self) -> Callable[[float], float]:
        if not self:
            return lambda value: self.append(value) or value
        values = iter(self)
        return lambda value: next(values, value)


def objective_at(
    sampled: Sample, step: float, direction: Arrays, stopped: Stopped
) -> tuple[float, Decisions]:
    """The objective at a distance along a direction, and the choices made on the way."""
    arrays = dict(sampled.arrays)
    for name, vector in direction.items():
        arrays[name] = arrays[name] + step * vector
    program, decisions = sampled.program, Decisions()
    cells = {name: cells_of(program.tensor(name), array) for name, array in arrays.items()}
    meaning = {name: decisions.watching(name) for name in MEANING}
    meaning["stop"] = stopped.let_through()
    with patch.object(loops, "_argmax", decisions.pick):
        nest = run_with(meaning, program, cells, sampled.extents)
    return float(np.mean(nest.array(program.objective.tensor, "float64"))), decisions


def law_of_differences(case: Case) -> None:
    """Gradients equal central differences, where no kink lies between the points."""
    program = program_of(case.text)
    derived = sample(differentiate(program), case.arrays())
    forward = Sample(program, derived.arrays, derived.extents, {}, {})
    scale = 1 + float(np.mean(derived.scales[case.objective]))
    stopped = Stopped()
    objective_at(forward, 0, {}, stopped)
    for direction in directions(case, case.params, case.seed):
        length = 1e-3 / max(1.0, *(float(np.max(np.abs(v))) for v in direction.values()))
        points = {n: objective_at(forward, n * length, direction, stopped) for n in (-2, -1, 1, 2)}
        if any(decisions != points[1][1] for _, decisions in points.values()):
            continue
        near, far = (points[n][0] - points[-n][0] for n in (1, 2))
        difference = (8 * near - far) / (12 * length)
        found, size = along(derived, case, direction)
        assert abs(found - difference) <= 1e-6 * (size + scale), (direction, found, difference)


def law_of_the_model(case: Case) -> None:
    derived = sample(differentiate(program_of(case.text)), case.arrays())
    params, inputs = split(case)
    model = eb.parse(case.text, dtype="float64")
    loss, gradients = model.value_and_grad(params, data=inputs)
    assert gradients.keys() == params.keys()
    assert_close({f"{name}.grad": array for name, array in gradients.items()}, derived, 1e-12)
    expected = float(np.mean(derived.values["loss"]))
    assert abs(loss - expected) <= 1e-12 * float(np.mean(derived.scales["loss"]) + 1e-3)
    everything = eb.parse(str(model.backward), dtype="float64")
    assert_close(everything.forward(params, data=inputs), derived, 1e-12)
