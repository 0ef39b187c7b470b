"""Wrong programs end in diagnostics: never in a traceback, a hang or a full memory."""

from __future__ import annotations

import multiprocessing
import os
import resource
from concurrent.futures import ProcessPoolExecutor

from tests.mutations import Tally, try_cases

CASES = int(os.environ.get("EINBATCH_MUTATIONS", "10000"))
CHUNK = 250
PROCESSES = 2
MEMORY = 1 << 30
"""How many bytes a process may have had at its most, interpreter and libraries included."""


def _chunk(first: int) -> tuple[Tally, int]:
    tally = try_cases(range(first, min(first + CHUNK, CASES)))
    return tally, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_mutations_end_in_success_or_diagnostics():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        results = list(pool.map(_chunk, range(0, CASES, CHUNK)))
    total = sum((tally for tally, _ in results), Tally())
    assert not total.failures, "\n\n".join(total.failures[:5])
    assert total.checked + total.refused >= CASES
    assert total.refused > CASES // 4
    assert total.stepped > CASES // 50
    assert max(peak for _, peak in results) < MEMORY
