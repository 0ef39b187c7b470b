"""Counts in words, for messages."""

from __future__ import annotations

PLURALS = {"axis": "axes"}


def counted(count: int, noun: str) -> str:
    """`no axes`, `1 axis`, `2 axes`."""
    return f"1 {noun}" if count == 1 else f"{count or 'no'} {PLURALS.get(noun, noun + 's')}"
