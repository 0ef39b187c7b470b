"""What the times were taken on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np

from einbatch.backends.numpy import native

LIBRARIES = ("numpy", "opt_einsum", "torch", "jax", "jaxlib", "autograd", "numexpr", "mkl")


def describe_machine() -> dict[str, Any]:
    """Processor, cores, memory, BLAS, Python and the libraries that are installed."""
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy_blas": _blas(),
        "einbatch": native.describe(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "threads": {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")},
    }


def show_machine(machine: dict[str, Any]) -> str:
    """The description in a few lines."""
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    threads = ", ".join(f"{name}={number}" for name, number in machine["threads"].items())
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}\n"
        f"Python {machine['python']}, NumPy's BLAS: {machine['numpy_blas']}\n"
        f"einbatch: emitted modules {machine['einbatch']}\n"
        f"{libraries}" + (f"\n{threads}" if threads else "")
    )


def _processor() -> str:
    """The model's name, its number (virtual machines hide the name), and its vectors."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    fields = {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    flags = fields.get("flags", "").split()
    vectors = [name for name in ("amx_tile", "avx512f", "avx2") if name in flags]
    name = fields.get("model name", platform.machine())
    numbers = f"family {fields.get('cpu family')}, model {fields.get('model')}"
    return f"{name} ({', '.join([numbers, *vectors])})"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _blas() -> str:
    # Any: what NumPy says of its build has no type of its own.
    config = cast(dict[str, Any], np.show_config(mode="dicts"))
    blas = config["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
