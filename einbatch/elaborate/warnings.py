"""What is right, and probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Diagnostic, deep_stack, diagnostic
from einbatch.ir import (
    Apply,
    Expression,
    Extent,
    Program,
    Read,
    Reduce,
    Statement,
    free_indices,
    statements_of,
)


@deep_stack()
def find_warnings(program: Program) -> list[Diagnostic]:
    """Every warning of a checked program, in the order of its statements."""
    found = [
        warning
        for statement in statements_of((*program.statements, *program.updates))
        for warning in _repeated_terms(statement)
    ]
    return [*found, *_averaged_twice(program), *_in_no_list(program)]


def _repeated_terms(statement: Statement) -> Iterator[Diagnostic]:
    """A term that a bound index does not touch is added once for each of its values."""
    if statement.operator not in ("+=", "-="):
        return
    kept = free_indices(*statement.subscripts)
    bound = [name for name in statement.indices if name not in kept]
    for term, around in _terms(statement.value, ()):
        missing = [name for name in bound if name not in free_indices(term, *around)]
        if missing:
            names = ", ".join(f"`{name}`" for name in missing)
            yield diagnostic(
                "W0401",
                f"this term does not depend on {names}, and is added "
                f"{'*'.join(f'|{name}|' for name in missing)} times",
                (term.span, f"the same for every {names}"),
                (
                    statement.span,
                    f"{names} {'is' if len(missing) == 1 else 'are'} summed over here",
                ),
                help="give it a statement of its own, or sum inside: "
                f"`sum[{','.join(missing)}](…)`",
            )


def _terms(
    value: Expression, around: tuple[Expression, ...]
) -> Iterator[tuple[Expression, tuple[Expression, ...]]]:
    """The terms of a sum, those of a sum in parentheses too, each with what multiplies it."""
    match value:
        case Apply(primitive="add", arguments=arguments):
            for argument in arguments:
                yield from _terms(argument, around)
        case Apply(primitive="neg", arguments=(argument,)):
            yield from _terms(argument, around)
        case Apply(primitive="div", arguments=(above, below)):
            yield from _terms(above, (*around, below))
        case Apply(primitive="mul", arguments=factors):
            sums = [factor for factor in factors if _is_sum(factor)]
            others = tuple(factor for factor in factors if not _is_sum(factor))
            if len(sums) == 1:
                yield from _terms(sums[0], (*around, *others))
            else:
                yield value, around
        case _:
            yield value, around


def _is_sum(value: Expression) -> bool:
    match value:
        case Apply(primitive="neg", arguments=(argument,)):
            return _is_sum(argument)
        case Apply(primitive="add"):
            return True
        case _:
            return False


def _in_no_list(program: Program) -> Iterator[Diagnostic]:
    """Of several objectives, each param is most likely meant to belong to one."""
    if len(program.objectives) < 2:
        return
    for param in program.of_kind("param"):
        if param.name not in program.trained:
            yield diagnostic(
                "W0403",
                f"no objective is over `{param.name}`: it stays as it is",
                (param.span, "declared here"),
                (program.objectives[-1].span, "the last objective"),
                help=f"add `{param.name}` to a list; what is never trained can be an `input`",
            )


def _averaged_twice(program: Program) -> Iterator[Diagnostic]:
    """A loss over b that has the mean over b in it is averaged twice."""
    batch = program.batch
    if batch is None:
        return
    names = {batch, *(n for n, e in program.extents if e == program.index(batch).extent)}
    for objective in program.objectives:
        if not program.tensor(objective.tensor).extents:
            continue
        for place in _Averages(program, batch, names).of_tensor(objective.tensor):
            yield diagnostic(
                "W0402",
                f"`{objective.tensor}` is averaged over `{batch}` here, and carries `{batch}`",
                (place.span, "averaged here"),
                (objective.span, f"and here: the mean over `{batch}` is meant"),
                help=f"leave the mean out, or make `{objective.tensor}` a scalar",
            )


class _Averages:
    """Finds the means over the batch that a loss is made of, through the names of its parts."""

    def __init__(self, program: Program, batch: str, extents: set[str]) -> None:
        self.batch = batch
        self.extents = extents
        self.followed: set[str] = set()
        self.values: dict[str, list[Expression]] = {}
        for statement in statements_of(program.statements):
            self.values.setdefault(statement.target, []).append(statement.value)

    def of_tensor(self, name: str) -> Iterator[Expression]:
        """Those in the statements of a tensor, each tensor once."""
        if name not in self.followed:
            self.followed.add(name)
            for value in self.values.get(name, ()):
                yield from self.of(value)

    def of(self, value: Expression, *, named: bool = True) -> Iterator[Expression]:
        """Terms that are a mean over the batch, and factors that divide by its extent."""
        match value:
            case Read(tensor=tensor, otherwise=None) if named:
                yield from self.of_tensor(tensor)
            case Apply(primitive=("add" | "neg"), arguments=arguments):
                for argument in arguments:
                    yield from self.of(argument, named=named)
            case Apply(primitive="mul", arguments=arguments):
                for argument in arguments:
                    others = [item for item in arguments if item is not argument]
                    alone = self.batch not in free_indices(*others)
                    yield from self.of(argument, named=named and alone)
            case Apply(primitive="div", arguments=(_, below)) if _has_factor(below, self.extents):
                yield value
            case Apply(primitive="div", arguments=(above, below)):
                alone = self.batch not in free_indices(below)
                yield from self.of(above, named=named and alone)
            case Reduce(reduction="mean", indices=indices) if self.batch in indices:
                yield value
            case Reduce(reduction="sum", body=body):
                yield from self.of(body, named=named)
            case _:
                pass


def _has_factor(below: Expression, extents: set[str]) -> bool:
    """True for `B`, and for products with it."""
    match below:
        case Extent(name=name):
            return name in extents
        case Apply(primitive="mul", arguments=arguments):
            return any(_has_factor(argument, extents) for argument in arguments)
        case _:
            return False
