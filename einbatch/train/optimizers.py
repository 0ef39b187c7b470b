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
from dataclasses import dataclass, replace
from functools import cache

from einbatch.diagnostics import NOWHERE, EinbatchError, Source, Span, fail
from einbatch.elaborate.scope import collect
from einbatch.ir import Objective, Program, Value, evaluate_constant, statements_of
from einbatch.syntax import nodes as n
from einbatch.syntax import parse
from einbatch.train.recipes import PLAIN_SGD, at, resolve_optimizer, resolve_settings
from einbatch.train.updates import STEP, instances, is_kept


def inline_optimizer(
    tree: n.Tree,
    program: Program,
    optimizer: str | None = None,
    settings: Mapping[str, float] | None = None,
) -> n.Tree:
    """The tree with the optimizer of its `train` line as update statements.

    `optimizer` and `settings` override the line; `program` is the elaborated tree.
    Raises EinbatchError (E0412) where the optimizer or a setting is unknown, or
    where the program has updates of its own too.
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
    own = next((s for s in statements_of(program.updates) if is_kept(program, s.target)), None)
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
    overrides: Mapping[str, float],
) -> n.Tree:
    span = train.span if train else NOWHERE
    optimizer = resolve_optimizer(name, span)
    given = train.settings if train and train.optimizer == name else ()
    values = resolve_settings(name, optimizer, given, overrides, span)
    text = optimizer.text
    if name == "sgd" and _is_zero(program, "momentum", values):
        text = PLAIN_SGD
    taken = {identifier.key for identifier in instances(tree, n.Identifier)}
    if STEP in text:
        _check_step_is_free(name, tree, span)
    params = [param for param in tree.statements if isinstance(param, n.Param)]
    bare = [replace(s, optimizer=None, settings=()) if s is train else s for s in tree.statements]
    for place, objective in reversed(list(_places(tree, program))):
        statements: list[n.Statement] = []
        for param in params:
            if param.name.key in program.params_of(objective):
                ascends = objective.sense == "maximize"
                inliner = _Inliner(param, values, program.cotangent, taken, span, ascends)
                statements += inliner.statements(_template(text))
        bare[place:place] = statements
    return replace(tree, statements=tuple(bare))


def _places(tree: n.Tree, program: Program) -> Iterator[tuple[int, Objective]]:
    """Where the updates of each objective go: before the next one, the last one's at the end.

    At the end is before the `train` line, where that stands behind.
    """
    lines = [k for k, line in enumerate(tree.statements) if isinstance(line, n.Minimize)]
    trains = [k for k, line in enumerate(tree.statements) if isinstance(line, n.Train)]
    last = max(*trains, lines[-1] + 1) if trains else len(tree.statements)
    return zip((*lines[1:], last), program.objectives, strict=True)


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


def _is_zero(program: Program, name: str, settings: Mapping[str, n.Expression]) -> bool:
    """True where a setting is known to be 0 before any data come."""
    setting = settings[name]
    if isinstance(setting, n.Number):
        return float(setting.text) == 0
    if program.train is None:
        return False
    try:
        known: dict[str, Value] = {}
        for let in program.lets:
            known[let.name] = evaluate_constant(let.value, known, {})
        return evaluate_constant(dict(program.train.settings)[name], known, {}) == 0
    except (KeyError, EinbatchError):
        return False


@cache
def _template(text: str) -> n.Tree:
    return parse(Source("<optimizer>", text + "\n"))


@dataclass(frozen=True, slots=True)
class _Inliner:
    """Writes a template's statements for one param."""

    param: n.Param
    settings: Mapping[str, n.Expression]
    cotangent: str
    taken: set[str]
    span: Span
    ascends: bool

    def statements(self, template: n.Tree) -> Iterator[n.Statement]:
        names = {"T": self.param.name}
        for statement in template.statements:
            if isinstance(statement, n.State):
                names[statement.name.key] = self.fresh(statement.name.key)
        for statement in template.statements:
            yield self.statement(statement, names)

    def fresh(self, suffix: str) -> n.Identifier:
        """`W_velocity`, or `W_velocity2` where that is taken."""
        name, count = self.param.name, 1
        while f"{name.key}_{suffix}{count if count > 1 else ''}" in self.taken:
            count += 1
        tail = f"_{suffix}{count if count > 1 else ''}"
        self.taken.add(name.key + tail)
        return n.Identifier(name.key + tail, (name.spelling or name.key) + tail, self.span)

    def statement(self, item: n.Statement, names: Mapping[str, n.Identifier]) -> n.Statement:
        axes = self.param.axes
        match item:
            case n.State(name=name, initial=initial):
                return n.State(names[name.key], axes, initial, self.span)
            case n.For(body=(n.Assign() as assign,)):
                written = self.assign(assign, names)
                return n.For(axes, (written,), self.span) if axes else written
            case _:
                raise AssertionError(item)

    def assign(self, item: n.Assign, names: Mapping[str, n.Identifier]) -> n.Assign:
        target = self.expression(item.target, names)
        assert isinstance(target, (n.Access, n.Name))
        ascends = self.ascends and item.operator == "-="
        operator = "+=" if ascends else item.operator
        return n.Assign(target, operator, self.expression(item.value, names), self.span)

    def expression(self, node: n.Expression, names: Mapping[str, n.Identifier]) -> n.Expression:
        match node:
            case n.Access(tensor=tensor):
                return self.access(tensor.key, names)
            case n.Name(identifier=identifier) if identifier.key in self.settings:
                return self.settings[identifier.key]
            case n.Sum(terms=terms):
                return n.Sum(
                    tuple((sign, self.expression(term, names)) for sign, term in terms), self.span
                )
            case n.Product(factors=factors):
                return n.Product(
                    tuple((sign, self.expression(item, names)) for sign, item in factors), self.span
                )
            case n.Power(base=base, exponent=exponent):
                pair = (self.expression(base, names), self.expression(exponent, names))
                return n.Power(*pair, self.span)
            case n.Call(function=function, arguments=arguments):
                inside = tuple(self.expression(item, names) for item in arguments)
                return n.Call(function, inside, self.span)
            case _:
                return replace(node, span=self.span)

    def access(self, key: str, names: Mapping[str, n.Identifier]) -> n.Access | n.Name:
        base, dot, _ = key.partition(".")
        name, suffix = names[base], self.cotangent if dot else ""
        tensor = n.Identifier(name.key + suffix, (name.spelling or name.key) + suffix, self.span)
        if not self.param.axes:
            return n.Name(tensor, self.span)
        return n.Access(tensor, tuple(n.Name(axis) for axis in self.param.axes), self.span)
