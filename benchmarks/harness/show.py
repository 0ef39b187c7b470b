"""Outcomes as a table on the terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.harness.measure import Outcome
from benchmarks.harness.statistics import geometric_mean
from benchmarks.harness.suite import Suite

QUIET = 0.05
"""The share of the machine that other work may take without a word."""
WIDTH = 160
"""Columns where the output is no terminal: tables are not cut there."""


def show_part(part: Any) -> None:
    """Prints a line, or a table: in Markdown where the output is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
        if isinstance(part, Table):
            part.box, part.title = box.MARKDOWN, f"{part.title}\n"
    console.print(part, highlight=False)


def show_time(microseconds: float) -> str:
    """A time with three digits that count.

    >>> show_time(7.634), show_time(134.2), show_time(1_108_000.0)
    ('7.63', '134', '1,108,000')
    """
    if microseconds >= 100:
        return f"{microseconds:,.0f}"
    return f"{microseconds:.1f}" if microseconds >= 10 else f"{microseconds:.2f}"


def show_ratio(ratio: float) -> str:
    """A ratio with two digits that count.

    >>> show_ratio(1.2345), show_ratio(0.0123)
    ('1.23', '0.012')
    """
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def table_of(suite: Suite, outcomes: Sequence[Outcome]) -> Table:
    """A row for each case: µs a step, the best of the others, and the ratios."""
    names = [c.name for c in suite.contenders if any(c.name in o.times for o in outcomes)]
    bounds = [c.name for c in suite.contenders if c.is_bound and c.name in names]
    table = Table(title=f"{suite.title}: µs (10th percentile)", title_justify="left")
    table.add_column("case")
    for name in (*names, "best other", "best/einbatch", *(f"einbatch/{b}" for b in bounds)):
        table.add_column(name, justify="right")
    for outcome in outcomes:
        times = outcome.microseconds
        cells = [show_time(times[name]) if name in times else "–" for name in names]
        ratios = [outcome.ratio, *(outcome.over(bound) for bound in bounds)]
        shown = ["–" if ratio is None else show_ratio(ratio) for ratio in ratios]
        table.add_row(outcome.case, *cells, outcome.rival or "–", *shown)
    return table


def summary_of(outcomes: Sequence[Outcome]) -> list[str]:
    """Who was skipped and why, what else ran, and the geometric mean of the ratios."""
    skipped = {
        (name, reason.splitlines()[0] if reason else "")
        for outcome in outcomes
        for name, reason in outcome.skipped.items()
    }
    lines = [f"skipped {name}: {reason}" for name, reason in sorted(skipped)]
    lines += [
        f"{outcome.case}: other work took {outcome.foreign:.0%} of the machine; take it again"
        for outcome in outcomes
        if outcome.foreign > QUIET
    ]
    ratios = [outcome.ratio for outcome in outcomes if outcome.ratio is not None]
    if ratios:
        lines.append(f"geometric mean of best/einbatch: {geometric_mean(ratios):.2f}")
    return lines


def record_of(suite: Suite, machine: dict[str, Any], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything, for a file: the times of each round too."""
    ratios = [outcome.ratio for outcome in outcomes if outcome.ratio is not None]
    return {
        "benchmark": suite.module.rpartition(".")[2],
        "title": suite.title,
        "unit": "µs",
        "machine": machine,
        "geometric_mean": geometric_mean(ratios) if ratios else None,
        "cases": [
            {
                "case": outcome.case,
                "microseconds": outcome.microseconds,
                "best_other": outcome.rival,
                "ratio": outcome.ratio,
                "over_bounds": {bound: outcome.over(bound) for bound in outcome.bounds},
                "other_work": outcome.foreign,
                "relative_errors": outcome.errors,
                "skipped": outcome.skipped,
                "rounds": outcome.times,
            }
            for outcome in outcomes
        ],
    }
