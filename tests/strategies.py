"""Typed random programs: extents first, then indices, then tensors, then statements.

A program is drawn as text, so that a failing one reads as a person would have
typed it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from tests.random_case import ATOM, PRODUCT, SUM, Case, Expr, Known, access, free_of, numeral, put
from tests.random_expressions import LARGEST, UNARY, Draw, Expressions

NAMES = ("h", "s", "g", "h̃", "z", "q'", "Δ", "v", "r", "y")
BATCH = "B"


class Writer(Expressions):
    """Draws statements, and keeps what they write among what is known."""

    block: list[str] | None = None
    """The lines of the scan under way."""

    def statement(
        self,
        target: str,
        operator: str,
        value: Expr,
        left: Sequence[Expr],
        *,
        partial: bool = False,
    ) -> None:
        """One line, with its `for` list or, sometimes, without."""
        free = list(dict.fromkeys(i for e in left for i in sorted(e.free)))
        free += sorted(value.free - set(free))
        free = [index for index in free if index not in self.scanned]
        place = access(target, [e.text for e in left])
        text = f"{f'({place} else 0)' if partial else place} {operator} {value.text}"
        if free and not self.chance(4):
            text = f"for {','.join(self.draw(st.permutations(free)))}: {text}"
        self.emit(text)

    def emit(self, line: str) -> None:
        """A line of the program; those of a scan are kept until its block is whole."""
        if self.block is None:
            self.case.statements.append(line)
        else:
            self.block.append(line)

    def left_indices(self, least: int = 0, most: int = 3) -> tuple[str, ...]:
        names = [name for name in self.case.indices if name not in self.scanned]
        least, most = min(least, len(names)), min(most, len(names))
        lists = st.lists(st.sampled_from(names or [""]), min_size=least, max_size=most, unique=True)
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
        value = self.expression(indices, 0) if self.chance(2) else numeral("0")
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
        text = f"{kind}[{index}]({put(body, SUM)} + 0.0137*{index})"
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
        read = access(chosen.name, indices)
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
                e, z = access(E, indices), access(Z, rest)
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
        value = Expr(" + ".join(put(e, PRODUCT) for e in terms), SUM, free_of(terms), 9)
        self.statement("loss", "=", value, self.bare(own))
        self.add("loss", own, 9)

    def total(self, known: Known, own: tuple[str, ...]) -> Expr:
        scale = "" if known.size <= LARGEST else f"{4 / known.size:.4f}*"
        form = self.pick(["{s}{e}", "tanh({s}{e})", "({s}{e})^2", "softplus({s}{e})"])
        body = form.format(e=access(known.name, known.indices), s=scale)
        inner = [index for index in known.indices if index not in own]
        free = frozenset(known.indices) & set(own)
        if not inner:
            return Expr(body, PRODUCT, free, 9)
        return Expr(f"{self.pick(['mean', 'sum'])}[{','.join(inner)}]({body})", ATOM, free, 9)


@st.composite
def cases(draw: Draw, most_statements: int = 5, depth: int = 3, largest: int = 4) -> Case:
    """A program, its extents and a seed for its data."""
    case = Case(seed=draw(st.integers(0, 2**16)))
    draw_indices(draw, case, largest)
    draw_tensors(draw, case)
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


def draw_indices(draw: Draw, case: Case, largest: int) -> None:
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


def draw_tensors(draw: Draw, case: Case) -> None:
    names = list(case.indices)
    unique = st.lists(st.sampled_from(names), max_size=3, unique=True).map(tuple)
    inputs = [(name,) for name in names if not case.indices[name].isdigit() and name != "b2"]
    inputs = [*inputs, *draw(st.lists(unique, max_size=2))]
    for number, axes in enumerate(inputs):
        declare(case, "input", f"x{number}", axes, "")
    for number in range(draw(st.integers(0, 2))):
        axes, member = draw(unique.filter(lambda a: len(a) < 3)), draw(st.sampled_from(names))
        declare(case, "input", f"t{number}", axes, f" in {member}", case.indices[member])
    weights = [name for name in names if case.indices[name] != BATCH]
    unique = st.lists(st.sampled_from(weights), max_size=3, unique=True).map(tuple)
    for number, axes in enumerate(draw(st.lists(unique, min_size=1, max_size=3))):
        declare(case, "param", f"W{number}", axes, " ~ normal(0, 1)")
        case.params.append(f"W{number}")


def declare(
    case: Case,
    kind: str,
    name: str,
    indices: tuple[str, ...],
    rest: str,
    member: str | None = None,
) -> None:
    case.declarations.append(f"{kind} {access(name, indices)}{rest}")
    axes = tuple(case.indices[index] for index in indices)
    case.given.append(Known(name, axes, indices, member))
