"""`einbatch explain`: the long story of an error code."""

from __future__ import annotations

import argparse

from einbatch.cli.arguments import Misuse
from einbatch.diagnostics import explain


def run(arguments: argparse.Namespace) -> int:
    """Prints the page of a code; the exit code."""
    try:
        print(explain(arguments.code).rstrip("\n"))
    except KeyError as error:
        near = error.args[0]
        hint = f"; did you mean {near}?" if near else ""
        raise Misuse(f"there is no code {arguments.code!r}{hint}") from None
    return 0
