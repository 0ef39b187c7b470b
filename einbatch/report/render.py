"""The page's values → HTML, by the template beside this module; everything is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from einbatch.diagnostics import fail
from einbatch.plan.allowance import show_bytes
from einbatch.report.charts import show
from einbatch.report.listing import dedented, indent_of

if TYPE_CHECKING:
    from jinja2 import Environment

    from einbatch.report.assemble import Page

NEEDED = ("jinja2", "PIL")
"""What the extra `einbatch[report]` brings."""


def check_installed() -> None:
    """E0831 where a library that reports are made with is missing."""
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise fail(
            "E0831",
            f"reports are made with {' and '.join(f'`{name}`' for name in missing)},"
            " which this installation does not have",
            help="install what reports need: `pip install 'einbatch[report]'`",
        )


def render(page: Page) -> str:
    """The whole page as one text. Its policy lets it load nothing and run only its own script."""
    environment = _environment()
    script = _part(environment, "script.js")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("page.html").render(
        page=page, style=_part(environment, "style.css"), script=script, policy=policy
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("einbatch.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., object]] = {
        "number": show,
        "bytes": show_bytes,
        "indent_of": indent_of,
        "dedented": dedented,
    }
    for name, function in filters.items():
        made.filters[name] = function
    return made


def _part(environment: Environment, name: str) -> str:
    """A file of ours that goes into the page as it is."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
