"""What each name of a program means: one name space for everything."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, diagnostic, fail
from einbatch.elaborate.settings import COUNTERS
from einbatch.ir import FUNCTIONS, REDUCTIONS
from einbatch.syntax import nodes as tree
from einbatch.syntax.spelling import key_of
from einbatch.syntax.traverse import parts

Meaning = Literal[
    "index", "extent", "constant", "input", "param", "state", "draw", "value", "report"
]
WORDS: dict[Meaning, str] = {
    "index": "an index",
    "extent": "an extent",
    "constant": "a constant",
    "input": "an input",
    "param": "a param",
    "state": "a state",
    "draw": "a random draw",
    "value": "a tensor",
    "report": "a report",
}
TENSORS: frozenset[Meaning] = frozenset({"input", "param", "state", "draw", "value"})
CONSTANTS = ("pi", "inf")
SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
MOST_SEARCHES = 20
"""How often a program's errors search for the nearest name, which costs time."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name's meaning and the place that gave it."""

    meaning: Meaning
    identifier: tree.Identifier
    rank: int = 0


@dataclass(slots=True)
class Scope:
    """The names of one program, filled by `collect`; `errors` gathers what went wrong."""

    symbols: dict[str, Symbol] = field(default_factory=dict[str, Symbol])
    errors: list[Diagnostic] = field(default_factory=list[Diagnostic])
    searches: int = 0

    def find(self, key: str) -> Symbol | None:
        """What a name means, or None."""
        return self.symbols.get(key)

    def holder(self, key: str) -> str:
        """The tensor whose cotangent a name is: `W` of `W.grad`, or the name itself.

        Where there is no `s_loss`, `s_loss.grad` is that of `s` under the objective `loss`,
        and `s_1.grad` an earlier value of `s.grad`.
        """
        base, dot, _ = key.rpartition(".grad")
        if not dot or base in self.symbols:
            return base or key
        known = self.symbols.keys()
        cuts = [k for k, character in enumerate(base) if character == "_"]
        for cut in reversed(cuts):
            tensor, objective = base[:cut], base[cut + 1 :]
            if tensor in known and {objective, objective.rstrip("0123456789")} & {*known, ""}:
                return tensor
        return base

    def declare(self, meaning: Meaning, identifier: tree.Identifier, rank: int = 0) -> None:
        """Gives a name its meaning; a second, different one is an error that shows both."""
        known = self.symbols.get(identifier.key)
        if identifier.key in CONSTANTS and rank == 0:
            self.errors.append(_is_a_number(identifier))
        if known is None:
            self.symbols[identifier.key] = Symbol(meaning, identifier, rank)
        elif meaning != known.meaning or meaning not in ("index", "value"):
            self.errors.append(_declared_twice(known, meaning, identifier))

    def unknown(
        self,
        identifier: tree.Identifier,
        what: str = "is not declared",
        meanings: Collection[Meaning] = tuple(WORDS),
        form: str = "`input {}[…]`, `param {}[…] = …` or `let {} = …`",
    ) -> EinbatchError:
        """The error for a name that nothing gives a meaning.

        Its help is the nearest name with one of the meanings, or a declaration in `form`.
        """
        key = identifier.key
        near = self.nearest(key, meanings)
        return fail(
            "E0202",
            f"`{key}` {what}",
            (identifier.span, "nothing gives this name a meaning"),
            help=self._power(identifier)
            or _counter(key)
            or (f"did you mean `{near}`?" if near else f"declare it: {form.format(*[key] * 3)}"),
        )

    def _power(self, identifier: tree.Identifier) -> str:
        """The help for `x²` where `x` is a name, and the square of it may be meant."""
        name = identifier.spelling.rstrip(SUPERSCRIPTS)
        power = identifier.key[len(key_of(name)) :]
        if not power or key_of(name) not in self.symbols:
            return ""
        return f"after a name, digits are a part of it; the power is `{name}^{power}`"

    def nearest(self, key: str, meanings: Collection[Meaning]) -> str | None:
        """The name most like `key`: of the program, else, where any will do, of the language."""
        self.searches += 1
        if self.searches > MOST_SEARCHES:
            return None
        names = [name for name, symbol in self.symbols.items() if symbol.meaning in meanings]
        names = [name for name in names if name.partition(".grad")[0] != key]
        near = get_close_matches(key, names, 1, cutoff=0.5)
        if not near and len(meanings) == len(WORDS):
            near = get_close_matches(key, (*FUNCTIONS, *REDUCTIONS, *CONSTANTS), 1)
        return near[0] if near else None


def _counter(key: str) -> str:
    """The help for `step` where no update is being made."""
    if key not in COUNTERS:
        return ""
    return f"`{key}` is known after `minimize`, and in the settings of an optimizer"


def _is_a_number(identifier: tree.Identifier) -> Diagnostic:
    return diagnostic(
        "E0113",
        f"`{identifier.key}` is a number of the language and cannot be declared",
        (identifier.span, "declared here"),
        help=f"choose another name; a tensor may have it: `{identifier.key}[…]`",
    )


def _declared_twice(known: Symbol, meaning: Meaning, identifier: tree.Identifier) -> Diagnostic:
    twice = known.meaning == meaning
    return diagnostic(
        "E0201",
        f"`{identifier.key}` {'is declared twice' if twice else 'has two meanings'}",
        (identifier.span, f"{WORDS[meaning]} here"),
        (known.identifier.span, f"{WORDS[known.meaning]} here"),
        help="remove one of them, or give it another name"
        if twice
        else "a name means one thing in the whole program; rename one of them",
    )


def collect(program: tree.Tree) -> Scope:
    """Every name that the program declares, assigns or subscripts with."""
    scope = Scope()
    for statement in program.statements:
        _declare(scope, statement)
    for statement in program.statements:
        _declare_extents(scope, statement)
    for sample in samples(program.statements):
        _declare_target(scope, sample.target, "draw")
    for target in _targets(program.statements):
        _declare_target(scope, target, "value")
    for identifier in _index_uses(program.statements):
        if scope.find(identifier.key) is None:
            scope.declare("index", identifier)
    return scope


def _declare(scope: Scope, statement: tree.Statement) -> None:
    match statement:
        case tree.Batch(index=index):
            scope.declare("index", index)
        case tree.Indices(groups=groups):
            _declare_indices(scope, groups)
        case tree.Let(name=name):
            scope.declare("constant", name)
        case tree.Input(name=name, axes=axes):
            scope.declare("input", name, len(axes))
        case tree.Param(name=name, axes=axes):
            scope.declare("param", name, len(axes))
        case tree.State(name=name, axes=axes):
            scope.declare("state", name, len(axes))
        case tree.Report(name=name):
            scope.declare("report", name)
        case _:
            pass


def _declare_indices(scope: Scope, groups: tuple[tree.IndexGroup, ...]) -> None:
    for group in groups:
        for name in group.names:
            known = scope.find(name.key)
            if known is not None and known.meaning == "index":
                scope.errors.append(_declared_twice(known, "index", name))
            else:
                scope.declare("index", name)


def _declare_extents(scope: Scope, statement: tree.Statement) -> None:
    """A name alone that stands as an extent and means nothing else is a fresh extent."""
    match statement:
        case tree.Batch(extent=tree.Name(identifier=name)):
            fresh = [name]
        case tree.Indices(groups=groups):
            fresh = [g.extent.identifier for g in groups if isinstance(g.extent, tree.Name)]
        case _:
            fresh = []
    for identifier in fresh:
        if scope.find(identifier.key) is None and identifier.key not in CONSTANTS:
            scope.declare("extent", identifier)


def _targets(statements: tuple[tree.Statement, ...]) -> Iterator[tree.Access | tree.Name]:
    for statement in statements:
        match statement:
            case tree.Assign(target=target):
                yield target
            case tree.For(body=body) | tree.Scan(body=body):
                yield from _targets(body)
            case _:
                pass


def samples(statements: tuple[tree.Statement, ...]) -> Iterator[tree.Sample]:
    """Every random draw, those in blocks included."""
    for statement in statements:
        match statement:
            case tree.Sample():
                yield statement
            case tree.For(body=body) | tree.Scan(body=body):
                yield from samples(body)
            case _:
                pass


def _declare_target(
    scope: Scope, target: tree.Access | tree.Name, meaning: Literal["draw", "value"]
) -> None:
    identifier = target.tensor if isinstance(target, tree.Access) else target.identifier
    known = scope.find(identifier.key)
    if known is not None and meaning == "value" and known.meaning not in ("value", "draw"):
        return  # where the statement is resolved, that is an error
    rank = len(target.subscripts) if isinstance(target, tree.Access) else 0
    scope.declare(meaning, identifier, rank)


def _index_uses(statements: tuple[tree.Statement, ...]) -> Iterator[tree.Identifier]:
    """Names in axes, loop lists and reduction brackets, and names alone as subscripts.

    Declarations come first, by kind, so that a program keeps its order of indices
    when it is printed in the canonical order and read again.
    """
    for kind in (tree.Input, tree.Param, tree.State):
        for statement in statements:
            if isinstance(statement, kind):
                yield from statement.axes
                if isinstance(statement, tree.Input) and statement.member is not None:
                    yield statement.member
    for sample in samples(statements):
        yield from _indices_in(sample.target)
    yield from _loop_uses(statements)
    for statement in statements:
        if isinstance(statement, tree.Report):
            yield from _indices_in(statement.value)


def _loop_uses(statements: tuple[tree.Statement, ...]) -> Iterator[tree.Identifier]:
    for statement in statements:
        match statement:
            case tree.For(indices=indices, body=body):
                yield from indices
                yield from _loop_uses(body)
            case tree.Scan(index=index, body=body):
                yield index
                yield from _loop_uses(body)
            case tree.Assign(target=target, value=value):
                yield from _indices_in(target)
                yield from _indices_in(value)
            case _:
                pass


def _indices_in(expression: tree.Expression) -> Iterator[tree.Identifier]:
    stack: list[tree.Expression] = [expression]
    while stack:
        node = stack.pop()
        match node:
            case tree.Access(subscripts=subscripts):
                yield from (s.identifier for s in subscripts if isinstance(s, tree.Name))
            case tree.Reduction(indices=indices):
                yield from indices
            case _:
                pass
        stack.extend(reversed(parts(node)))


def spellings(scope: Scope) -> tuple[tuple[str, str], ...]:
    """For each name that was typed otherwise than its key: the key and the spelling."""
    pairs = ((key, symbol.identifier.spelling) for key, symbol in scope.symbols.items())
    return tuple((key, spelling) for key, spelling in pairs if spelling and spelling != key)


def place(scope: Scope, key: str) -> Span:
    """Where a known name got its meaning."""
    return scope.symbols[key].identifier.span
