"""Compiles `replay.c`, and the grammar, while einbatch is installed.

hatchling calls this (see pyproject.toml). Without a C compiler einbatch is installed all
the same, and says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).parent
MODULE = "einbatch.backends.numpy._replay"


class ReplayBuildHook(BuildHookInterface):
    """Puts the compiled module beside its source, and into wheels."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Any: hatchling's
        """Before anything is collected."""
        if self.target_name != "wheel":
            return
        build_data["artifacts"].append(tables(Path(self.root)))
        try:
            built = compiled(Path(self.root))
        except Exception as error:  # whatever a tool chain raises where it is not whole
            self.app.display_warning(f"einbatch is installed without native code: {error}")
            return
        build_data["artifacts"].append(built)
        if version != "editable":
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def tables(root: Path) -> str:
    """Makes the tables of the grammar's parser; their path below the root."""
    code = "from einbatch.syntax.parse import TABLES, parser; parser(); print(TABLES)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    return f"/{Path(done.stdout.strip()).relative_to(root).as_posix()}"


def compiled(root: Path) -> str:
    """Compiles the module in place; its path below the root."""
    source = (HERE / "replay.c").relative_to(root).as_posix()
    extension = Extension(
        MODULE,
        [source],
        include_dirs=[np.get_include()],
        libraries=[] if os.name == "nt" else ["m"],
        extra_compile_args=[] if os.name == "nt" else ["-O3", "-fno-math-errno"],
    )
    command = build_ext(Distribution({"name": "einbatch", "ext_modules": [extension]}))
    command.inplace = True
    with TemporaryDirectory() as folder:
        command.build_temp = folder
        command.ensure_finalized()
        command.run()
    return f"/{Path(source).parent.as_posix()}/{Path(command.get_ext_filename(MODULE)).name}"
