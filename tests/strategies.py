"""Typed random programs: extents first, then indices, then tensors, then statements.

A program is drawn as text, so that a failing one reads as a person would have
typed it. Values stay moderate and away from poles; what jumps or has a kink gets
an odd offset, so that nothing happens to sit on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]
ATOM, POWER, PRODUCT, SUM, CONDITIONAL = range(5)
LARGEST = 20.0
"""The bound on an expression's magnitude above which it is scaled down."""
NAMES = ("h", "s", "g", "h̃", "z", "q'", "Δ", "v", "r", "y")
BATCH = "B"


@dataclass(frozen=True)
class Known:
    """A tensor that may be read: the extent of each axis as text (`3`, `B`, `|i|`)."""

    name: str
    axes: tuple[str, ...]
    indices: tuple[str, ...] = ()
    member: str | None = None
    """For a tensor of integers, the extent that they stay below."""
    size: float = 1.5
    """A bound on the magnitude of its elements."""


@dataclass(frozen=True)
class Expr:
    """An expression: how loosely its outermost operator binds, its free indices, a bound on |e|."""

    text: str
    binding: int
    free: frozenset[str]
    size: float


@dataclass
class Case:
    """A program's text, in parts, and what it takes to run it."""

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    objective: str = "loss"
    indices: dict[str, str] = field(default_factory=dict)
    """The extent of each index, as text."""
    sizes: dict[str, int] = field(default_factory=dict)
    """The integer of each extent."""
    given: list[Known] = field(default_factory=list)
    """Inputs and params."""
    params: list[str] = field(default_factory=list)
    values: list[Known] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    """For each value, how many statements there are once it is written."""
    seed: int = 0

    @property
    def text(self) -> str:
        lines = [*self.declarations, "", *self.statements, "", f"minimize {self.objective}"]
        return "\n".join([*lines, *self.reports, ""])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        return f"{self.text}# {sizes}; seed {self.seed}"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(repr(self))

    def arrays(self) -> dict[str, np.ndarray]:
        """Values for inputs and params: distinct, between 0.05 and 1.5 in magnitude."""
        draws = np.random.default_rng(self.seed)
        shapes = {known.name: tuple(self.sizes[a] for a in known.axes) for known in self.given}
        total = sum(int(np.prod(shape)) for shape in shapes.values())
        grid = draws.permutation(np.linspace(0.05, 1.5, total + 2)) + draws.uniform(-1, 1) / 1000
        signs = draws.choice([-1.0, 1.0], size=grid.size)
        numbers = iter(grid * signs)
        arrays: dict[str, np.ndarray] = {}
        for known in self.given:
            shape = shapes[known.name]
            if known.member is None:
                values = [next(numbers) for _ in range(int(np.prod(shape)))]
                arrays[known.name] = np.array(values).reshape(shape)
            else:
                arrays[known.name] = draws.integers(0, self.sizes[known.member], shape)
        return arrays

    def weighted(self) -> Case:
        """The same program with the objective Σ u·T over all of its values: a random cotangent."""
        taken = [known for known in self.values if known.member is None]
        weights = [Known(f"u{n}", known.axes, known.indices) for n, known in enumerate(taken)]
        lines = [
            f"dot += {_access(w.name, w.indices)}*{_access(known.name, known.indices)}"
            for w, known in zip(weights, taken, strict=True)
        ]
        return replace(
            self._with_inputs(weights),
            statements=[*self.statements, "dot = 0", *lines],
            reports=[],
            objective="dot",
        )

    def nudged(self) -> Case:
        """The same program with an input `eT` added to each value T once it is written."""
        taken = [
            (known, end)
            for known, end in zip(self.values, self.finished, strict=True)
            if known.member is None
        ]
        statements = list(self.statements)
        for known, end in reversed(taken):
            nudge = _access(f"e{known.name}", known.indices)
            statements.insert(end, f"{_access(known.name, known.indices)} += {nudge}")
        nudges = [Known(f"e{known.name}", known.axes, known.indices) for known, _ in taken]
        return replace(self._with_inputs(nudges), statements=statements)

    def _with_inputs(self, tensors: Sequence[Known]) -> Case:
        lines = [f"input {_access(known.name, known.indices)}" for known in tensors]
        return replace(
            self,
            declarations=[*self.declarations, *lines],
            given=[*self.given, *tensors],
        )


def _access(name: str, subscripts: Sequence[str]) -> str:
    return f"{name}[{','.join(subscripts)}]" if subscripts else name


def _put(expr: Expr, binding: int) -> str:
    """An expression's text where nothing looser than `binding` may stand."""
    return expr.text if expr.binding <= binding else f"({expr.text})"


def _number(text: str) -> Expr:
    return Expr(text, ATOM, frozenset(), abs(float(text)))


UNARY: dict[str, tuple[str, int, Callable[[float], float]]] = {
    "neg": ("-{p}", SUM, lambda s: s),
    "tanh": ("tanh({e})", ATOM, lambda s: 1),
    "relu": ("relu({e})", ATOM, lambda s: s),
    "square": ("{a}^2", POWER, lambda s: s * s),
    "exp": ("exp(tanh({e}))", ATOM, lambda s: 2.8),
    "log": ("log(abs({e}) + 1)", ATOM, lambda s: s),
    "sqrt": ("sqrt({a}^2 + 1)", ATOM, lambda s: s + 1),
    "abs": ("abs({e})", ATOM, lambda s: s),
    "sin": ("sin({e})", ATOM, lambda s: 1),
    "cos": ("cos({e})", ATOM, lambda s: 1),
    "tan": ("tan(tanh({e}))", ATOM, lambda s: 1.6),
    "sigmoid": ("sigmoid({e})", ATOM, lambda s: 1),
    "log sigmoid": ("log(sigmoid({e}))", ATOM, lambda s: s + 1),
    "softplus": ("softplus({e})", ATOM, lambda s: s + 1),
    "gelu": ("gelu({e})", ATOM, lambda s: s),
    "erf": ("erf({e})", ATOM, lambda s: 1),
    "div": ("1/({a}^2 + 1)", PRODUCT, lambda s: 1),
    "halve": ("{p}/2", PRODUCT, lambda s: s / 2),
    "cube": ("{a}^3", POWER, lambda s: s**3),
    "root": ("(abs({e}) + 0.5)^0.5", POWER, lambda s: s + 1),
    "inverse": ("({a}^2 + 0.7)^-1", POWER, lambda s: 1.5),
    "clamp": ("clamp({e}, -0.7131, 0.9417)", ATOM, lambda s: 1),
    "sign": ("sign({s} - 0.2719)", ATOM, lambda s: 1),
    "floor": ("floor({s} + 0.1713)", ATOM, lambda s: s + 1),
    "mod": ("mod({s} + 0.1237, 1.7391)", ATOM, lambda s: 1.8),
    "power of two": ("2^tanh({e})", POWER, lambda s: 2),
}
BINARY: dict[str, tuple[str, int, Callable[[float, float], float]]] = {
    "add": ("{s} + {P}", SUM, lambda s, t: s + t),
    "mul": ("{p}*{F}", PRODUCT, lambda s, t: s * t),
    "sub": ("{s} - {P}", SUM, lambda s, t: s + t),
    "div": ("{p}/({A}^2 + 1)", PRODUCT, lambda s, t: s),
    "max": ("max({e}, {E})", ATOM, max),
    "min": ("min({e}, {E})", ATOM, max),
    "pow": ("({a}^2 + 0.5)^tanh({E})", POWER, lambda s, t: s * s + 2),
    "mod": ("mod({s} + 0.0613, {A}^2 + 1.0173)", ATOM, lambda s, t: t * t + 1.1),
    "clamp": ("clamp({e}, -abs({E}) - 0.3, abs({E}) + 0.4)", ATOM, lambda s, t: t + 0.4),
}
REDUCTIONS = ("sum", "mean", "max", "min", "logsumexp", "prod", "softmax", "log_softmax", "argmax")
FORMS = ("leaf", "binary", "unary", "reduction", "if", "binary", "unary", "unary")
COMPARISONS = ("<", "<=", ">", ">=", "!=", "=")


class Writer:
    """Draws expressions over what is known so far."""

    def __init__(self, draw: Draw, case: Case) -> None:
        self.draw = draw
        self.case = case
        self.known = list(case.given)
        self.read_names: set[str] = set()

    def pick(self, options: Sequence) -> object:
        return self.draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        """True once in so many draws; shrinks to False."""
        return self.draw(st.integers(0, one_in - 1)) == one_in - 1

    def over(self, extent: str, indices: Sequence[str]) -> list[str]:
        """Those of the indices that run over an extent."""
        return [name for name in indices if self.case.indices[name] == extent]

    def integer(self, extent: str, scope: tuple[str, ...], depth: int) -> Expr:
        """A subscript of an axis: mostly a bare index."""
        bare = self.over(extent, scope)
        if bare and not self.chance(8):
            name = self.pick(bare)
            return Expr(name, ATOM, frozenset([name]), self.case.sizes[extent])
        options = [_number("0")]
        if extent.isdigit():
            size = int(extent)
            options.append(_number(str(size - 1)))
            for name in bare:
                own = frozenset([name])
                options.append(Expr(f"{size - 1} - {name}", SUM, own, size))
                options.append(Expr(f"mod({name} + 1, {size})", ATOM, own, size))
                options.append(Expr(f"floor({name}/2)", ATOM, own, size))
        if depth > 0:
            options += [k for k in self.known if k.member == extent and self.reachable(k, scope)]
            options += ["condition"] if extent.isdigit() and int(extent) > 1 else []
        match self.pick(options):
            case "condition":
                condition = self.condition(scope, -1)
                return Expr(f"[{condition.text}]", ATOM, condition.free, 1)
            case Known() as known:
                return self.read(known, scope, 0)
            case subscript:
                return subscript

    def reachable(self, known: Known, scope: tuple[str, ...]) -> bool:
        return all(extent.isdigit() or self.over(extent, scope) for extent in known.axes)

    def read(self, known: Known, scope: tuple[str, ...], depth: int) -> Expr:
        self.read_names.add(known.name)
        parts = [self.integer(extent, scope, depth) for extent in known.axes]
        size = known.size if known.member is None else self.case.sizes[known.member]
        free = frozenset().union(*(part.free for part in parts))
        return Expr(_access(known.name, [part.text for part in parts]), ATOM, free, size)

    def leaf(self, scope: tuple[str, ...], depth: int = 0) -> Expr:
        """A read, or, rarely, a number."""
        tensors = [
            known for known in self.known if known.member is None and self.reachable(known, scope)
        ]
        if tensors and not self.chance(8):
            fitting = [k for k in tensors if all(self.over(e, scope) for e in k.axes)]
            options = fitting or tensors
            unread = [known for known in options if known.name not in self.read_names]
            chosen = self.pick(unread if unread and not self.chance(3) else options)
            return self.read(chosen, scope, depth + 1)
        options = [_number(text) for text in ("2", "1", "0", "0.5", "3", "0.1", "1.25")]
        options.append(Expr("c", ATOM, frozenset(), 0.7))
        for name in scope:
            size = self.case.sizes[self.case.indices[name]]
            options.append(Expr(name, ATOM, frozenset([name]), size))
            options.append(Expr(f"|{name}|", ATOM, frozenset(), size))
        return self.pick(options)

    def condition(self, scope: tuple[str, ...], depth: int) -> Expr:
        """A comparison that is never close: of indices, or of an expression with an odd number."""
        if depth > 0 and self.chance(3):
            a, b = self.condition(scope, depth - 1), self.condition(scope, depth - 1)
            word = self.pick(["and", "or", "not"])
            if word == "not":
                return Expr(f"not ({a.text})", CONDITIONAL, a.free, 1)
            return Expr(f"({a.text}) {word} ({b.text})", CONDITIONAL, a.free | b.free, 1)
        sign = self.pick(COMPARISONS)
        if scope and self.draw(st.booleans()):
            first = self.pick(scope)
            second = self.pick([*scope, "0", "1"])
            free = frozenset([first, second]) - {"0", "1"}
            return Expr(f"{first} {sign} {second}", CONDITIONAL, free, 1)
        e = self.expression(scope, depth)
        return Expr(f"{_put(e, SUM)} {self.pick(COMPARISONS[:4])} 0.1319", CONDITIONAL, e.free, 1)

    def expression(self, scope: tuple[str, ...], depth: int) -> Expr:
        """An expression whose free indices are among `scope`."""
        form = self.pick(FORMS) if depth > 0 else "leaf"
        match form:
            case "leaf":
                result = self.leaf(scope, min(depth, 0))
            case "unary":
                result = self.unary(self.pick(list(UNARY)), self.expression(scope, depth - 1))
            case "binary":
                result = self.binary(scope, depth)
            case "reduction":
                result = self.reduction(scope, depth)
            case _:
                result = self.choice(scope, depth)
        return self.tamed(result)

    def tamed(self, e: Expr) -> Expr:
        if e.size <= LARGEST:
            return e
        return Expr(f"{_put(e, PRODUCT)}/{int(e.size / 4)}", PRODUCT, e.free, 4.1)

    def unary(self, name: str, e: Expr) -> Expr:
        template, binding, size = UNARY[name]
        parts = {"e": e.text, "s": _put(e, SUM), "p": _put(e, PRODUCT), "a": _put(e, ATOM)}
        return Expr(template.format(**parts), binding, e.free, size(e.size))

    def binary(self, scope: tuple[str, ...], depth: int) -> Expr:
        template, binding, size = BINARY[self.pick(list(BINARY))]
        a, b = self.expression(scope, depth - 1), self.expression(scope, depth - 1)
        parts = {"e": a.text, "s": _put(a, SUM), "p": _put(a, PRODUCT), "a": _put(a, ATOM)}
        parts |= {"E": b.text, "P": _put(b, PRODUCT), "F": _put(b, POWER), "A": _put(b, ATOM)}
        return Expr(template.format(**parts), binding, a.free | b.free, size(a.size, b.size))

    def choice(self, scope: tuple[str, ...], depth: int) -> Expr:
        condition = self.condition(scope, depth - 1)
        a = self.expression(scope, depth - 1)
        if self.chance(3):
            size = max(a.size, 1)
            text = f"[{condition.text}]*{_put(a, POWER)}"
            return Expr(text, PRODUCT, condition.free | a.free, size)
        b = self.expression(scope, depth - 1)
        text = f"if {condition.text} then {a.text} else {b.text}"
        free = condition.free | a.free | b.free
        return Expr(text, CONDITIONAL, free, max(a.size, b.size))

    def reduction(self, scope: tuple[str, ...], depth: int) -> Expr:
        name = self.pick(REDUCTIONS)
        if name.endswith("softmax"):
            if not scope:
                return self.leaf(scope)
            index = self.pick(scope)
            body = self.using((index,), self.expression(scope, depth - 1))
            text = f"{name}[{index}]({body.text})"
            return Expr(text, ATOM, body.free, 1 if name == "softmax" else 2 * body.size + 2)
        most = 1 if name == "argmax" else 2
        names = list(self.case.indices)
        lists = st.lists(st.sampled_from(names), min_size=1, max_size=most, unique=True)
        bound = tuple(self.draw(lists))
        inner = (*scope, *(index for index in bound if index not in scope))
        body = self.using(bound, self.expression(inner, depth - 1))
        if name == "argmax":
            name = self.pick(["argmax", "argmin"])
            body = Expr(f"{_put(body, SUM)} + 0.0137*{bound[0]}", SUM, body.free, body.size)
        if name == "prod":
            body = self.unary("tanh", body)
        terms = int(np.prod([self.case.sizes[self.case.indices[index]] for index in bound]))
        size = {"sum": body.size * terms, "logsumexp": body.size + 3, "prod": 1.0}
        size |= {"argmax": float(terms), "argmin": float(terms)}
        text = f"{name}[{','.join(bound)}]({body.text})"
        return Expr(text, ATOM, body.free - set(bound), size.get(name, body.size))

    def using(self, indices: Sequence[str], e: Expr) -> Expr:
        """The expression, with something in it that depends on each of the indices."""
        for index in indices:
            if index in e.free:
                continue
            extent = self.case.indices[index]
            vectors = [k for k in self.known if k.axes == (extent,) and k.member is None]
            if vectors:
                factor = _access(self.pick(vectors).name, [index])
                e = Expr(f"{_put(e, PRODUCT)}*{factor}", PRODUCT, e.free | {index}, 1.5 * e.size)
            else:
                e = Expr(f"{_put(e, SUM)} + 0.1*{index}", SUM, e.free | {index}, e.size + 0.4)
        return e

    # --- statements

    def statement(self, target: str, operator: str, value: Expr, left: Sequence[Expr]) -> None:
        """One line, with its `for` list or, sometimes, without."""
        free = list(dict.fromkeys(i for e in left for i in sorted(e.free)))
        free += sorted(value.free - set(free))
        text = f"{_access(target, [e.text for e in left])} {operator} {value.text}"
        if free and not self.chance(4):
            text = f"for {','.join(self.draw(st.permutations(free)))}: {text}"
        self.case.statements.append(text)

    def left_indices(self, least: int = 0, most: int = 3) -> tuple[str, ...]:
        names = list(self.case.indices)
        lists = st.lists(
            st.sampled_from(names), min_size=min(least, len(names)), max_size=most, unique=True
        )
        return tuple(self.draw(lists))

    def axes(self, indices: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.case.indices[name] for name in indices)

    def bare(self, indices: Sequence[str]) -> list[Expr]:
        return [Expr(name, ATOM, frozenset([name]), 4) for name in indices]

    def add(
        self, name: str, indices: Sequence[str], size: float, member: str | None = None
    ) -> None:
        known = Known(name, self.axes(indices), tuple(indices), member, size)
        self.known.append(known)
        self.case.values.append(known)
        self.case.finished.append(len(self.case.statements))

    def accumulate(self, name: str, left: Sequence[Expr], size: float | None, depth: int) -> float:
        """One accumulation; `size` bounds the tensor before it, None where it has no value."""
        operator = self.pick(["+=", "-=", "*=", "max=", "min="])
        kept = tuple(dict.fromkeys(i for e in left for i in sorted(e.free)))
        others = [index for index in self.case.indices if index not in kept]
        bound: tuple[str, ...] = ()
        if others:
            bound = tuple(self.draw(st.lists(st.sampled_from(others), max_size=2, unique=True)))
        value = self.using(bound, self.expression((*kept, *bound), depth))
        if operator == "*=":
            value = self.unary(self.pick(["tanh", "sigmoid", "cos"]), value)
        self.statement(name, operator, value, left)
        terms = float(np.prod([self.case.sizes[self.case.indices[index]] for index in bound]))
        before = size or 0.0
        if operator == "*=":
            return size if size is not None else 1.0
        return before + value.size * terms if operator in ("+=", "-=") else before + value.size

    def value_group(self, name: str, depth: int) -> None:
        """A tensor set or accumulated, and perhaps accumulated into again with other operators."""
        indices = self.left_indices()
        size: float | None = None
        if self.draw(st.booleans()):
            value = self.expression(indices, depth)
            if self.chance(3):
                value = self.tamed(self.unary(self.pick(list(UNARY)), value))
            self.statement(name, "=", value, self.bare(indices))
            size = value.size
        rounds = self.draw(st.integers(0 if size is not None else 1, 2))
        for _ in range(rounds):
            size = self.accumulate(name, self.bare(indices), size, depth)
        self.add(name, indices, size or 0.0)

    def scatter_group(self, name: str, depth: int) -> None:
        """A tensor set whole, then accumulated into through gathered, repeated or fixed indices."""
        indices = self.left_indices(1, 2)
        value = self.expression(indices, 0) if self.chance(2) else _number("0")
        self.statement(name, "=", value, self.bare(indices))
        scope = self.left_indices(0, 3)
        left = [self.place(extent, scope) for extent in self.axes(indices)]
        size = self.accumulate(name, left, value.size, depth)
        most = max(int(np.prod([self.case.sizes[e] for e in self.axes(scope)])), 1)
        self.add(name, indices, value.size + (size - value.size) * most)

    def place(self, extent: str, scope: tuple[str, ...]) -> Expr:
        """A subscript on the left; each index of `scope` once or twice."""
        options = [k for k in self.known if k.member == extent and self.reachable(k, scope)]
        if options and not self.chance(3):
            return self.read(self.pick(options), scope, 0)
        return self.integer(extent, scope, 0)

    def argmax_group(self, name: str, depth: int) -> None:
        """A tensor of integers, to gather with."""
        index = self.pick(list(self.case.indices))
        indices = tuple(i for i in self.left_indices(0, 2) if i != index)
        body = self.using((index,), self.expression((*indices, index), depth))
        kind = self.pick(["argmax", "argmin"])
        text = f"{kind}[{index}]({_put(body, SUM)} + 0.0137*{index})"
        self.statement(name, "=", Expr(text, ATOM, body.free - {index}, 4), self.bare(indices))
        self.add(name, indices, 4, self.case.indices[index])

    def softmax_group(self, name: str) -> None:
        """A softmax in one of its spellings, then the logarithm of one of its elements."""
        logits = [k for k in self.known if k.member is None and k.indices]
        if not logits:
            return self.value_group(name, 1)
        chosen = self.pick(logits)
        indices = chosen.indices
        kept = self.pick(indices)
        read = _access(chosen.name, indices)
        body = read if chosen.size <= 4 else f"{4 / chosen.size:.4f}*{read}"
        if self.chance(3):
            body = f"tanh({body})"
        P, E, Z = f"P{name}", f"E{name}", f"Z{name}"
        rest = tuple(index for index in indices if index != kept)
        free = frozenset(indices)
        match self.pick(["softmax", "quotient", "steps"]):
            case "softmax":
                value = f"softmax[{kept}]({body})"
            case "quotient":
                value = f"exp({body})/sum[{kept}](exp({body}))"
            case _:
                e, z = _access(E, indices), _access(Z, rest)
                exponential = Expr(f"exp({body})", ATOM, free, 60)
                self.statement(E, "=", exponential, self.bare(indices))
                self.statement(Z, "+=", Expr(e, ATOM, free, 60), self.bare(rest))
                value = f"{e}/{z}"
        self.statement(P, "=", Expr(value, PRODUCT, free, 1), self.bare(indices))
        self.add(P, indices, 1)
        scope = self.left_indices()
        element = self.read(self.known[-1], (*rest, *(i for i in scope if i not in rest)), 1)
        used = tuple(sorted(element.free))
        self.statement(
            name, "=", Expr(f"-log({element.text})", SUM, element.free, 9), self.bare(used)
        )
        return self.add(name, used, 9)

    def loss(self) -> None:
        """The objective: what nothing has read yet and what came last, over b or over nothing."""
        values = [k for k in self.case.values if k.member is None]
        sinks = [k for k in values if k.name not in self.read_names] or values[-1:]
        own = ("b",) if "b" in self.case.indices and self.draw(st.booleans()) else ()
        if self.draw(st.booleans()):
            given = [k for k in self.case.given if k.member is None]
            sinks += [k for k in given if k.name not in self.read_names][-1:]
        terms = [self.total(known, own) for known in sinks[-4:]]
        terms = terms or [self.expression(own, 2)]
        value = Expr(" + ".join(_put(e, PRODUCT) for e in terms), SUM, _free(terms), 9)
        self.statement("loss", "=", value, self.bare(own))
        self.add("loss", own, 9)

    def total(self, known: Known, own: tuple[str, ...]) -> Expr:
        scale = "" if known.size <= LARGEST else f"{4 / known.size:.4f}*"
        form = self.pick(["{s}{e}", "tanh({s}{e})", "({s}{e})^2", "softplus({s}{e})"])
        body = form.format(e=_access(known.name, known.indices), s=scale)
        inner = [index for index in known.indices if index not in own]
        free = frozenset(known.indices) & set(own)
        if not inner:
            return Expr(body, PRODUCT, free, 9)
        return Expr(f"{self.pick(['mean', 'sum'])}[{','.join(inner)}]({body})", ATOM, free, 9)


def _free(parts: Sequence[Expr]) -> frozenset[str]:
    return frozenset().union(*(part.free for part in parts))


@st.composite
def cases(draw: Draw, most_statements: int = 5, depth: int = 3, largest: int = 4) -> Case:
    """A program, its extents and a seed for its data."""
    case = Case(seed=draw(st.integers(0, 2**16)))
    _draw_indices(draw, case, largest)
    _draw_tensors(draw, case)
    writer = Writer(draw, case)
    depths = st.sampled_from([0, 1, *range(2, depth + 1), depth])
    for name in NAMES[: draw(st.integers(1, most_statements))]:
        group = writer.pick(["value", "value", "scatter", "softmax", "value", "argmax"])
        match group:
            case "value":
                writer.value_group(name, draw(depths))
            case "scatter":
                writer.scatter_group(name, draw(depths))
            case "softmax":
                writer.softmax_group(name)
            case _:
                writer.argmax_group(name, draw(st.integers(0, 1)))
    writer.loss()
    if writer.chance(3):
        case.reports.append(f"report shown = {writer.expression((), 2).text}")
    return case


def _draw_indices(draw: Draw, case: Case, largest: int) -> None:
    sizes = st.integers(1, largest)
    if draw(st.booleans()):
        case.sizes[BATCH] = draw(sizes)
        case.indices["b"] = BATCH
        case.declarations.append(f"batch b < {BATCH}")
        if draw(st.booleans()):
            case.indices["b2"] = BATCH
            case.declarations.append(f"index b2 < {BATCH}")
    for name in ("i", "j", "ŷ")[: draw(st.integers(1, 3))]:
        if draw(st.integers(0, 4)) == 4:
            case.indices[name] = f"|{name}|"
            case.sizes[f"|{name}|"] = draw(sizes)
        else:
            case.indices[name] = str(draw(sizes))
            case.sizes[case.indices[name]] = int(case.indices[name])
            case.declarations.append(f"index {name} < {case.indices[name]}")
    case.declarations.append("let c = 0.7")


def _draw_tensors(draw: Draw, case: Case) -> None:
    names = list(case.indices)
    unique = st.lists(st.sampled_from(names), max_size=3, unique=True).map(tuple)
    inputs = [(name,) for name in names if not case.indices[name].isdigit() and name != "b2"]
    inputs = [*inputs, *draw(st.lists(unique, max_size=2))]
    for number, axes in enumerate(inputs):
        _declare(case, "input", f"x{number}", axes, "")
    for number in range(draw(st.integers(0, 2))):
        axes, member = draw(unique.filter(lambda a: len(a) < 3)), draw(st.sampled_from(names))
        _declare(case, "input", f"t{number}", axes, f" in {member}", case.indices[member])
    weights = [name for name in names if case.indices[name] != BATCH]
    unique = st.lists(st.sampled_from(weights), max_size=3, unique=True).map(tuple)
    for number, axes in enumerate(draw(st.lists(unique, min_size=1, max_size=3))):
        _declare(case, "param", f"W{number}", axes, " ~ normal(0, 1)")
        case.params.append(f"W{number}")


def _declare(
    case: Case,
    kind: str,
    name: str,
    indices: tuple[str, ...],
    rest: str,
    member: str | None = None,
) -> None:
    case.declarations.append(f"{kind} {_access(name, indices)}{rest}")
    axes = tuple(case.indices[index] for index in indices)
    case.given.append(Known(name, axes, indices, member))
