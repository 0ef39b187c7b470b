"""The folder of a run → one page of HTML."""

from __future__ import annotations

from pathlib import Path

from einbatch.data.replace import replacing
from einbatch.report.assemble import assemble
from einbatch.report.folder import read_run
from einbatch.report.render import render


def write_report(folder: Path, out: Path) -> None:
    """Writes the report of a run to `out`, whole or not at all.

    EinbatchError where `folder` holds no run (E0832), where its program is not right,
    where a library is missing (E0831), or where `out` cannot be written (E0609). What
    of the run is missing or damaged is told on the page.
    """
    page = render(assemble(folder, read_run(folder)))
    with replacing(out) as stream:
        stream.write(page.encode("utf-8", "replace"))  # half a character is in JSON's reach
