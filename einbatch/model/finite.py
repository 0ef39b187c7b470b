"""Stops a training at its first NaN or infinity, and says what made it.

Each update is watched by its objective, the params now and then by their squares: that
costs next to nothing, and comes late. So a copy of params and state is kept, from
which the updates are made again, one by one, up to the one that went wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

import numpy as np

from einbatch.diagnostics import EinbatchError, fail
from einbatch.elaborate import erase_statement
from einbatch.ir import Program, Scan, Statement, statements_of
from einbatch.model.arrays import Array
from einbatch.model.blame import Culprit, Trail, Value, first_bad
from einbatch.model.restrict import restrict
from einbatch.model.trainer import Trainer, Updating
from einbatch.syntax import unparse
from einbatch.train.loop import NotFinite, Outline, Silent
from einbatch.train.state import State

WATCHED = 100
"""The first updates, which are watched where nothing else is said."""
LOOK = 100
"""Updates between two looks at the params."""
COPY = 200
"""Updates between two copies of params and state."""
SHOWN = 4
"""The most values that a message shows."""
HELP = (
    "try a smaller step (`lr`), or keep logarithms, roots and quotients inside their domain;"
    " `--no-check-finite` trains on"
)


class Guard(Silent):
    """Watches the objective and the params: `always`, never, or (None) for the first updates."""

    def __init__(
        self,
        trainer: Trainer,
        updating: Updating,
        always: bool | None,
    ) -> None:
        self._trainer = trainer
        self._updating = updating
        self._last = WATCHED if always is None else math.inf if always else 0
        self._outline = Outline(0, 0, 0)
        self._copy: dict[str, Array] = {}
        self._step = 0
        self._count = 0

    def start(self, outline: Outline, state: State, /) -> None:
        """Keeps what training starts from."""
        self._outline = outline
        if state.step < self._last:
            self._keep(state)

    def step(self, state: State, values: Sequence[float], /) -> None:
        """Raises NotFinite where the update met or made a NaN or an infinity."""
        if not self._copy:
            return
        if not math.isfinite(values[0]):
            self._explain(state.step)
        is_old = state.step - self._step >= COPY
        if is_old or state.step % LOOK == 0:
            self.check(state)
        if state.step >= self._last:
            self._copy = {}
        elif is_old:
            self._keep(state)

    def settled(self, state: State, /) -> None:
        """Looks at the params that training ends with."""
        if state.epoch == self._outline.epochs:
            self.check(state)

    def check(self, state: State) -> None:
        """Looks at the params, where they are watched."""
        if self._copy and self._is_bad():
            self._explain(state.step)

    def _is_bad(self) -> bool:
        with np.errstate(all="ignore"):
            for name in self._updating.params:
                array = self._trainer.kept[name]
                # A sum of squares overflows where no element does: then look at each.
                if math.isfinite(np.vdot(array, array)):
                    continue
                if first_bad(array) is not None:
                    return True
        return False

    def _keep(self, state: State) -> None:
        kept = self._trainer.kept
        if self._copy:
            for name, own in self._copy.items():
                np.copyto(own, kept[name])
        else:
            self._copy = {name: array.copy() for name, array in kept.items()}
        self._step, self._count = state.step, self._trainer.count

    def _explain(self, last: int) -> NoReturn:
        """Makes the updates from the copy again, and raises at the one that went wrong."""
        trainer = self._trainer
        trainer.restore(self._copy, self._count)
        for step in range(self._step + 1, last + 1):
            before = {name: array.copy() for name, array in trainer.kept.items()}
            arrays = self._outline.minibatch(*divmod(step - 1, self._outline.steps))
            values = trainer.advance(arrays)
            if not math.isfinite(values[0]) or self._is_bad():
                raise NotFinite(self._error(step, before, arrays).diagnostics)
        raise NotFinite(self._vague(last).diagnostics)

    def _error(
        self, step: int, before: Mapping[str, Array], arrays: Mapping[str, Array]
    ) -> EinbatchError:
        after = {name: array.copy() for name, array in self._trainer.kept.items()}
        self._trainer.restore(before, self._trainer.count - 1)
        given, extents = self._trainer.reading(arrays)
        try:
            found = _find(self._updating, given, extents, after)
        except EinbatchError:  # its intermediate values do not fit into memory
            found = None
        if found is None:
            return self._vague(step)
        return _error_of(self._updating, found, step)

    def _vague(self, step: int) -> EinbatchError:
        """What is known where the statement is not found."""
        objective = self._updating.program.objective
        assert objective is not None
        return fail(
            "E0820",
            f"update {step} meets or makes a NaN or an infinity",
            (objective.span, "trained for this"),
            help=HELP,
        )


def _find(
    updating: Updating,
    given: Mapping[str, Array],
    extents: Mapping[str, int],
    after: Mapping[str, Array],
) -> Culprit | None:
    """The culprit of an update: of its objective, else of a param that it left."""
    execution, objective = updating.execution, updating.objective
    program = restrict(updating.program, (objective,), updates=True)
    names = dict.fromkeys(s.target for s in statements_of(program.statements))
    values = {**given, **execution.run(program, given, extents, names)}
    scans = tuple(step for step in program.updates if isinstance(step, Scan))
    made = {s.target for s in statements_of(scans) if program.tensor(s.target).kind == "value"}
    scanned = execution.run(program, given, extents, sorted(made), updates=True) if made else {}
    trail = Trail(program, values, extents, execution.dtype, scanned)
    element = first_bad(values[objective])
    if element is not None:
        return trail.follow(objective, element, 0)
    for name in updating.params:
        element = first_bad(after[name])
        if element is not None:
            return trail.follow(name, element, len(trail.updates))
    return None


def _error_of(updating: Updating, culprit: Culprit, step: int) -> EinbatchError:
    program, value, statement = updating.program, culprit.value, culprit.statement
    what = f"`{_name(program, value)}`"
    state = "NaN" if math.isnan(value.number) else "infinite"
    if statement is None:
        tensor = program.tensor(value.tensor)
        return fail(
            "E0821",
            f"update {step} reads {what}, which is {state}",
            (tensor.span, "declared here"),
            help="give finite numbers: leave such examples out, or fill in what is missing",
        )
    reads = sorted(culprit.reads, key=lambda read: not read.is_bad)
    shown = [f"{_name(program, read)} = {read.number:.9g}" for read in reads[:SHOWN]]
    shown += ["…"] if len(reads) > SHOWN else []
    made = f"with {', '.join(shown)}" if shown else "here"
    if statement not in (*statements_of(updating.source.statements), *_own_updates(updating)):
        made = f"by `{unparse(erase_statement(program, statement)).strip()}`, {made}"
    return fail("E0820", f"update {step} makes {what} {state}", (statement.span, made), help=HELP)


def _own_updates(updating: Updating) -> tuple[Statement, ...]:
    """The update statements that stand in the file: those of no optimizer."""
    train = updating.source.train
    span = None if train is None else train.span
    return tuple(s for s in statements_of(updating.source.updates) if s.span != span)


def _name(program: Program, value: Value) -> str:
    name = dict(program.spellings).get(value.tensor, value.tensor)
    return name + (f"[{','.join(map(str, value.element))}]" if value.element else "")
