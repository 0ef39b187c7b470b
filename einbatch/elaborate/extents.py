"""Extents by unification: what each index runs over, and who said so.

Every index, every named extent and every axis of a tensor is a variable.
Declarations, literals and bare subscripts join variables or fix their value;
a value is an expression of numbers, constants and other extents. At the end
each class of variables has one value or, where only data can fix it, a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, diagnostic, fail
from einbatch.elaborate.dependencies import in_order
from einbatch.elaborate.polynomial import same_value
from einbatch.elaborate.show_extent import not_an_extent, show
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
from einbatch.syntax import nodes as tree

Variable = tuple[str, ...]
"""`("index", "i")`, `("extent", "B")`, `("axis", "W", "0")` or `("constant", "J")`."""
LONGEST = 200
"""The most parts that an extent may have where only data fix it, all that is known put in."""
MOST_PLACES = 8
"""The most places of a circle that are shown."""


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
    batch: tree.Identifier | None = None
    parents: dict[Variable, Variable] = field(default_factory=dict[Variable, Variable])
    values: dict[Variable, Fixed] = field(default_factory=dict[Variable, Fixed])
    meetings: list[Meeting] = field(default_factory=list[Meeting])
    names: dict[Variable, str] = field(default_factory=dict[Variable, str])
    settled: dict[Variable, Expression] = field(default_factory=dict[Variable, Expression])
    failed: dict[Variable, EinbatchError] = field(default_factory=dict[Variable, EinbatchError])
    errors: dict[Diagnostic, None] = field(default_factory=dict[Diagnostic, None])

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

    def place_of(self, variable: Variable) -> Span | None:
        """Where the variable's class got its value, None where only data fix it."""
        root = self.root(variable)
        return None if self._is_loose(root) else self.values[root].span

    def is_fixed(self, variable: Variable) -> bool:
        """True where some place gives the variable's class a value or a name can stand for it."""
        return self.root(variable) in self.values

    def name_classes(self, named: list[Variable]) -> None:
        """Each class takes the first of these variables as its name: extents before indices."""
        for variable in named:
            self.names.setdefault(self.root(variable), variable[1])

    def settle(self) -> None:
        """Computes every constant and every extent, once all is joined; keeps what goes wrong."""
        marks: list[Variable] = [("constant", name) for name in self.constants]
        self._settle([*marks, *self.values])

    def settle_now(self, variable: Variable, value: Expression, span: Span) -> None:
        """Fixes a variable when all else is settled."""
        self.fix(variable, value, span)
        self._settle([self.root(variable)])

    def _settle(self, marks: list[Variable]) -> None:
        order, circles = in_order(marks, self._below)
        for circle in circles:
            self._fail(circle, _circular([self._span(mark) for mark in circle]))
        for mark in order:
            if mark in self.failed:
                continue
            try:
                value = self.resolve(self._definition(mark))
                if mark[0] != "constant":
                    value = _positive(value, self._span(mark))
                    self._check_batch(mark, value)
                self.settled[mark] = value
            except EinbatchError as error:
                self._fail((mark,), error)

    def _check_batch(self, root: Variable, value: Expression) -> None:
        """The batch extent is what data say, minibatch by minibatch: others follow from it."""
        if self.batch is None or root != self.root(("index", self.batch.key)):
            return
        if not isinstance(value, Number):
            raise fail(
                "E0313",
                f"the batch extent is computed from others: |{self.batch.key}| is {show(value)}",
                (self._span(root), f"{show(value)} here"),
                (self.batch.span, "the batch index"),
                help=f"let data fix it, and compute the others from `|{self.batch.key}|`",
            )

    def _fail(self, marks: tuple[Variable, ...], error: EinbatchError) -> None:
        self.failed.update(dict.fromkeys(marks, error))
        self.errors.update(dict.fromkeys(error.diagnostics))

    def _below(self, mark: Variable) -> Iterator[Variable]:
        for node in walk(self._definition(mark)):
            match node:
                case Constant(name=name):
                    yield ("constant", name)
                case Extent(name=name) if not self._is_loose(root := self._root_of(name)):
                    yield root
                case _:
                    pass

    def _definition(self, mark: Variable) -> Expression:
        return self.constants[mark[1]] if mark[0] == "constant" else self.values[mark].value

    def _span(self, mark: Variable) -> Span:
        return self._definition(mark).span

    def _root_of(self, name: str) -> Variable:
        kind = "extent" if ("extent", name) in self.parents else "index"
        return self.root((kind, name))

    def _is_loose(self, root: Variable) -> bool:
        """True where only data fix an extent: that of the batch, and what has no value."""
        is_batch = self.batch is not None and root == self.root(("index", self.batch.key))
        return is_batch or root not in self.values

    def conflicts(self) -> list[Diagnostic]:
        """Every meeting of values that differ."""
        return [found for found in map(self._conflict, self.meetings) if found is not None]

    def _conflict(self, meeting: Meeting) -> Diagnostic | None:
        try:
            first = self.resolve(meeting.first.value)
            second = self.resolve(meeting.second.value)
        except EinbatchError as error:
            self._fail((), error)
            return None
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
        """What a variable comes to: a number, or an expression of names that data fix.

        1 where that went wrong: the error is in `errors`.
        """
        root = self.root(variable)
        if self._is_loose(root):
            return Extent(self.names.get(root, variable[1]))
        return self.settled.get(root, Number(1))

    def resolve(self, expression: Expression) -> Expression:
        """An extent's expression with everything known put in, folded where it is a number."""
        replaced = self._replace(expression)
        if not any(isinstance(node, Extent) for node in walk(replaced)):
            return _number(evaluate_constant(replaced, {}, {}), expression.span)
        if len(list(islice(walk(replaced), LONGEST + 1))) > LONGEST:
            raise fail(
                "E0306",
                f"this is made of more than {LONGEST} parts that only data fix",
                (expression.span, "an extent or a constant"),
                help="declare one of the extents in it by a number",
            )
        return replaced

    def _replace(self, expression: Expression) -> Expression:
        match expression:
            case Constant(name=name):
                return self._settled(("constant", name))
            case Extent(name=name):
                root = self._root_of(name)
                return self.of(root) if self._is_loose(root) else self._settled(root)
            case _:
                below = children(expression)
                parts = tuple(self._replace(child) for child in below)
                return rebuild(expression, parts) if below else expression

    def _settled(self, mark: Variable) -> Expression:
        if mark in self.failed:
            raise self.failed[mark]
        return self.settled[mark]


def _circular(spans: list[Span]) -> EinbatchError:
    places = [(span, "it leads on from here") for span in spans[1:]]
    return fail(
        "E0303",
        "this is defined by itself",
        (spans[0], "it leads back here"),
        *places[: MOST_PLACES - 1],
        help="fix one of them by a number",
    )


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
