"""What stands where: a tensor is written, then read, and never the other way round."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.ir import Program, Read, Statement, reads, statements_of


def check_order(program: Program, failed: Collection[str] = ()) -> Iterator[Diagnostic]:
    """Reads before a value, writes after a read, and second values.

    `failed` are the targets of statements that have an error of their own: they count
    as written from the start.
    """
    work = _Order(program, {t.name for t in program.tensors if t.kind != "value"} | {*failed})
    for statement in statements_of(program.statements):
        yield from work.forward(statement)
    yield from work.objective()
    for report in program.reports:
        yield from work.report(report)
    yield from work.updates()


@dataclass(slots=True)
class _Order:
    """What has a value so far, and who wrote and read it first."""

    program: Program
    known: set[str]
    first_write: dict[str, Span] = field(default_factory=dict[str, Span])
    first_read: dict[str, Span] = field(default_factory=dict[str, Span])

    def forward(self, statement: Statement) -> Iterator[Diagnostic]:
        for read in _reads(statement):
            self.first_read.setdefault(read.tensor, read.span)
            yield from self.state(read)
            if read.tensor not in self.known:
                yield self.before(read)
        yield from self.write(statement)

    def report(self, report: Statement) -> Iterator[Diagnostic]:
        for read in _reads(report):
            yield from self.state(read)
            if read.tensor not in self.known:
                yield self.before(read)

    def objective(self) -> Iterator[Diagnostic]:
        objective = self.program.objective
        if objective is not None and objective.tensor not in self.known:
            yield diagnostic(
                "E0410",
                f"`{objective.tensor}` has no value where it is to be {objective.sense}d",
                (objective.span, "read here"),
                *self.later_write(objective.tensor),
                help="write it in a statement before this line",
            )

    def updates(self) -> Iterator[Diagnostic]:
        """Updates rewrite params and states; their temporaries have a value before a read."""
        forward = dict(self.first_write)
        suffix = self.program.cotangent
        if self.program.objective is not None:
            self.known |= {t.name for t in self.program.tensors if t.name.endswith(suffix)}
        self.first_read.clear()
        for statement in statements_of(self.program.updates):
            for read in _reads(statement):
                self.first_read.setdefault(read.tensor, read.span)
                if read.tensor not in self.known:
                    yield self.before(read)
            if statement.target in forward:
                yield _after_objective(statement, forward[statement.target])
            elif statement.target.endswith(suffix) or self.is_kept(statement.target):
                self.known.add(statement.target)
            else:
                yield from self.write(statement)

    def is_kept(self, name: str) -> bool:
        tensor = self.program.find_tensor(name)
        return tensor is not None and tensor.kind != "value"

    def write(self, statement: Statement) -> Iterator[Diagnostic]:
        name = statement.target
        if statement.operator == "=" and name in self.first_write:
            yield diagnostic(
                "E0409",
                f"`{name}` has a value already",
                (statement.span, "set again here"),
                (self.first_write[name], "it got its value here"),
                help="use another name, or accumulate with `+=`",
            )
        elif name in self.first_read and name in self.first_write:
            yield diagnostic(
                "E0408",
                f"`{name}` is accumulated into after something has read it",
                (statement.span, "written here"),
                (self.first_read[name], "read here"),
                help="move this statement before the read, or use another name",
            )
        self.first_write.setdefault(name, statement.span)
        self.known.add(name)

    def before(self, read: Read) -> Diagnostic:
        if ".grad" in read.tensor:
            return self.underived(read)
        return diagnostic(
            "E0410",
            f"`{read.tensor}` is read before it has a value",
            (read.span, "read here"),
            *self.later_write(read.tensor),
            help="statements run from top to bottom; move the one that writes it up",
        )

    def underived(self, read: Read) -> Diagnostic:
        objective = self.program.objective
        derived = [] if objective is None else [(objective.span, "derived from here on")]
        return diagnostic(
            "E0419",
            f"`{read.tensor}` has no value here",
            (read.span, "read here"),
            *derived,
            help="cotangents are read by update statements, after a `minimize` line",
        )

    def later_write(self, name: str) -> list[tuple[Span, str]]:
        steps = (*self.program.statements, *self.program.updates)
        spans = [s.span for s in statements_of(steps) if s.target == name]
        return [(spans[0], "written here")] if spans else []

    def state(self, read: Read) -> Iterator[Diagnostic]:
        tensor = self.program.find_tensor(read.tensor)
        if tensor is not None and tensor.kind == "state":
            yield diagnostic(
                "E0418",
                f"the state `{read.tensor}` is read before `minimize`",
                (read.span, "read here"),
                (tensor.span, "a state here"),
                help="states belong to the update statements; declare a param, or an input",
            )


def _reads(statement: Statement) -> Iterator[Read]:
    for expression in (*statement.subscripts, statement.value):
        yield from reads(expression)


def _after_objective(statement: Statement, first: Span) -> Diagnostic:
    return diagnostic(
        "E0406",
        f"`{statement.target}` is a tensor of the forward statements and cannot be written here",
        (statement.span, "written after `minimize`"),
        (first, "it got its value here"),
        help="updates write params, states and temporaries of their own",
    )
