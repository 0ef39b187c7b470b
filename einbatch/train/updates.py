"""What stands after `minimize`: updates, their `step`, and claims, which are no updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from typing import TypeVar, cast

from einbatch.diagnostics import Span, fail
from einbatch.elaborate.scope import collect
from einbatch.elaborate.settings import COUNTERS
from einbatch.elaborate.statements import target_name
from einbatch.ir import Program, statements_of
from einbatch.syntax import nodes as n

T = TypeVar("T")
STEP, STEPS = COUNTERS
"""The number of the update, from 1, and of all updates, as update statements read them."""


@dataclass(frozen=True, slots=True)
class Training:
    """A program whose updates are all statements of their own.

    `counters` are the inputs `step` and `steps`, those that something reads; whoever
    runs the updates gives them.
    """

    program: Program
    counters: tuple[str, ...]

    @property
    def is_trainable(self) -> bool:
        """True where an update writes a param or a state."""
        return any(is_kept(self.program, s.target) for s in statements_of(self.program.updates))

    def check(self) -> None:
        """E0801 where there is no objective, E0802 where nothing updates a param."""
        program = self.program
        train = [] if program.train is None else [(program.train.span, "to be trained")]
        if program.objective is None:
            raise fail(
                "E0801",
                "the program has no objective, so there is nothing to train for",
                *train,
                help="add a line `minimize loss`",
            )
        if not self.is_trainable:
            raise fail(
                "E0802",
                "nothing updates the params" if program.of_kind("param") else "there are no params",
                *(train or [(program.objective.span, "to be trained for this")]),
                help="add `train sgd(lr=0.1)`, or update statements after the objective"
                if program.of_kind("param")
                else "declare what is to be trained: `param W[j,i] = 0`",
            )


def is_kept(program: Program, name: str) -> bool:
    """True for the tensors that last from one update to the next: params and states."""
    tensor = program.find_tensor(name)
    return tensor is not None and tensor.kind in ("param", "state")


def declare_counters(tree: n.Tree) -> tuple[n.Tree, tuple[str, ...]]:
    """The tree with `input step`, where updates alone read `step` and nothing declares it.

    Likewise `steps`. The names of what is declared come with the tree.
    """
    after = _after_objective(tree)
    lines = tuple(line for line in tree.statements[:after] if isinstance(line, n.Train))
    forward = tuple(line for line in tree.statements[:after] if not isinstance(line, n.Train))
    read = _names(tree.statements[after:]) | _names(lines)
    asked = [name for name in COUNTERS if name in read]
    own = _names(forward) if asked else set[str]()
    loose = [name for name in asked if name not in own]
    scope = collect(tree) if loose else None
    found = tuple(name for name in loose if scope is not None and scope.find(name) is None)
    declarations = tuple(n.Input(n.Identifier(name, name), ()) for name in found)
    return replace(tree, statements=(*declarations, *tree.statements)), found


def without_claims(tree: n.Tree, cotangent: str) -> n.Tree:
    """The tree without the statements after `minimize` that write a cotangent (`W.grad`)."""
    after = _after_objective(tree)
    found = [_without(statement, cotangent) for statement in tree.statements[after:]]
    kept = [statement for statement in found if statement is not None]
    return replace(tree, statements=(*tree.statements[:after], *kept))


def check_claims(program: Program) -> None:
    """E0808 where a cotangent is written of what is no tensor."""
    for statement in statements_of(program.updates):
        base, dot, _ = statement.target.rpartition(program.cotangent)
        if dot and statement.target.endswith(dot) and program.find_tensor(base) is None:
            raise fail(
                "E0808",
                f"there is no tensor `{base}` to have the cotangent `{statement.target}`",
                (statement.span, "written here"),
                help="a cotangent is named after its tensor: `T.grad`",
            )


def instances(root: object, kind: type[T]) -> Iterator[T]:
    """Every node of a kind below `root`, which is a node of the tree or a tuple of them."""
    waiting = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, kind):
            yield item
        if isinstance(item, tuple):
            waiting.extend(cast("tuple[object, ...]", item))
        else:
            waiting.extend(getattr(item, name) for name in _fields(type(item)))


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node, but for its place; none of what is no node."""
    found = fields(kind) if is_dataclass(kind) and kind is not Span else ()
    return tuple(field.name for field in found if field.name != "span")


def _after_objective(tree: n.Tree) -> int:
    places = [k for k, line in enumerate(tree.statements) if isinstance(line, n.Minimize)]
    return places[0] + 1 if places else len(tree.statements)


def _names(statements: tuple[n.Statement, ...]) -> set[str]:
    return {name.identifier.key for name in instances(statements, n.Name)}


def _without(statement: n.Statement, cotangent: str) -> n.Statement | None:
    match statement:
        case n.Assign(target=target) if target_name(target).key.endswith(cotangent):
            return None
        case n.For() | n.Scan():
            found = [_without(item, cotangent) for item in statement.body]
            kept = tuple(item for item in found if item is not None)
            return replace(statement, body=kept) if kept else None
        case _:
            return statement
