"""SIGINT and SIGTERM while a training runs: the first ends it cleanly, a second at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
NAMES = {"interrupted": "Ctrl-C", "terminated": "SIGTERM"}
CODES = {"interrupted": 130, "terminated": 143}
"""What the process exits with: 128 and the signal's number."""


class Signals:
    """A context in which `reason` says what the first signal was, or is empty.

    Outside the main thread, where Python takes no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in REASONS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            again = before if before is not None else signal.SIG_DFL
            signal.signal(number, again)  # pyright: ignore[reportArgumentType] - its own answer

    def _take(self, number: int, frame: FrameType | None) -> None:
        if not self.reason:
            self.reason = REASONS[signal.Signals(number)]
        elif number == signal.SIGTERM:
            raise SystemExit(CODES["terminated"])
        else:
            raise KeyboardInterrupt
