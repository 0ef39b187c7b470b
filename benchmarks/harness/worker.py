"""A contender's own process: `python -m benchmarks.harness.worker MODULE CASE CONTENDER`.

It makes the contender ready, says so in a line of JSON on its standard output, and then
obeys one line of JSON at a time from its standard input:

    {"do": "run", "steps": 3}                  → {"done": 3}
    {"do": "results", "path": "FILE.npz"}      → {"done": [names]}
    {"do": "values"}                           → {"values": {name: number}}, of scalars
    {"do": "start", "path": "FILE.npz"}        → {"done": [names]}: the suite's start
    {"do": "time", "block": 50, "samples": 9}  → {"times": [µs a step, …]}
    {"do": "memory"}                           → {"baseline": …, "now": …, "peak": …} in bytes

until its input ends. What does not work is answered by {"failed": traceback}; a contender
that cannot run here by {"skipped": reason}.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast

import numpy as np

from benchmarks.harness.memory import baseline, peak, resident
from benchmarks.harness.suite import Running, Skipped, Suite

PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def times_of(step: Callable[[], object], block: int, samples: int) -> list[float]:
    """µs a step, for each of `samples` blocks of `block` steps."""
    clock = time.perf_counter_ns
    rounds = range(block)
    times: list[float] = []
    for _ in range(samples):
        start = clock()
        for _ in rounds:
            step()
        times.append((clock() - start) / block / 1e3)
    return times


def answer(suite: Suite, case: str, running: Running, request: dict[str, Any]) -> dict[str, Any]:
    """What one request asks for."""
    match request["do"]:
        case "run":
            for _ in range(request["steps"]):
                running.step()
            return {"done": request["steps"]}
        case "results":
            return {"done": _save(request["path"], running.results())}
        case "values":
            return {"values": {name: float(value) for name, value in running.results().items()}}
        case "start":
            assert suite.start is not None
            return {"done": _save(request["path"], suite.start(suite.case(case)))}
        case "time":
            return {"times": times_of(running.step, request["block"], request["samples"])}
        case "memory":
            return {"baseline": baseline(), "now": resident(), "peak": peak()}
        case other:
            raise ValueError(f"no such request: {other}")


def _save(path: str, arrays: Any) -> list[str]:
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return sorted(arrays)


def serve(module: str, case: str, contender: str, requests: TextIO, answers: TextIO) -> None:
    """Makes the contender ready, and answers until the requests end."""

    def say(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        suite = cast(Suite, importlib.import_module(module).SUITE)
        running = suite.maker(contender)(suite.case(case))
    except (Skipped, ModuleNotFoundError) as reason:
        say({"skipped": str(reason)})
        return
    except Exception:
        say({"failed": traceback.format_exc()})
        return
    say({"ready": True})
    for line in requests:
        try:
            say(answer(suite, case, running, json.loads(line)))
        except Skipped as reason:
            say({"skipped": str(reason)})
        except Exception:
            say({"failed": traceback.format_exc()})


def main() -> None:
    """Keeps the standard output for answers; whatever libraries print goes to the error output."""
    if sys.platform == "linux":  # a stopped worker must not outlive who would wake it
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    serve(sys.argv[1], sys.argv[2], sys.argv[3], sys.stdin, answers)


if __name__ == "__main__":
    # A suite's scripts stand beside their package; the package is what counts.
    sys.path[:] = [item for item in sys.path if Path(item or ".").resolve().name != "benchmarks"]
    main()
