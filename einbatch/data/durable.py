"""Files and folders that are whole after a crash, or not there.

Write, fsync, rename, fsync of the folder: what a name stands for is on the disk
before the name is, and the name before anything that builds on it. Every call here
raises OSError with the path that failed as its `filename`.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PART = ".part"
"""What the name of an unfinished or discarded file or folder ends in."""
O_BINARY = getattr(os, "O_BINARY", 0)
NOT_FORCEABLE = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)
"""What file systems say that force no folder to the disk."""


def write_file(path: Path, content: bytes | memoryview) -> None:
    """A new file, forced to the disk; FileExistsError where there is one."""
    with naming(path):
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | O_BINARY, 0o666)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_file(path: Path, content: bytes) -> None:
    """A file in the place of the one of that name, if there is one."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        write_file(part, content)
        with naming(path):
            os.replace(part, path)
        force_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            os.unlink(part)
        error.filename = str(error.filename).replace(str(part), str(path))
        raise


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """A folder of these files in the place of the one of that name, if there is one."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with naming(part):
            os.mkdir(part)
        for name, content in files.items():
            write_file(part / name, content)
        force_folder(part)
        discard_folder(path)
        with naming(path):
            os.rename(part, path)
        force_folder(path.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        error.filename = str(error.filename).replace(str(part), str(path))
        raise


def discard_folder(path: Path) -> None:
    """Takes a folder away, if it is there: its name at once, then what was in it."""
    trash = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")
    try:
        with naming(path):
            os.rename(path, trash)
    except FileNotFoundError:
        return
    shutil.rmtree(trash, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Removes what a crash left unfinished in a folder."""
    for path in folder.glob(f".*{PART}"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def force_folder(folder: Path) -> None:
    """Forces the names in a folder to the disk, where the system can do that."""
    if os.name == "nt":
        return
    with naming(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in NOT_FORCEABLE:
                raise
        finally:
            os.close(handle)


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Puts the path on errors: calls may know a handle alone, or a name that nobody gave."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise
