"""The command line that every benchmark shares."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.machine import describe_machine, show_machine
from benchmarks.harness.measure import Effort, Outcome, Wrong, measure
from benchmarks.harness.plot import plot
from benchmarks.harness.process import Failed
from benchmarks.harness.show import record_of, show_part, summary_of, table_of
from benchmarks.harness.suite import Suite

Show = Callable[[Suite, Sequence[Outcome]], Sequence[Any]]
"""What a suite prints of its outcomes: tables and lines, as rich takes them."""


def show_ratios(suite: Suite, outcomes: Sequence[Outcome]) -> list[Any]:
    """Every contender's time, and the ratio of the best of the others to ours."""
    return [table_of(suite, outcomes), *summary_of(outcomes)]


def main(suite: Suite, arguments: Sequence[str] | None = None, *, show: Show = show_ratios) -> int:
    """Measures a suite and shows what came out; the exit code."""
    options = parser_of(suite).parse_args(arguments)
    cases = [suite.case(name) for name in chosen_cases(suite, options)]
    names = options.contenders or [item.name for item in suite.contenders]
    effort = Effort(
        options.rounds or (3 if options.quick else 7),
        options.seconds or (0.05 if options.quick else 0.25),
    )
    outcomes: list[Outcome] = []
    for case in cases:
        print(f"{case.name} …", file=sys.stderr, flush=True)
        try:
            outcomes.append(measure(suite, case, names, effort))
        except (Failed, Wrong) as problem:
            print(f"{case.name}: {problem}", file=sys.stderr)
            return 1
    machine = describe_machine()
    report(machine, show(suite, outcomes), record_of(suite, machine, outcomes), options.json)
    if options.plot:
        plot(suite, outcomes, options.plot)
    return 0


def report(
    machine: dict[str, Any], parts: Sequence[Any], record: dict[str, Any], path: Path | None
) -> None:
    """Prints the machine and what came out; writes everything where a path says so."""
    print(show_machine(machine))
    for part in parts:
        show_part(part)
    if path is not None:
        text = json.dumps({**record, "machine": machine}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", "utf-8")


def chosen_cases(suite: Suite, options: argparse.Namespace) -> Sequence[str]:
    """The names of the cases that were asked for, else all, else the quick ones."""
    default = suite.quick if options.quick else [case.name for case in suite.cases]
    return options.cases or default


def parser_of(suite: Suite) -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description=suite.title)
    _add_choice(parser, ("--cases", "--sizes"), [case.name for case in suite.cases])
    _add_choice(parser, ("--contenders",), [item.name for item in suite.contenders])
    parser.add_argument("--rounds", type=_positive, help="how often each contender has its turn")
    parser.add_argument("--seconds", type=float, help="for each contender in each round")
    parser.add_argument("--quick", action="store_true", help="small cases, a few short rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="a picture of the ratios")
    return parser


def _add_choice(
    parser: argparse.ArgumentParser, flags: tuple[str, ...], known: Sequence[str]
) -> None:
    def read(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return names

    parser.add_argument(*flags, type=read, metavar="A,B", help=f"of {', '.join(known)}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
