"""The literal loop nest: what a program means, as short and obvious as it can be.

Every statement is run over its index space, the first index outermost; an element
is one Python number; nothing is stabilised, reordered or kept for later. All other
backends are held to this one. Whatever is computed goes through a table of
meanings, so other kinds of numbers can run through the same loops (`dual.py`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir.constants import LARGEST_INTEGER, Value, as_float, evaluate_constant, overflow
from einbatch.ir.program import (
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    Tensor,
    statements_of,
)
from einbatch.ir.traverse import reads_itself

Element = tuple[int, ...]
Cells = dict[Element, float]
Meaning = Mapping[str, Callable[..., float]]

IDENTITY = {"=": 0, "+=": 0, "-=": 0, "*=": 1, "max=": -math.inf, "min=": math.inf}
"""What an accumulation starts from, and what `=` leaves where it does not write."""


def run(
    program: Program,
    arrays: Mapping[str, ArrayLike],
    extents: Mapping[str, int],
    *,
    updates: bool = False,
    dtype: str = "float64",
) -> dict[str, NDArray[np.generic]]:
    """Every named tensor of a program: those given, and those that its statements write.

    `arrays` holds inputs, params and state by name; `extents` the integer of every
    index and of every named extent. With `updates` the update statements run too,
    on copies. Integer tensors are int64; all else is computed in double precision
    and cast to `dtype` at the end. EinbatchError (E0605) where a subscript is outside.
    """
    tensors = {name: cells_of(program.tensor(name), array) for name, array in arrays.items()}
    nest = run_with(MEANING, program, tensors, extents, updates)
    for tensor in program.tensors:
        if tensor.integer:
            _check_fit(tensor, nest.tensors.get(tensor.name, {}))
    return {
        name: nest.array(name, "int64" if program.tensor(name).integer else dtype)
        for name in nest.tensors
    }


def _check_fit(tensor: Tensor, cells: Cells) -> None:
    """E0626 for an integer that 64 bits do not hold."""
    largest = max(cells.values(), key=abs, default=0)
    if abs(largest) > LARGEST_INTEGER:
        raise overflow(int(largest), tensor.span)


def run_with(
    meaning: Meaning,
    program: Program,
    tensors: Mapping[str, Cells],
    extents: Mapping[str, int],
    updates: bool = False,
) -> Nest:
    """The program run over any kind of number: `meaning` gives each primitive its function."""
    nest = prepare(meaning, program, {n: dict(c) for n, c in tensors.items()}, extents)
    with np.errstate(all="ignore"):
        nest.run(program.statements, {})
        if updates:
            nest.run(program.updates, {})
        nest.run(program.reports, {})
    return nest


def prepare(
    meaning: Meaning, program: Program, tensors: dict[str, Cells], extents: Mapping[str, int]
) -> Nest:
    """A run of the program in which nothing has run yet."""
    constants: dict[str, float] = {}
    for let in program.lets:
        constants[let.name] = _fitting(evaluate_constant(let.value, constants, extents))
    shapes = {
        tensor.name: tuple(int(evaluate_constant(e, constants, extents)) for e in tensor.extents)
        for tensor in program.tensors
    }
    return Nest(meaning, extents, constants, shapes, tensors)


def cells_of(tensor: Tensor, array: ArrayLike) -> Cells:
    """An array's elements as Python numbers."""
    values = np.asarray(array, dtype=np.int64 if tensor.integer else np.float64)
    return {element: values[element].item() for element in np.ndindex(values.shape)}


@dataclass(frozen=True, slots=True)
class Nest:
    """A run of a program: `tensors` holds the elements of those that have a value by now."""

    meaning: Meaning
    extents: Mapping[str, int]
    constants: Mapping[str, float]
    shapes: Mapping[str, Element]
    tensors: dict[str, Cells]

    def array(self, tensor: str, dtype: str) -> NDArray[np.generic]:
        """A tensor as an array."""
        values = np.array(list(self.tensors[tensor].values()))
        with np.errstate(all="ignore"):
            return values.astype(dtype).reshape(self.shapes[tensor])

    def run(self, steps: Sequence[Step], at: Mapping[str, int]) -> None:
        """Each step in order; `at` holds the rounds of the scans around it."""
        for step in steps:
            match step:
                case Statement():
                    self.run_statement(step, at)
                case Scan(index=index, down=down, body=body):
                    for statement in statements_of(body):
                        self.begin(statement)
                    rounds = range(self.extents[index])
                    for number in reversed(rounds) if down else rounds:
                        self.run(body, {**at, index: number})

    def begin(self, statement: Statement) -> None:
        """A target without a value starts, element by element, from the operator's identity."""
        name = statement.target
        if name not in self.tensors:
            start = IDENTITY[statement.operator]
            self.tensors[name] = dict.fromkeys(product(*map(range, self.shapes[name])), start)

    def run_statement(self, statement: Statement, at: Mapping[str, int]) -> None:
        """The loop nest of one statement; what it reads of its own target is as it was before."""
        self.begin(statement)
        cells = self.tensors[statement.target]
        found = self.contributions(statement, at)
        if reads_itself(statement):
            found = list(found)
        for element, value in found:
            cells[element] = self.combine(statement.operator, cells[element], value)

    def contributions(
        self, statement: Statement, at: Mapping[str, int]
    ) -> Iterable[tuple[Element, float]]:
        """The elements that a statement writes, in the order of its loop nest, and what with."""
        name, cells = statement.target, self.tensors[statement.target]
        for here in self.space(statement.indices, at):
            element = self.element(statement.subscripts, here)
            if element in cells:
                yield element, self.value(statement.value, here)
            elif not statement.partial:
                raise _outside(name, element, self.shapes[name], here, statement.span)

    def space(self, indices: Sequence[str], at: Mapping[str, int]) -> Iterator[dict[str, int]]:
        """Every point of the index space, the last index fastest."""
        for point in product(*(range(self.extents[name]) for name in indices)):
            yield {**at, **dict(zip(indices, point, strict=True))}

    def combine(self, operator: str, old: float, new: float) -> float:
        """What an assignment leaves in an element."""
        match operator:
            case "+=":
                return self.meaning["add"](old, new)
            case "-=":
                return self.meaning["add"](old, self.meaning["neg"](new))
            case "*=":
                return self.meaning["mul"](old, new)
            case "max=":
                return _greatest([old, new])
            case "min=":
                return _least([old, new])
            case _:
                return new

    def element(self, subscripts: Sequence[Expression], at: Mapping[str, int]) -> Element:
        """The element that subscripts name, in the tensor or outside."""
        values = [self.value(subscript, at) for subscript in subscripts]
        return tuple(int(value) if math.isfinite(value) else -1 for value in values)

    def value(self, expression: Expression, at: Mapping[str, int]) -> float:
        """An expression's value where its free indices are `at`."""
        match expression:
            case Number(value=value):
                return _fitting(value)
            case Constant(name=name):
                return self.constants[name]
            case IndexValue(index=index):
                return at[index]
            case Extent(name=name):
                return self.extents[name]
            case Read():
                return self.read(expression, at)
            case Apply(primitive="select", arguments=(condition, consequent, alternative)):
                return self.value(consequent if self.value(condition, at) else alternative, at)
            case Apply(primitive=primitive, arguments=arguments):
                return self.meaning[primitive](*[self.value(item, at) for item in arguments])
            case Reduce(reduction=reduction, indices=indices, body=body):
                values = [self.value(body, here) for here in self.space(indices, at)]
                if reduction in KEEPING:
                    return KEEPING[reduction](self.meaning, values, self.value(body, at))
                return REDUCING[reduction](self.meaning, values)

    def read(self, read: Read, at: Mapping[str, int]) -> float:
        """One element, or what `otherwise` says where a subscript is outside."""
        element = self.element(read.subscripts, at)
        shape = self.shapes[read.tensor]
        if all(0 <= place < extent for place, extent in zip(element, shape, strict=True)):
            return self.tensors[read.tensor][element]
        if read.otherwise is None:
            raise _outside(read.tensor, element, self.shapes[read.tensor], at, read.span)
        return self.value(read.otherwise, at)


def _outside(
    tensor: str, element: Element, shape: Element, at: Mapping[str, int], span: Span
) -> EinbatchError:
    axis = next(n for n, extent in enumerate(shape) if not 0 <= element[n] < extent)
    place = ", ".join(f"{name}={value}" for name, value in at.items())
    return fail(
        "E0605",
        f"subscript {axis + 1} of `{tensor}` is {element[axis]}, outside 0 … {shape[axis] - 1}",
        (span, f"at {place}" if place else "here"),
        help=f"the extent of that axis is {shape[axis]}; correct the integers that subscript it",
    )


def _fitting(value: Value) -> float:
    """An integer of 64 bits as it is, any other number as a float."""
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    return as_float(value)


def _argmax(values: Sequence[float]) -> int:
    """The first greatest value's position, or the first NaN's."""
    best = 0
    for position, value in enumerate(values):
        if value > values[best] or (math.isnan(value) and not math.isnan(values[best])):
            best = position
    return best


def _argmin(values: Sequence[float]) -> int:
    return _argmax([-value for value in values])


def _greatest(values: Sequence[float]) -> float:
    return values[_argmax(values)] if values else -math.inf


def _least(values: Sequence[float]) -> float:
    return values[_argmin(values)] if values else math.inf


def _add(*values: float) -> float:
    return reduce(lambda a, b: _fitting(a + b), values, 0)


def _multiply(*values: float) -> float:
    return reduce(lambda a, b: _fitting(a * b), values, 1)


def _mod(a: float, b: float) -> float:
    if isinstance(a, int) and isinstance(b, int) and b != 0:
        return a % b
    return a - b * _floor(_divide(a, b))


def _floor(x: float) -> float:
    return math.floor(x) if math.isfinite(x) else x


def _maximum(a: float, b: float) -> float:
    return a if a >= b or math.isnan(a) else b


def _minimum(a: float, b: float) -> float:
    return a if a <= b or math.isnan(a) else b


def _clamp(x: float, low: float, high: float) -> float:
    return _minimum(_maximum(x, low), high)


def _ieee(function: np.ufunc) -> Callable[..., float]:
    """A function of NumPy's, infinite or NaN where Python's raises an error."""
    return lambda *values: float(function(*map(float, values)))


_divide = _ieee(np.divide)
_exp = _ieee(np.exp)
_log = _ieee(np.log)

UNARY: dict[str, Callable[[float], float]] = {
    "neg": lambda x: _fitting(-x),
    "exp": _exp,
    "log": _log,
    "sqrt": _ieee(np.sqrt),
    "abs": lambda x: _fitting(abs(x)),
    "sign": lambda x: x if math.isnan(x) else (x > 0) - (x < 0),
    "sin": _ieee(np.sin),
    "cos": _ieee(np.cos),
    "tan": _ieee(np.tan),
    "tanh": _ieee(np.tanh),
    "sigmoid": lambda x: _divide(1, 1 + _exp(-x)),
    "relu": lambda x: _maximum(x, 0),
    "stop": lambda x: x,
    "softplus": lambda x: _log(1 + _exp(x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "erf": math.erf,
    "floor": _floor,
    "not": operator.not_,
    "iverson": int,
}

MEANING: Meaning = {
    **UNARY,
    "add": _add,
    "mul": _multiply,
    "div": _divide,
    "pow": _ieee(np.power),
    "max": _maximum,
    "min": _minimum,
    "mod": _mod,
    "clamp": _clamp,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "and": lambda *conditions: all(conditions),
    "or": lambda *conditions: any(conditions),
    "select": lambda *items: items[1] if items[0] else items[2],
}
"""What each primitive computes; conditions are Python's."""

REDUCING: dict[str, Callable[[Meaning, Sequence[float]], float]] = {
    "sum": lambda do, values: do["add"](*values),
    "prod": lambda do, values: do["mul"](*values),
    "mean": lambda do, values: do["div"](do["add"](*values), len(values)),
    "max": lambda do, values: _greatest(values),
    "min": lambda do, values: _least(values),
    "logsumexp": lambda do, values: do["log"](do["add"](*map(do["exp"], values))),
    "argmax": lambda do, values: _argmax(values),
    "argmin": lambda do, values: _argmin(values),
}
"""What each reduction makes of the values that its body takes."""

KEEPING: dict[str, Callable[[Meaning, Sequence[float], float], float]] = {
    "softmax": lambda do, values, own: do["div"](
        do["exp"](own), do["add"](*map(do["exp"], values))
    ),
    "log_softmax": lambda do, values, own: do["log"](KEEPING["softmax"](do, values, own)),
}
"""The same for those that keep their index; `own` is the value where the index is now."""
