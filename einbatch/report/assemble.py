"""Everything that the page of a run shows, as plain values for its template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from einbatch.diagnostics import EinbatchError, Source
from einbatch.elaborate import constant_values, erase_statement
from einbatch.ir import Program, statements_of
from einbatch.model.front import Front, read_program
from einbatch.model.interpreter import Model
from einbatch.model.trainer import Updating
from einbatch.report.charts import Chart, draw
from einbatch.report.classes import find_question
from einbatch.report.evaluation import Evaluated, evaluate_classes, why_not
from einbatch.report.folder import Run, chosen_checkpoint
from einbatch.report.listing import Row, beside
from einbatch.report.log import LOSS, Log, read_log
from einbatch.report.numbers import Table, epochs_table, figures, final_table, settings, weights
from einbatch.report.pictures import Album, draw_weights
from einbatch.report.planning import Planned, planned_step
from einbatch.report.schedules import schedules
from einbatch.syntax import unparse
from einbatch.train.checkpoints import Checkpoint
from einbatch.train.options import DEFAULTS, Options, resolve_options
from einbatch.train.updates import Training

ENDS = {
    "done": "finished",
    "interrupted": "interrupted",
    "terminated": "terminated",
    "early": "stopped early",
    "not finite": "stopped: not finite",
}
"""How a run ended, by the reason in its log."""


@dataclass(slots=True)
class Page:
    """What the template shows. `absent` says why a section has no content."""

    title: str
    subtitle: str
    rows: Sequence[Row]
    has_updates: bool
    status: str = "no log"
    figures: Sequence[tuple[str, str, str]] = ()
    final: Table | None = None
    charts: Sequence[Chart] = ()
    epochs: Table | None = None
    evaluated: Evaluated | None = None
    albums: Sequence[Album] = ()
    weights: Table | None = None
    planned: Planned | None = None
    step: int | None = None
    settings: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
    absent: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])

    @property
    def has_hoisted(self) -> bool:
        """True where the derived program gives names to parts of a line."""
        return any(row.hoisted for row in self.rows)


def assemble(folder: Path, run: Run) -> Page:
    """The page of a run. EinbatchError where its program is not right."""
    front = read_program(run.source, run.constants)
    model = Model(front, dtype=run.dtype, folder=Path(run.source.name).parent)
    program = model.program
    notes: list[str] = []
    checkpoint = chosen_checkpoint(folder, notes)
    training = _training(front, checkpoint, notes)
    updates = training.program if training.program.updates != program.updates else None
    rows = beside(run.source, program, model.backward.program, updates)
    page = Page(*_titles(run), rows, updates is not None, notes=notes)
    options = _options(run, program)
    names = [report.target for report in program.reports]
    maximized = program.objective is not None and program.objective.sense == "maximize"
    log = read_log(folder / "log.jsonl", names, maximized=maximized)
    page.figures = figures(program, log, checkpoint)
    told = program if training is front.training else replace(program, train=None)
    page.settings = settings(run, told, options)
    _add_log(page, log, run, told)
    _add_params(page, model, run, options, checkpoint)
    try:
        updating = Updating(training, model.execution)
        page.planned = planned_step(updating, model.dtype, run.extents, options.batch)
    except EinbatchError as error:
        page.absent["plan"] = why_not(error)
    except KeyError as error:
        page.absent["plan"] = f"The run does not say how large {error} is."
    return page


def _training(front: Front, checkpoint: Checkpoint | None, notes: list[str]) -> Training:
    """The updates that the run made: a checkpoint has them, as Python may have overridden them."""
    if checkpoint is None:
        return front.training
    try:
        made = read_program(Source("<checkpoint>", checkpoint.identity.program)).training
    except EinbatchError:
        notes.append("The checkpoint's program cannot be read: the updates are the file's.")
        return front.training
    if _update_texts(made.program) == _update_texts(front.training.program):
        return front.training
    notes.append("The optimizer or its settings were not those of the file: see the updates.")
    return made


def _update_texts(program: Program) -> list[str]:
    return [unparse(erase_statement(program, s)) for s in statements_of(program.updates)]


def _titles(run: Run) -> tuple[str, str]:
    """The program's name, and what its first comment says of it."""
    name = Path(run.source.name).name or run.source.name
    first = run.source.text.lstrip("\ufeff").partition("\n")[0].strip()
    comment = first.lstrip("#").strip() if first.startswith("#") else ""
    return name, comment.removeprefix(f"{name}:").strip()


def _options(run: Run, program: Program) -> Options:
    """How the run trained: what it says of itself, else the `train` line."""
    given = {
        name: value
        for name, value in run.options.items()
        if name in DEFAULTS and isinstance(value, int | float) and not isinstance(value, bool)
    }
    constants = constant_values(program, run.extents)
    return resolve_options(program, constants, run.extents, {**given, "seed": run.seed})


def _add_log(page: Page, log: Log | None, run: Run, program: Program) -> None:
    if log is None:
        page.notes.append("There is no log.jsonl that can be read, so no curves can be shown.")
        page.absent["curves"] = "There is no log of this run."
        return
    page.status = "running, or cut off" if log.reason is None else ENDS.get(log.reason, log.reason)
    for name, quantity in log.quantities.items():
        curves = {
            "each minibatch": ("steps", quantity.steps),
            "training": ("train", quantity.train),
            "held out": ("holdout", quantity.holdout),
        }
        chart = draw(name, curves)
        page.charts = [*page.charts, *([] if chart is None else [chart])]
    constants = constant_values(program, run.extents)
    last = log.step or log.total
    page.charts = [
        *page.charts,
        *schedules(program, constants, run.extents, last, log.total or last),
    ]
    if not page.charts:
        page.absent["curves"] = "The log of this run holds no numbers."
    page.epochs = epochs_table(log)
    page.final = final_table(log)
    _tell_of_log(page.notes, log)


def _tell_of_log(notes: list[str], log: Log) -> None:
    if log.damaged:
        count = len(log.damaged)
        lines = ", ".join(map(str, log.damaged[:5])) + (", …" if count > 5 else "")
        plural = "lines" if count > 1 else "line"
        notes.append(f"{count} {plural} of log.jsonl cannot be read and are left out: {lines}.")
    if log.odd_steps:
        notes.append(
            f"The {LOSS} was NaN or infinite at {len(log.odd_steps)} steps, first at step"
            f" {log.odd_steps[0]}; the curves leave these out."
        )
    if log.resumed:
        steps = ", ".join(map(str, log.resumed[-5:]))
        notes.append(f"The run was resumed after step {steps}.")


def _add_params(
    page: Page, model: Model, run: Run, options: Options, checkpoint: Checkpoint | None
) -> None:
    question = find_question(model.front.forward)
    if checkpoint is None:
        page.absent["weights"] = "There is no checkpoint to take the weights from."
        if question is not None:
            page.absent["classes"] = "There is no checkpoint to predict with."
        return
    page.step = checkpoint.state.step
    page.albums = draw_weights(model.program, checkpoint.params)
    page.weights = weights(model.program, checkpoint.params)
    if question is None:
        return
    try:
        page.evaluated = evaluate_classes(model, run, question, checkpoint, options.holdout)
    except EinbatchError as error:
        page.absent["classes"] = why_not(error)
    except ValueError as error:
        page.absent["classes"] = f"{error}."
