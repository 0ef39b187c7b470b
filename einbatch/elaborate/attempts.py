"""Going on after an error: every error of a program is shown, not only the first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from einbatch.diagnostics import Diagnostic, EinbatchError

S = TypeVar("S")
T = TypeVar("T")


@dataclass(slots=True)
class Attempts:
    """Actions each of which may fail, and the errors of those that did."""

    errors: dict[Diagnostic, None] = field(default_factory=dict[Diagnostic, None])

    def attempt(self, action: Callable[[], T]) -> T | None:
        """The action's result, or None with its errors kept."""
        try:
            return action()
        except EinbatchError as error:
            self.keep(error.diagnostics)
            return None

    def keep(self, found: Iterable[Diagnostic]) -> None:
        """Keeps these errors too, each of them once."""
        self.errors.update(dict.fromkeys(found))

    def stop_on_errors(self) -> None:
        """EinbatchError with everything kept, if there is anything."""
        if self.errors:
            raise EinbatchError(self.errors)


def each(action: Callable[[S], T], items: Iterable[S]) -> tuple[T, ...]:
    """The action on every item; where some fail, the errors of all of them in one."""
    done: list[T] = []
    errors: list[Diagnostic] = []
    for item in items:
        try:
            done.append(action(item))
        except EinbatchError as error:
            errors += error.diagnostics
    if errors:
        raise EinbatchError(errors)
    return tuple(done)
