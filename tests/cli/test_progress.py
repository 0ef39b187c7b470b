"""The pace that the bar shows, and what signals do."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from einbatch.cli.progress import Pace
from einbatch.cli.signals import CODES, Signals
from einbatch.train.loop import Outline


def test_the_pace_counts_this_processs_updates_alone():
    pace = Pace(Outline(10, 100, 6400), 500, 1000.0)
    assert pace.text(500) == ""
    pace.look(520, 1002.0)
    assert pace.text(520) == "640 ex/s  0:00:48 left"


def test_a_look_at_the_same_step_changes_nothing():
    pace = Pace(Outline(1, 7200, 7200), 0, 0.0)
    pace.look(1, 1.0)
    pace.look(1, 5.0)
    pace.look(2, 5.0)
    assert pace.text(2) == "1 ex/s  2:21:08 left"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "reason", "second"),
    [
        (signal.SIGINT, "interrupted", KeyboardInterrupt),
        (signal.SIGTERM, "terminated", SystemExit),
    ],
)
def test_the_first_signal_is_noted_and_the_second_ends(
    number: signal.Signals, reason: str, second: type[BaseException]
):
    before = signal.getsignal(number)
    with Signals() as signals:
        assert signals.reason == ""
        os.kill(os.getpid(), number)
        assert signals.reason == reason
        with pytest.raises(second):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    assert CODES[reason] == 128 + number
