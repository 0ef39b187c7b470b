"""`einbatch export`: the generated module, standalone."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from einbatch.cli.emitting import emit_for
from einbatch.data.replace import replacing


def run(arguments: argparse.Namespace) -> int:
    """Writes the module to a file or to stdout; the exit code."""
    _, emitted = emit_for(arguments)
    if arguments.out is None:
        sys.stdout.write(emitted.source)
        return 0
    with replacing(Path(arguments.out)) as stream:
        stream.write(emitted.source.encode())
    return 0
