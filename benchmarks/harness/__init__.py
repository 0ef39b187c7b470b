"""What every benchmark shares: contenders in processes of their own, and their times."""

from benchmarks.harness.machine import describe_machine
from benchmarks.harness.main import chosen_cases, main, parser_of, report
from benchmarks.harness.measure import Outcome
from benchmarks.harness.process import Worker
from benchmarks.harness.show import show_ratio, show_time
from benchmarks.harness.suite import OWN, Array, Contender, Running, Skipped, Suite

__all__ = [
    "OWN",
    "Array",
    "Contender",
    "Outcome",
    "Running",
    "Skipped",
    "Suite",
    "Worker",
    "chosen_cases",
    "describe_machine",
    "main",
    "parser_of",
    "report",
    "show_ratio",
    "show_time",
]
