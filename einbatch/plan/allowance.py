"""How much memory a program may take, and the refusals that say so before any is taken."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from math import prod

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, diagnostic, fail
from einbatch.ir.constants import Value, evaluate_constant
from einbatch.ir.program import Dtype, Program, Statement, Tensor, statements_of

VARIABLE = "EINBATCH_MEMORY"
FALLBACK = 8 * 2**30
ITEM: dict[Dtype, int] = {"float32": 4, "float64": 8}
HELP = f"make it smaller, or allow more with {VARIABLE}, for example {VARIABLE}=8GiB"
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def allowance() -> int:
    """The bytes that a program may take: EINBATCH_MEMORY, else half of the machine's memory.

    EinbatchError (E0703) where the variable is no size, like `8GiB`, `500MB` or `1e9`.
    """
    text = os.environ.get(VARIABLE, "").strip()
    return parse_size(text) if text else _half_of_memory()


def parse_size(text: str) -> int:
    """`8GiB`, `500 MB` or plain bytes as a number of bytes."""
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if found is None or (found[3] and not found[2]):
        raise fail(
            "E0703",
            f"{VARIABLE} is {text!r}, which is no size",
            help=f"write a number of bytes with a unit: {VARIABLE}=8GiB",
        )
    unit = (_BINARY if found[3] else _UNITS)[found[2]]
    return int(float(found[1]) * unit)


def check_tensors(
    program: Program, extents_known: Mapping[str, int], dtype: Dtype, limit: int | None = None
) -> list[Diagnostic]:
    """A refusal (E0701) for each tensor whose size is known and exceeds the allowance."""
    limit = allowance() if limit is None else limit
    constants: dict[str, Value] = {}
    for let in program.lets:
        try:
            constants[let.name] = evaluate_constant(let.value, constants, extents_known)
        except (KeyError, EinbatchError):
            continue
    findings: list[Diagnostic] = []
    for tensor in program.tensors:
        shape = _known_shape(tensor, constants, extents_known)
        if shape is None:
            continue
        needed = prod(shape) * (8 if tensor.integer else ITEM[dtype])
        if needed > limit:
            findings.append(_refusal(program, tensor, shape, needed, limit))
    return findings


def refuse_peak(peak: int, limit: int, largest: str, size: int, span: Span) -> EinbatchError:
    """The refusal (E0702) of a program whose tensors fit one by one, but not together."""
    return fail(
        "E0702",
        f"this program needs {show_bytes(peak)}, and {show_bytes(limit)} are allowed",
        (span, f"the largest part is {largest}, {show_bytes(size)}"),
        help=HELP,
    )


def show_bytes(size: int) -> str:
    """A size as people say it, with the bytes where that rounds.

    >>> show_bytes(512), show_bytes(3 * 2**20)
    ('512 bytes', '3145728 bytes (3.0 MiB)')
    """
    if size < 2**10:
        return f"{size} bytes"
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            tenths = size * 10 // scale
            return f"{size} bytes ({tenths // 10}.{tenths % 10} {unit})"
    raise AssertionError(size)


def _known_shape(
    tensor: Tensor, constants: Mapping[str, Value], extents: Mapping[str, int]
) -> tuple[int, ...] | None:
    try:
        return tuple(int(evaluate_constant(e, constants, extents)) for e in tensor.extents)
    except (KeyError, EinbatchError):
        return None


def _refusal(
    program: Program, tensor: Tensor, shape: tuple[int, ...], needed: int, limit: int
) -> Diagnostic:
    extents = " × ".join(map(str, shape)) or "one"
    return diagnostic(
        "E0701",
        f"tensor `{tensor.name}` needs {show_bytes(needed)}, and {show_bytes(limit)} are allowed",
        (_span_of(program, tensor), f"its extents are {extents}"),
        help=HELP,
    )


def _span_of(program: Program, tensor: Tensor) -> Span:
    """Where a tensor is declared, or first written."""
    if tensor.kind != "value":
        return tensor.span
    steps: list[Statement] = [*statements_of(program.statements), *program.reports]
    return next((s.span for s in steps if s.target == tensor.name), tensor.span)


def _half_of_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError, AttributeError):
        return FALLBACK
