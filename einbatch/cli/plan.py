"""`einbatch plan`: contraction orders, FLOPs, buffers, peak memory; or the generated module."""

from __future__ import annotations

import argparse

from einbatch.cli.emitting import emit_for


def run(arguments: argparse.Namespace) -> int:
    """Prints the plan of one step; the exit code."""
    _, emitted = emit_for(arguments)
    print((emitted.source if arguments.source else emitted.plan.describe()).rstrip("\n"))
    return 0
