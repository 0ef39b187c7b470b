"""How long `einbatch --help` and `einbatch check programs/digits.ein` take, as whole processes.

Prints the best and the median of several runs, and fails above the limits: 100 ms
and 300 ms. The best counts: other work on the machine only ever adds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
RUNS = 15
LIMITS = (
    (("--help",), 100),
    (("check", str(ROOT / "programs" / "digits.ein")), 300),
)


def milliseconds(arguments: tuple[str, ...]) -> float:
    """One run of the command line."""
    command = [str(Path(sys.executable).parent / "einbatch"), *arguments]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def main() -> int:
    """Measures both; 1 where one is over its limit."""
    code = 0
    for arguments, limit in LIMITS:
        times = [milliseconds(arguments) for _ in range(RUNS)]
        shown = " ".join(Path(argument).name for argument in arguments)
        print(
            f"einbatch {shown:<18} best {min(times):5.0f} ms"
            f"  median {median(times):5.0f} ms  limit {limit} ms"
        )
        code |= min(times) > limit
    return code


if __name__ == "__main__":
    sys.exit(main())
