"""The built-in optimizers: update statements in the notation, inlined for each param.

Before, a program says

    param W[j,i] = 0
    minimize loss
    train sgd(lr=0.1, momentum=0.9), batch=32

and after

    param W[j,i] = 0
    minimize loss
    state W_velocity[j,i] = 0
    for j,i: W_velocity[j,i] = 0.9*W_velocity[j,i] + W.grad[j,i]
    for j,i: W[j,i] -= 0.1*W_velocity[j,i]
    train batch=32

so that nothing later knows of optimizers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise

from einbatch.diagnostics import NOWHERE, Source, Span, fail
from einbatch.elaborate.scope import collect
from einbatch.ir import Program, statements_of
from einbatch.syntax import nodes as n
from einbatch.syntax import parse
from einbatch.syntax.traverse import parts, with_parts
from einbatch.train.recipes import PLAIN, SHORTER, Optimizer, clipped, gradient
from einbatch.train.settings import (
    Overrides,
    Settings,
    at,
    resolve_optimizer,
    resolve_settings,
)
from einbatch.train.updates import STEP, instances

Names = Mapping[str, n.Identifier]
Axes = tuple[n.Identifier, ...]


def inline_optimizer(
    tree: n.Tree,
    program: Program,
    optimizer: str | None = None,
    settings: Overrides | None = None,
) -> n.Tree:
    """The tree with the optimizer of its `train` line as update statements, at its end.

    `optimizer` and `settings` override the line; `program` is the elaborated tree.
    Raises EinbatchError (E0412) where the optimizer or a setting is unknown, or
    where updates of the program's own write params too.
    """
    train = next((s for s in tree.statements if isinstance(s, n.Train)), None)
    line = train.optimizer if train else None
    chosen = line if optimizer is None else optimizer
    if chosen is None:
        if settings:
            name = next(iter(settings))
            raise fail(
                "E0412",
                f"there is no optimizer to set `{name}` of",
                help='name one: `train sgd(lr=0.1)`, or `optimizer="sgd"` from Python',
            )
        return tree
    span = train.span if train else NOWHERE
    if program.objective is None:
        return tree  # `Training.check` says so
    params = {tensor.name for tensor in program.of_kind("param")}
    own = next((s for s in statements_of(program.updates) if s.target in params), None)
    if own is not None:
        raise fail(
            "E0412",
            f"the optimizer `{chosen}` would update the params a second time",
            *at(span, "an optimizer here"),
            (own.span, "an update statement here"),
            help="remove the optimizer's name, or the program's own update statements",
        )
    return _inlined(tree, program, chosen, train, settings or {})


def _inlined(
    tree: n.Tree,
    program: Program,
    name: str,
    train: n.Train | None,
    overrides: Overrides,
) -> n.Tree:
    span = train.span if train else NOWHERE
    optimizer = resolve_optimizer(name, span)
    given = train.settings if train and train.optimizer == name else ()
    settings = resolve_settings(name, program, given, overrides, span)
    if STEP in optimizer.recipe(settings.has, PLAIN):
        _check_step_is_free(name, tree, span)
    taken = {identifier.key for identifier in instances(tree, n.Identifier)}
    others = [s for s in tree.statements if s is not train]
    bare = [] if train is None else [replace(train, optimizer=None, settings=())]
    lines = [k for k, line in enumerate(others) if isinstance(line, n.Minimize)]
    inlined = others[: lines[0]] if lines else others
    for objective, (start, end) in zip(
        program.objectives, pairwise((*lines, len(others))), strict=True
    ):
        names = frozenset(program.params_of(objective))
        params = [s for s in others if isinstance(s, n.Param) and s.name.key in names]
        ascends = objective.sense == "maximize"
        writer = _Writer(settings, program.cotangent, taken, span, ascends)
        inlined += [*others[start:end], *_updates(optimizer, writer, params)]
    return replace(tree, statements=(*inlined, *bare))


def _updates(optimizer: Optimizer, writer: _Writer, params: list[n.Param]) -> list[n.Statement]:
    """The updates of the params of one objective; they stand before the next one."""
    settings = writer.settings
    used = gradient(settings.has, couples=optimizer.couples, ascends=writer.ascends)
    is_plain = used == PLAIN
    recipe = optimizer.recipe(settings.has, PLAIN if is_plain else "descent[i]")
    if not is_plain:
        recipe = f"for i: descent[i] = {used}\n{recipe}"
        writer = replace(writer, ascends=False)
    statements: list[n.Statement] = []
    if settings.has("clip_norm"):
        for param in params:
            statements += writer.written(f"for i: clip_square += {clipped(settings.has)}^2", param)
        statements += writer.written(SHORTER, None)
    for param in params:
        statements += writer.written(recipe, param)
    return statements


def _check_step_is_free(name: str, tree: n.Tree, span: Span) -> None:
    symbol = collect(tree).find(STEP)
    if symbol is not None:
        raise fail(
            "E0412",
            f"`{name}` counts the updates in `{STEP}`, which means something else here",
            *at(span, "named here"),
            (symbol.identifier.span, f"`{STEP}` here"),
            help=f"give your `{STEP}` another name",
        )


@cache
def _template(text: str) -> n.Tree:
    return parse(Source("<optimizer>", text + "\n"))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the statements of a recipe for one param, or those that all params share.

    A subscripted name of a recipe is the param's own (`W_velocity`), one without
    subscripts is the same for all (`clip`); `shared` gathers those.
    """

    settings: Settings
    cotangent: str
    taken: set[str]
    span: Span
    ascends: bool
    shared: dict[str, n.Identifier] = field(default_factory=dict[str, n.Identifier])

    def written(self, text: str, param: n.Param | None) -> Iterator[n.Statement]:
        template = _template(text)
        names = {} if param is None else {"T": param.name}
        for target in _targets(template):
            if isinstance(target, n.Name):
                key = target.identifier.key
                if key not in self.shared:
                    self.shared[key] = self.fresh(key, None)
            elif target.key not in names and param is not None:
                names[target.key] = self.fresh(target.key, param.name)
        axes = () if param is None else param.axes
        known = {**self.shared, **names}
        return (self.statement(item, known, axes) for item in template.statements)

    def fresh(self, suffix: str, param: n.Identifier | None) -> n.Identifier:
        """`W_velocity`, or `W_velocity2` where that is taken; `clip` where all share it."""
        key, spelling = (f"{param.key}_", f"{param.spelling or param.key}_") if param else ("", "")
        count, tail = 1, suffix
        while key + tail in self.taken:
            count += 1
            tail = f"{suffix}{count}"
        self.taken.add(key + tail)
        return n.Identifier(key + tail, spelling + tail, self.span)

    def statement(self, item: n.Statement, names: Names, axes: Axes) -> n.Statement:
        match item:
            case n.State(name=name, initial=initial):
                return n.State(names[name.key], axes, initial, self.span)
            case n.For(body=(n.Assign() as assign,)):
                written = self.assign(assign, names, axes)
                return n.For(axes, (written,), self.span) if axes else written
            case n.Assign():
                return self.assign(item, names, axes)
            case _:
                raise AssertionError(item)

    def assign(self, item: n.Assign, names: Names, axes: Axes) -> n.Assign:
        target = self.expression(item.target, names, axes)
        assert isinstance(target, (n.Access, n.Name))
        operator = "+=" if self.ascends and item.operator == "-=" else item.operator
        return n.Assign(target, operator, self.expression(item.value, names, axes), self.span)

    def expression(self, node: n.Expression, names: Names, axes: Axes) -> n.Expression:
        match node:
            case n.Access(tensor=tensor):
                return self.access(tensor.key, names, axes)
            case n.Name(identifier=identifier) if identifier.key in self.settings.expressions:
                return self.settings.expressions[identifier.key]
            case n.Name(identifier=identifier):
                return n.Name(names.get(identifier.key, identifier), self.span)
            case _:
                below = tuple(self.expression(part, names, axes) for part in parts(node))
                return replace(with_parts(node, below), span=self.span)

    def access(self, key: str, names: Names, axes: Axes) -> n.Access | n.Name:
        base, dot, _ = key.partition(".")
        name, suffix = names[base], self.cotangent if dot else ""
        tensor = n.Identifier(name.key + suffix, (name.spelling or name.key) + suffix, self.span)
        if not axes:
            return n.Name(tensor, self.span)
        return n.Access(tensor, tuple(n.Name(axis) for axis in axes), self.span)


def _targets(template: n.Tree) -> Iterator[n.Identifier | n.Name]:
    """What a recipe writes: names with subscripts as identifiers, names alone as they are."""
    for item in template.statements:
        match item:
            case n.State(name=name):
                yield name
            case n.For(body=(n.Assign(target=target),)) | n.Assign(target=target):
                yield target.tensor if isinstance(target, n.Access) else target
            case _:
                raise AssertionError(item)
