"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from einbatch.data.datafile import shown
from einbatch.diagnostics import EinbatchError, fail


def check_writable(path: Path) -> None:
    """E0609 where `replacing(path)` would fail: asked before long work, not after it."""
    with suppress(OSError, ValueError):  # what cannot be looked at, `replacing` tells
        target = Path(os.path.realpath(path))
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise _refused(path, "it is there already and is not a regular file")
        if not target.parent.is_dir():
            raise _refused(path, "there is no such folder")
        if not os.access(target.parent, os.W_OK):
            raise _refused(path, "permission denied")


@contextmanager
def replacing(path: Path) -> Generator[BinaryIO]:
    """A stream to a new file that takes the place of `path` when the block ends well.

    The bytes go to a file beside it, are forced to the disk, and the name is
    moved: a crash leaves the old file or the new one, never half of one. A
    symbolic link keeps pointing where it does. Raises EinbatchError (E0609)
    where that cannot be done.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            raise _refused(path, "it is there already and is not a regular file")
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        # 0o666, less the user's umask: a temporary file's 0o600 would stay on the result.
        handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | O_BINARY, 0o666)
    except (OSError, ValueError) as error:
        raise _refused(path, _reason(error)) from None
    try:
        with open(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        os.replace(part, target)
        _force_folder(target.parent)
    except OSError as error:
        raise _refused(path, _reason(error)) from None
    finally:
        with suppress(OSError):
            os.unlink(part)


O_BINARY = getattr(os, "O_BINARY", 0)


def _force_folder(folder: Path) -> None:
    """Forces a rename to the disk, where a folder can be opened for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "its name is not one that a file can have"


def _refused(path: Path, reason: str) -> EinbatchError:
    return fail(
        "E0609",
        f"{shown(str(path))} cannot be written: {reason}",
        help="name a file in a folder that exists and that you may write to",
    )
