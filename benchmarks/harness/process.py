"""A worker seen from outside: asked, and stopped while others run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.harness.suite import Skipped

ROOT = Path(__file__).parent.parent.parent


class Failed(Exception):
    """A contender did not do what it was asked to; the text says what came instead."""


class Worker:
    """A contender's process. It runs while it answers a request, and is stopped otherwise.

    Stopped by SIGSTOP: no thread pool of an idle contender spins, and none of its
    garbage is collected, while another one is measured.
    """

    def __init__(self, module: str, case: str, contender: str) -> None:
        command = [sys.executable, "-m", "benchmarks.harness.worker", module, case, contender]
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.name = contender
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            self._read()
            self._stop()
        except BaseException:
            self.close()
            raise

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request; Skipped or Failed where the answer says so."""
        self._process.send_signal(signal.SIGCONT)
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return self._read()
        except BrokenPipeError:
            raise Failed(f"{self.name} ended with {self._process.wait()}") from None
        finally:
            self._stop()

    def time(self, block: int, samples: int) -> list[float]:
        """µs a step, for each of `samples` blocks of `block` steps."""
        return self.ask(do="time", block=block, samples=samples)["times"]

    def processor_time(self) -> int:
        """The clock ticks that the process has used so far, all threads together."""
        fields = self._stat()
        return int(fields[11]) + int(fields[12])

    def is_stopped(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        return self._stat()[0] == "T"

    def _stat(self) -> list[str]:
        """Fields 3 and following of proc(5)'s /proc/PID/stat."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        return text.rpartition(")")[2].split()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.name} ended with {self._process.wait()}")
        content = json.loads(line)
        if "skipped" in content:
            raise Skipped(content["skipped"])
        if "failed" in content:
            raise Failed(f"{self.name}:\n{content['failed']}")
        return content

    def _stop(self) -> None:
        """Returns when every thread stands, or the process has ended."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        with suppress(BrokenPipeError):  # what the process has not read matters to nobody
            self._process.stdin.close()
