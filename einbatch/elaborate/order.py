"""What stands where: a tensor is written, then read, and never the other way round.

In a scan, "before" is by rounds: what an earlier round wrote may be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.elaborate.integers import integer_values
from einbatch.elaborate.scans import Round, check_scan, reads_of, rounds_of
from einbatch.ir import Program, Read, statements_of


def check_order(program: Program, failed: Collection[str] = ()) -> Iterator[Diagnostic]:
    """Reads before a value, writes after a read, and second values.

    `failed` are the targets of statements that have an error of their own: they count
    as written from the start.
    """
    work = _Order(program, {t.name for t in program.tensors if t.kind != "value"} | {*failed})
    constants = integer_values(program)
    for step in rounds_of(program.statements, constants):
        yield from work.forward(step)
    yield from check_scan(program)
    yield from work.objectives()
    for report in program.reports:
        yield from work.report(Round(report, (), constants))
    yield from work.updates(constants)


@dataclass(slots=True)
class _Order:
    """What has a value so far, who wrote it first, and who has read it."""

    program: Program
    known: set[str]
    first_write: dict[str, Span] = field(default_factory=dict[str, Span])
    reads: dict[str, list[tuple[Round, Read]]] = field(
        default_factory=dict[str, list[tuple[Round, Read]]]
    )

    def forward(self, step: Round) -> Iterator[Diagnostic]:
        for read in reads_of(step.statement):
            self.reads.setdefault(read.tensor, []).append((step, read))
            if read.tensor not in self.known and not step.is_of_another_round(read):
                yield self.before(read)
        yield from self.write(step)

    def report(self, report: Round) -> Iterator[Diagnostic]:
        for read in reads_of(report.statement):
            if read.tensor not in self.known:
                yield self.before(
                    read, "a report shows what the statements before `minimize` compute"
                )

    def objectives(self) -> Iterator[Diagnostic]:
        for objective in self.program.objectives:
            if objective.tensor not in self.known:
                yield diagnostic(
                    "E0410",
                    f"`{objective.tensor}` has no value where it is to be {objective.sense}d",
                    (objective.span, "read here"),
                    *self.later_write(objective.tensor),
                    help="write it in a statement before this line",
                )

    def updates(self, constants: Mapping[str, int]) -> Iterator[Diagnostic]:
        """Updates rewrite params and states; their temporaries have a value before a read."""
        forward = dict(self.first_write)
        self.reads.clear()
        for number, steps in enumerate(self.program.sections):
            self.known |= set(self.derived(number))
            for step in rounds_of(steps, constants):
                yield from self.update(step, forward)

    def derived(self, number: int) -> Iterator[str]:
        """The cotangents that are there from an objective on; a param's from its own on."""
        objectives, suffix = self.program.objectives, self.program.cotangent
        if number >= len(objectives):
            return
        listed = objectives[number].over is not None
        for tensor in self.program.tensors:
            if tensor.name.endswith(suffix):
                base = tensor.name.removesuffix(suffix)
                own = base in (objectives[number].over or ())
                if own or not (listed and self.is_param(base)):
                    yield tensor.name

    def is_param(self, name: str) -> bool:
        tensor = self.program.find_tensor(name)
        return tensor is not None and tensor.kind == "param"

    def update(self, step: Round, forward: Mapping[str, Span]) -> Iterator[Diagnostic]:
        suffix = self.program.cotangent
        target = step.statement.target
        for read in reads_of(step.statement):
            self.reads.setdefault(read.tensor, []).append((step, read))
            if read.tensor not in self.known and not step.is_of_another_round(read):
                yield self.before(read)
        if target in forward:
            yield _after_objective(step, forward[target])
        elif target.endswith(suffix) or self.is_kept(target):
            self.known.add(target)
        else:
            yield from self.write(step)

    def is_kept(self, name: str) -> bool:
        tensor = self.program.find_tensor(name)
        return tensor is not None and tensor.kind != "value"

    def write(self, step: Round) -> Iterator[Diagnostic]:
        statement = step.statement
        name = statement.target
        reads = (read for other, read in self.reads.get(name, ()) if other.meets(read, step))
        read = next(reads, None) if name in self.first_write else None
        if statement.operator == "=" and name in self.first_write:
            yield diagnostic(
                "E0409",
                f"`{name}` has a value already",
                (statement.span, "set again here"),
                (self.first_write[name], "it got its value here"),
                help="use another name, or accumulate with `+=`",
            )
        elif read is not None:
            yield diagnostic(
                "E0408",
                f"`{name}` is accumulated into after something has read it",
                (statement.span, "written here"),
                (read.span, "read here"),
                help="move this statement before the read, or use another name",
            )
        self.first_write.setdefault(name, statement.span)
        self.known.add(name)

    def before(
        self,
        read: Read,
        advice: str = "statements run from top to bottom; move the one that writes it up",
    ) -> Diagnostic:
        if ".grad" in read.tensor:
            return self.underived(read)
        return diagnostic(
            "E0410",
            f"`{read.tensor}` is read before it has a value",
            (read.span, "read here"),
            *self.later_write(read.tensor),
            help=advice,
        )

    def underived(self, read: Read) -> Diagnostic:
        suffix = self.program.cotangent
        base = read.tensor.removesuffix(suffix)
        places = [(o.span, "derived from here on") for o in self.program.objectives[:1]]
        if not read.tensor.endswith(suffix):
            advice = f"the cotangents that are derived here end in `{suffix}`"
        elif self.is_param(base) and any(o.over is not None for o in self.program.objectives):
            own = [o for o in self.program.objectives if base in (o.over or ())]
            places = [(o.span, f"over `{base}`") for o in own]
            advice = (
                "read it after the objective that is over its param"
                if own
                else f"no objective is over `{base}`: add it to a list, or leave it as it is"
            )
        else:
            advice = "cotangents are read by update statements, after a `minimize` line"
        return diagnostic(
            "E0419",
            f"`{read.tensor}` has no value here",
            (read.span, "read here"),
            *places,
            help=advice,
        )

    def later_write(self, name: str) -> list[tuple[Span, str]]:
        steps = (*self.program.statements, *self.program.updates)
        spans = [s.span for s in statements_of(steps) if s.target == name]
        return [(spans[0], "written here")] if spans else []


def _after_objective(step: Round, first: Span) -> Diagnostic:
    name = step.statement.target
    return diagnostic(
        "E0406",
        f"`{name}` is a tensor of the forward statements and cannot be written here",
        (step.statement.span, "written after `minimize`"),
        (first, "it got its value here"),
        help="updates write params, states and temporaries of their own",
    )
