"""Random expressions over what a program knows so far.

Values stay moderate and away from poles; what jumps or has a kink gets an odd
offset, so that nothing happens to sit on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from hypothesis import strategies as st

from tests.random_case import (
    ATOM,
    CONDITIONAL,
    POWER,
    PRODUCT,
    SUM,
    Case,
    Expr,
    Known,
    access,
    numeral,
    put,
)

Draw = Callable[[st.SearchStrategy], object]
LARGEST = 20.0
"""The bound on an expression's magnitude above which it is scaled down."""
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


class Expressions:
    """Draws expressions over what is known so far."""

    scanned: tuple[str, ...] = ()
    """The indices of the scans around: no loop list has them."""

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
        options = [numeral("0")]
        if extent.isdigit():
            size = int(extent)
            options.append(numeral(str(size - 1)))
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
        return Expr(access(known.name, [part.text for part in parts]), ATOM, free, size)

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
        options = [numeral(text) for text in ("2", "1", "0", "0.5", "3", "0.1", "1.25")]
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
        return Expr(f"{put(e, SUM)} {self.pick(COMPARISONS[:4])} 0.1319", CONDITIONAL, e.free, 1)

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
        return Expr(f"{put(e, PRODUCT)}/{int(e.size / 4)}", PRODUCT, e.free, 4.1)

    def unary(self, name: str, e: Expr) -> Expr:
        template, binding, size = UNARY[name]
        parts = {"e": e.text, "s": put(e, SUM), "p": put(e, PRODUCT), "a": put(e, ATOM)}
        return Expr(template.format(**parts), binding, e.free, size(e.size))

    def binary(self, scope: tuple[str, ...], depth: int) -> Expr:
        template, binding, size = BINARY[self.pick(list(BINARY))]
        a, b = self.expression(scope, depth - 1), self.expression(scope, depth - 1)
        parts = {"e": a.text, "s": put(a, SUM), "p": put(a, PRODUCT), "a": put(a, ATOM)}
        parts |= {"E": b.text, "P": put(b, PRODUCT), "F": put(b, POWER), "A": put(b, ATOM)}
        return Expr(template.format(**parts), binding, a.free | b.free, size(a.size, b.size))

    def choice(self, scope: tuple[str, ...], depth: int) -> Expr:
        condition = self.condition(scope, depth - 1)
        a = self.expression(scope, depth - 1)
        if self.chance(3):
            size = max(a.size, 1)
            text = f"[{condition.text}]*{put(a, POWER)}"
            return Expr(text, PRODUCT, condition.free | a.free, size)
        b = self.expression(scope, depth - 1)
        text = f"if {condition.text} then {a.text} else {b.text}"
        free = condition.free | a.free | b.free
        return Expr(text, CONDITIONAL, free, max(a.size, b.size))

    def reduction(self, scope: tuple[str, ...], depth: int) -> Expr:
        name = self.pick(REDUCTIONS)
        if name.endswith("softmax"):
            kept = [index for index in scope if index not in self.scanned]
            if not kept:
                return self.leaf(scope)
            index = self.pick(kept)
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
            body = Expr(f"{put(body, SUM)} + 0.0137*{bound[0]}", SUM, body.free, body.size)
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
                factor = access(self.pick(vectors).name, [index])
                e = Expr(f"{put(e, PRODUCT)}*{factor}", PRODUCT, e.free | {index}, 1.5 * e.size)
            else:
                e = Expr(f"{put(e, SUM)} + 0.1*{index}", SUM, e.free | {index}, e.size + 0.4)
        return e
