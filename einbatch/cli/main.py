"""`einbatch VERB …`: the parser, and what becomes of errors."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn, Protocol, cast

from einbatch.cli import arguments

DONE, WRONG, MISUSED, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: the program or data is wrong; the command line is; no resources; Ctrl-C."""
COLLECTION = (50_000, 20, 20)
"""Rarer garbage collections: building the grammar's tables makes many objects that all stay."""
LIMITS = ("E0105", "E0106")
"""Codes of files too large and nesting too deep: refusals, though no memory is asked for."""


class Verb(Protocol):
    """What the module of a verb offers."""

    def run(self, arguments: argparse.Namespace, /) -> int:
        """Does it; the exit code."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line (by default the process's own) and gives its exit code."""
    gc.set_threshold(*COLLECTION)
    _open_streams()
    parser = arguments.parser()
    try:
        chosen = parser.parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else MISUSED
    try:
        code = cast(Verb, import_module(f"einbatch.cli.{chosen.verb}")).run(chosen)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        return _quiet()
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return INTERRUPTED
    except arguments.Misuse as misuse:
        print(f"einbatch {chosen.verb}: {misuse}", file=sys.stderr)
        return MISUSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _full()
        return _report(error)


def _report(error: Exception) -> int:
    """What went wrong, on stderr; anything that is no fault of the user's is raised again."""
    from einbatch.diagnostics import EinbatchError, InternalError

    if isinstance(error, EinbatchError):
        print(error, file=sys.stderr)
        refused = all(item.code in LIMITS or item.is_refusal for item in error.diagnostics)
        return REFUSED if refused else WRONG
    if isinstance(error, MemoryError):
        print("error[E0811]: there is not enough memory for this", file=sys.stderr)
        print("  help: bind less data, or make the tensors smaller", file=sys.stderr)
        return REFUSED
    if isinstance(error, InternalError):
        print(f"internal error: {error}", file=sys.stderr)
        return WRONG
    raise error


def _open_streams() -> None:
    """A stream that the caller closed goes nowhere; letters that one cannot show are escaped."""
    if sys.stdout is None:  # where it is closed
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lasts to the end
    if sys.stderr is None:  # where it is closed
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lasts to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _full() -> int:
    """Our output has no room: say so, and print nothing more."""
    _quiet()
    print("einbatch: the output cannot be written: no space left on device", file=sys.stderr)
    return REFUSED


def _quiet() -> int:
    """The reader of our output has gone: end without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def entry() -> NoReturn:
    """The process's own exit."""
    sys.exit(main())
