"""Declarations of the tree, resolved: constants, indices, tensors and the train line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import cast

from einbatch.diagnostics import Span, fail
from einbatch.elaborate.attempts import Attempts, each
from einbatch.elaborate.expressions import Resolver
from einbatch.elaborate.samples import resolve_samples
from einbatch.elaborate.scope import TENSORS, WORDS, Scope
from einbatch.elaborate.settings import check_option, check_override, overridden
from einbatch.elaborate.wording import counted
from einbatch.ir import (
    Draw,
    Elements,
    Expression,
    Let,
    Reduce,
    Tensor,
    Train,
    free_indices,
    walk,
)
from einbatch.ir.program import Dtype
from einbatch.syntax import nodes as tree

DISTRIBUTIONS: dict[str, int] = {"normal": 2, "uniform": 2, "glorot": 0, "he": 0}
"""The distributions that a param may start from, with their number of arguments."""


@dataclass(frozen=True, slots=True)
class DeclaredExtent:
    """An index and the extent that its declaration gives it."""

    index: tree.Identifier
    extent: Expression


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything that the declarations of a program say; tensors have no extents yet."""

    lets: tuple[Let, ...]
    batch: str | None
    extents: tuple[DeclaredExtent, ...]
    tensors: tuple[Tensor, ...]
    train: Train | None
    dtype: Dtype | None

    def with_given(self, tensors: tuple[Tensor, ...]) -> Declared:
        """The same with tensors that need no declaration."""
        return replace(self, tensors=(*self.tensors, *tensors))


def resolve_declarations(
    program: tree.Tree,
    scope: Scope,
    overrides: Mapping[str, int | float],
    attempts: Attempts,
) -> Declared:
    """All declarations of a tree; errors go to `attempts`."""
    work = _Declarations(scope, attempts, dict(overrides))
    for statement in program.statements:
        attempts.attempt(lambda statement=statement: work.declare(statement))
    for tensor in resolve_samples(program, work.resolver, work.constant):
        attempts.attempt(lambda tensor=tensor: work.tensors.append(tensor()))
    attempts.attempt(work.check_overrides)
    return work.result()


class _Declarations:
    def __init__(self, scope: Scope, attempts: Attempts, overrides: dict[str, int | float]) -> None:
        self.scope = scope
        self.resolver = Resolver(scope, self.not_constant)
        self.attempt = attempts.attempt
        self.overrides = overrides
        self.lets: list[Let] = []
        self.batch: tree.Identifier | None = None
        self.extents: list[DeclaredExtent] = []
        self.tensors: list[Tensor] = []
        self.train: Train | None = None
        self.dtype: tree.Dtype | None = None

    def not_constant(self, identifier: tree.Identifier, count: int | None) -> None:
        """A tensor is read where a constant is needed, or a name means nothing."""
        del count
        symbol = self.scope.find(identifier.key)
        if symbol is None:
            raise self.scope.unknown(
                identifier, meanings=("constant", "extent"), form="`let {} = 10`"
            )
        raise fail(
            "E0304",
            f"`{identifier.key}` is {WORDS[symbol.meaning]}, and a constant is needed",
            (identifier.span, "a constant is made of numbers, constants and extents"),
            (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
            help="move what depends on data into a statement",
        )

    def result(self) -> Declared:
        kinds = ("input", "param", "state", "draw")
        tensors = sorted(self.tensors, key=lambda tensor: kinds.index(tensor.kind))
        return Declared(
            tuple(self.lets),
            None if self.batch is None else self.batch.key,
            tuple(self.extents),
            tuple(tensors),
            self.train,
            None if self.dtype is None else cast(Dtype, self.dtype.name),
        )

    def declare(self, statement: tree.Statement) -> None:
        match statement:
            case tree.Let(name=name, value=value):
                self.lets.append(Let(name.key, self.let(name, value), name.span))
            case tree.Batch(index=index, extent=extent):
                self.declare_batch(index, extent)
            case tree.Indices(groups=groups):
                for group in groups:
                    self.attempt(lambda group=group: self.declare_group(group))
            case tree.Input():
                self.tensors.append(self.input(statement))
            case tree.Param():
                self.tensors.append(self.param(statement))
            case tree.State():
                self.tensors.append(self.state(statement))
            case tree.Train():
                self.declare_train(statement)
            case tree.Dtype():
                self.declare_dtype(statement)
            case _:
                pass

    def declare_group(self, group: tree.IndexGroup) -> None:
        extent = self.constant(group.extent)
        fresh = (n for n in group.names if self.scope.symbols[n.key].identifier is n)
        self.extents += [DeclaredExtent(name, extent) for name in fresh]

    def let(self, name: tree.Identifier, value: tree.Expression) -> Expression:
        if name.key in self.overrides:
            return overridden(self.overrides[name.key], value.span)
        return self.constant(value)

    def check_overrides(self) -> None:
        """Every constant that is to be set is declared."""
        known = [let.name for let in self.lets]
        each(lambda name: check_override(name, known), self.overrides)

    def declare_batch(self, index: tree.Identifier, extent: tree.Expression | None) -> None:
        if self.batch is not None:
            raise fail(
                "E0309",
                "a program has one batch index",
                (index.span, "a second one here"),
                (self.batch.span, "the first one here"),
                help=f"make `{index.key}` an ordinary index: `index {index.key} < …`",
            )
        self.batch = index
        if extent is not None:
            self.extents.append(DeclaredExtent(index, self.constant(extent)))

    def declare_train(self, statement: tree.Train) -> None:
        if self.train is not None:
            raise self.once("train", statement, self.train.span)
        each(check_option, statement.options)
        settings = self.options(statement.settings, self.scalar)
        options = self.options(statement.options, self.constant)
        self.train = Train(statement.optimizer, settings, options, statement.span)

    def options(
        self,
        options: tuple[tree.Option, ...],
        resolve: Callable[[tree.Expression], Expression],
    ) -> tuple[tuple[str, Expression], ...]:
        seen: dict[str, tree.Option] = {}
        for option in options:
            if option.name in seen:
                raise fail(
                    "E0413",
                    f"`{option.name}` is given twice",
                    (option.span, "again here"),
                    (seen[option.name].span, "first here"),
                    help="keep one of them",
                )
            seen[option.name] = option
        return tuple((option.name, resolve(option.value)) for option in options)

    def declare_dtype(self, statement: tree.Dtype) -> None:
        if self.dtype is not None:
            raise self.once("dtype", statement, self.dtype.span)
        if statement.name not in ("float32", "float64"):
            raise fail(
                "E0310",
                f"there is no dtype `{statement.name}`",
                (statement.span, "declared here"),
                help="a program computes in `float32` or in `float64`",
            )
        self.dtype = statement

    def once(self, word: str, statement: tree.Statement, earlier: Span) -> Exception:
        return fail(
            "E0417",
            f"a program has one `{word}` line",
            (statement.span, "a second one here"),
            (earlier, "the first one here"),
            help="keep one of them",
        )

    def input(self, statement: tree.Input) -> Tensor:
        axes = self.axes(statement.axes)
        member = None if statement.member is None else self.resolver.index(statement.member)
        literal = statement.literal
        return Tensor(
            statement.name.key,
            "input",
            (),
            axes,
            member is not None,
            member,
            None if literal is None else self.initial(literal, axes),
            statement.source,
            statement.name.span,
        )

    def param(self, statement: tree.Param) -> Tensor:
        axes = self.axes(statement.axes)
        initial = statement.initial
        given = (
            self.draw(initial) if isinstance(initial, tree.Draw) else self.initial(initial, axes)
        )
        name = statement.name
        return Tensor(name.key, "param", (), axes, initial=given, span=name.span)

    def state(self, statement: tree.State) -> Tensor:
        axes = self.axes(statement.axes)
        name = statement.name
        initial = self.initial(statement.initial, axes)
        return Tensor(name.key, "state", (), axes, initial=initial, span=name.span)

    def axes(self, axes: tuple[tree.Identifier, ...]) -> tuple[str, ...]:
        names = tuple(self.resolver.index(axis) for axis in axes)
        for position, axis in enumerate(axes):
            if axis.key in names[:position]:
                raise fail(
                    "E0403",
                    f"index `{axis.key}` stands twice in one declaration",
                    (axis.span, "again here"),
                    (axes[names.index(axis.key)].span, "first here"),
                    help=f"declare a second index of the same extent: `index {axis.key}2 < "
                    f"|{axis.key}|`",
                )
        return names

    def draw(self, draw: tree.Draw) -> Draw:
        count = DISTRIBUTIONS.get(draw.distribution)
        if count is None:
            near = get_close_matches(draw.distribution, DISTRIBUTIONS, 1)
            raise fail(
                "E0209",
                f"there is no distribution `{draw.distribution}`",
                (draw.span, "drawn from here"),
                help=f"did you mean `{near[0]}`?" if near else f"{', '.join(DISTRIBUTIONS)}",
            )
        if count != len(draw.arguments):
            raise fail(
                "E0205",
                f"`{draw.distribution}` takes {counted(count, 'argument')}, "
                f"and gets {len(draw.arguments) or 'none'}",
                (draw.span, "drawn from here"),
                help=_DRAW_HELP[draw.distribution],
            )
        arguments = tuple(self.constant(argument) for argument in draw.arguments)
        return Draw(draw.distribution, arguments, draw.span)

    def constant(self, node: tree.Expression) -> Expression:
        """An expression of numbers, constants and extents."""
        return self.without_reads(self.resolver.number(node), ())

    def scalar(self, node: tree.Expression) -> Expression:
        """A constant, or an expression that reads single numbers: `step`, a scalar tensor."""
        return self.without_reads(Resolver(self.scope, self.any_tensor).number(node), ())

    def any_tensor(self, identifier: tree.Identifier, count: int | None) -> None:
        """Subscripts are checked where the optimizer's statements read the tensor."""
        symbol = self.scope.find(identifier.key)
        if symbol is None or symbol.meaning not in TENSORS:
            self.not_constant(identifier, count)

    def initial(
        self, node: tree.Expression | tree.Elements, axes: tuple[str, ...]
    ) -> Expression | Elements:
        """Elements, or an expression that may use the axes' own indices."""
        match node:
            case tree.Elements(items=(tree.Compare() | tree.Logic() | tree.Not() as item,)):
                return self.initial(tree.Iverson(item, node.span), axes)
            case tree.Elements(items=items):
                return Elements(tuple(self.element(item) for item in items), node.span)
            case _:
                return self.without_reads(self.resolver.number(node), axes)

    def element(self, node: tree.Expression | tree.Elements) -> Expression | Elements:
        if isinstance(node, tree.Elements):
            return Elements(tuple(self.element(item) for item in node.items), node.span)
        return self.constant(node)

    def without_reads(self, value: Expression, axes: tuple[str, ...]) -> Expression:
        for node in walk(value):
            if isinstance(node, Reduce):
                raise fail(
                    "E0304",
                    f"`{node.reduction}` is no part of a constant",
                    (node.span, "a constant is made of numbers, constants and extents"),
                    help="move what depends on data into a statement",
                )
        loose = [name for name in free_indices(value) if name not in axes]
        if loose:
            raise fail(
                "E0304",
                f"index `{loose[0]}` has no value here",
                (value.span, "used here"),
                help=f"`|{loose[0]}|` is its extent; an initial value may use its own axes",
            )
        return value


_DRAW_HELP = {
    "normal": "`normal(mean, standard deviation)`",
    "uniform": "`uniform(low, high)`",
    "glorot": "`glorot()` takes its scale from the extents",
    "he": "`he()` takes its scale from the extents",
}
