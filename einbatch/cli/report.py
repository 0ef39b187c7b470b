"""`einbatch report`: what a run came to, as one page of HTML."""

from __future__ import annotations

import argparse
from pathlib import Path

from einbatch.report.render import check_installed


def run(arguments: argparse.Namespace) -> int:
    """Writes the report of a run, beside its log if nothing else is said; the exit code."""
    from einbatch.report.report import write_report

    check_installed()
    folder = Path(arguments.run)
    out = folder / "report.html" if arguments.out is None else Path(arguments.out)
    write_report(folder, out)
    print(out)
    return 0
