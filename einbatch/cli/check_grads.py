"""`einbatch check --grads`: gradients on random data, hand-written and derived."""

from __future__ import annotations

import sys

from einbatch.model.checking import check_derived
from einbatch.model.claims import check_claims
from einbatch.model.front import Front


def check_grads(front: Front) -> int:
    """Prints one line for each cotangent, and what is wrong on stderr; the exit code."""
    if front.program.objective is None:
        print("nothing to check: the program has no objective")
        return 0
    several = len(front.program.objectives) > 1
    wrong = 0
    for title, findings in (
        ("written by hand", check_claims(front)),
        ("derived", check_derived(front)),
    ):
        for finding in findings:
            note = f" ({finding.note})" if finding.note else ""
            verdict = "OK" if finding.diagnostic is None else "WRONG"
            of = f" of {finding.objective}" if several else ""
            print(f"{finding.cotangent}{of}, {title}: {verdict}{note}")
            if finding.diagnostic is not None:
                wrong += 1
                sys.stdout.flush()
                print(finding.diagnostic, file=sys.stderr)
    return 1 if wrong else 0
