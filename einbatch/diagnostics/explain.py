"""The long story of each code, one page a code in `pages/`."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files


def codes() -> tuple[str, ...]:
    """Every code that has a page, in order."""
    pages = files("einbatch.diagnostics") / "pages"
    return tuple(sorted(page.name[:-3] for page in pages.iterdir() if page.name.endswith(".md")))


def explain(code: str) -> str:
    """The page of a code, in any case; KeyError with the nearest code if there is none."""
    name = code.strip().upper()
    if name not in codes():
        near = get_close_matches(name, codes(), 1)
        raise KeyError(near[0] if near else "")
    page = files("einbatch.diagnostics") / "pages" / f"{name}.md"
    return page.read_text(encoding="utf-8")
