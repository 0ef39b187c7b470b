"""`einbatch fmt`: the canonical form, in place."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from einbatch.diagnostics import EinbatchError
from einbatch.syntax import format_source, read_source


def run(arguments: argparse.Namespace) -> int:
    """Rewrites files; 1 where one is wrong, or where `--check` finds one that would change."""
    code = 0
    for name in arguments.files:
        try:
            changed = _format(Path(name), write=not arguments.check)
        except EinbatchError as error:
            print(error, file=sys.stderr)
            code = 1
            continue
        if changed and arguments.check:
            print(f"{name} would change")
            code = 1
    return code


def _format(path: Path, *, write: bool) -> bool:
    """True where the file is not, or was not, in the canonical form."""
    source = read_source(path)
    text = format_source(source).encode()
    if path.read_bytes() == text:
        return False
    if write:
        from einbatch.data.replace import replacing

        with replacing(path) as stream:
            stream.write(text)
    return True
