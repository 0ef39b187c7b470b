"""Extents by unification: what each index runs over, and who said so.

Every index, every named extent and every axis of a tensor is a variable.
Declarations, literals and bare subscripts join variables or fix their value;
a value is an expression of numbers, constants and other extents. At the end
each class of variables has one value or, where only data can fix it, a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, diagnostic, fail
from einbatch.elaborate.polynomial import same_value
from einbatch.ir import (
    Apply,
    Constant,
    Expression,
    Extent,
    Number,
    Value,
    children,
    evaluate_constant,
    rebuild,
    walk,
)

Variable = tuple[str, ...]
"""`("index", "i")`, `("extent", "B")` or `("axis", "W", "0")`."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value that some place gives to a variable."""

    value: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Meeting:
    """A place that brought two values together, and the name that it is about."""

    name: str
    span: Span
    first: Fixed
    second: Fixed


@dataclass(slots=True)
class Extents:
    """The variables of one program and what is known of them."""

    constants: dict[str, Expression]
    batch: str | None = None
    parents: dict[Variable, Variable] = field(default_factory=dict[Variable, Variable])
    values: dict[Variable, Fixed] = field(default_factory=dict[Variable, Fixed])
    meetings: list[Meeting] = field(default_factory=list[Meeting])
    names: dict[Variable, str] = field(default_factory=dict[Variable, str])
    active: list[Variable] = field(default_factory=list[Variable])

    def root(self, variable: Variable) -> Variable:
        """The variable that stands for a class."""
        path = [variable]
        while (parent := self.parents.get(path[-1], path[-1])) != path[-1]:
            path.append(parent)
        for item in path[:-1]:
            self.parents[item] = path[-1]
        return path[-1]

    def join(self, a: Variable, b: Variable, span: Span) -> None:
        """`a` and `b` are one extent, by what stands at `span`."""
        first, second = self.root(a), self.root(b)
        if first == second:
            return
        self.parents[second] = first
        found = self.values.pop(second, None)
        if found is not None:
            self._meet(a, b, first, found, span)

    def fix(self, variable: Variable, value: Expression, span: Span) -> None:
        """The variable has this value, by what stands at `span`."""
        self._meet(variable, variable, self.root(variable), Fixed(value, span), span)

    def _meet(self, a: Variable, b: Variable, root: Variable, new: Fixed, span: Span) -> None:
        known = self.values.setdefault(root, new)
        if known is not new:
            self.meetings.append(Meeting(self._index_of(a, b), span, known, new))

    def _index_of(self, a: Variable, b: Variable) -> str:
        """The index that a person would name: one of the two, else the first of the class."""
        root = self.root(a)
        of_class = (v for v in self.parents if self.root(v) == root)
        return next((v[1] for v in (a, b, *of_class) if v[0] == "index"), a[1])

    def is_fixed(self, variable: Variable) -> bool:
        """True where some place gives the variable's class a value or a name can stand for it."""
        return self.root(variable) in self.values

    def name_classes(self, named: list[Variable]) -> None:
        """Each class takes the first of these variables as its name: extents before indices."""
        for variable in named:
            self.names.setdefault(self.root(variable), variable[1])

    def conflicts(self) -> list[Diagnostic]:
        """Every meeting of values that differ."""
        return [found for found in map(self._conflict, self.meetings) if found is not None]

    def _conflict(self, meeting: Meeting) -> Diagnostic | None:
        first = self.resolve(meeting.first.value)
        second = self.resolve(meeting.second.value)
        if same_value(first, second):
            return None
        a, b = show(first), show(second)
        places = [(meeting.second.span, f"{b} here"), (meeting.first.span, f"{a} here")]
        if meeting.span != meeting.second.span:
            places.insert(0, (meeting.span, "one index, so one extent"))
        return diagnostic(
            "E0203",
            f"index `{meeting.name}` has two extents, {a} and {b}",
            *places,
            help="give one of them another index, or correct the extent; nothing is broadcast",
        )

    def of(self, variable: Variable) -> Expression:
        """What a variable comes to: a number, or an expression of names that data fix."""
        root = self.root(variable)
        is_batch = self.batch is not None and root == self.root(("index", self.batch))
        if is_batch or root not in self.values:
            return Extent(self.names.get(root, variable[1]))
        fixed = self.values[root]
        if root in self.active:
            raise fail(
                "E0303",
                "this extent is defined by itself",
                (fixed.span, "it leads back here"),
                help="fix one of the extents by a number",
            )
        self.active.append(root)
        try:
            return _positive(self.resolve(fixed.value), fixed.span)
        finally:
            self.active.pop()

    def known(self, variable: Variable) -> Expression | None:
        """The value that the program itself gives a variable, the batch index' included."""
        fixed = self.values.get(self.root(variable))
        return None if fixed is None else self.resolve(fixed.value)

    def resolve(self, expression: Expression) -> Expression:
        """An extent's expression with everything known put in, folded where it is a number."""
        replaced = self._replace(expression)
        if any(isinstance(node, Extent) for node in walk(replaced)):
            return replaced
        return _number(evaluate_constant(replaced, {}, {}), expression.span)

    def _replace(self, expression: Expression) -> Expression:
        match expression:
            case Constant(name=name):
                return self.constant(name, expression.span)
            case Extent(name=name):
                kind = "extent" if ("extent", name) in self.parents else "index"
                return self.of((kind, name))
            case _:
                below = children(expression)
                return (
                    rebuild(expression, tuple(map(self._replace, below))) if below else expression
                )

    def constant(self, name: str, span: Span) -> Expression:
        """The value of a `let`, with everything known put in."""
        mark = ("constant", name)
        if mark in self.active:
            raise fail(
                "E0303",
                f"the constant `{name}` is defined by itself",
                (span, "it leads back here"),
                help="give one of the constants a number",
            )
        self.active.append(mark)
        try:
            return self.resolve(self.constants[name])
        finally:
            self.active.pop()


def _number(value: Value, span: Span) -> Expression:
    if isinstance(value, Fraction):
        return Apply("div", (Number(value.numerator), Number(value.denominator)), span)
    return Number(value, span)


def _positive(value: Expression, span: Span) -> Expression:
    match value:
        case Number(value=int() as number) if number >= 1:
            return value
        case Number() | Apply(arguments=(Number(), Number())):
            raise not_an_extent(show(value), span)
        case _:
            return value


def not_an_extent(shown: str, span: Span) -> EinbatchError:
    """The error for a value that is no positive integer."""
    return fail(
        "E0301",
        f"an extent is a positive integer, and this is {shown}",
        (span, "an extent"),
        help="use `floor(…)` where a division may leave a rest",
    )


def show(expression: Expression) -> str:
    """A resolved extent as a person writes it."""
    match expression:
        case Number(value=value):
            return str(value)
        case Extent(name=name) | Constant(name=name):
            return name
        case Apply(primitive=primitive, arguments=arguments):
            parts = [show(argument) for argument in arguments]
            return _SHOWN.get(primitive, _as_call(primitive))(parts)
        case _:
            return "…"


def _as_call(primitive: str) -> Callable[[list[str]], str]:
    return lambda parts: f"{primitive}({', '.join(parts)})"


def _grouped(part: str) -> str:
    return f"({part})" if "+" in part or "-" in part else part


_SHOWN: dict[str, Callable[[list[str]], str]] = {
    "add": lambda parts: "+".join(parts).replace("+-", "-"),
    "mul": lambda parts: "*".join(map(_grouped, parts)),
    "div": lambda parts: "/".join(map(_grouped, parts)),
    "pow": "^".join,
    "neg": lambda parts: f"-{parts[0]}",
}
