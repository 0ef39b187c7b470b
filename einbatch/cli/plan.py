"""`einbatch plan`: contraction orders, FLOPs, buffers, peak memory; or the generated module."""

from __future__ import annotations

import argparse

from einbatch.cli.emitting import emit_for


def run(arguments: argparse.Namespace) -> int:
    """Prints the plan of one step; the exit code."""
    _, emitted = emit_for(arguments, arguments.without)
    if arguments.source:
        print(emitted.source.rstrip("\n"))
        return 0
    print(emitted.plan.describe().rstrip("\n"))
    print(f"  steps                  {emitted.runner.describe()}")
    return 0
