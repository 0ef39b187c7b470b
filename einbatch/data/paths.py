"""Which file a path means, and whether it may be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from einbatch.data.datafile import shown
from einbatch.diagnostics import EinbatchError, fail

NOT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
"""How a file is opened that might have become a pipe or a terminal just now."""
BINARY = getattr(os, "O_BINARY", 0)
OF_THE_SYSTEM = tuple(map(Path, ("/proc", "/sys", "/dev")))


def resolve_below(folder: Path, name: str, root: Path | None = None) -> Path:
    """The file that a program in `folder` means by `name`.

    E0602 where it is neither below the folder nor below `root`, once symbolic links
    are resolved, or where it is in `/proc`, `/sys` or `/dev`.
    """
    reason = _lexically_outside(name)
    try:
        own = Path(os.path.realpath(folder))
        path = Path(os.path.realpath(own / name))
        is_widened = root is not None and path.is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):
        raise _unreadable(name, "its name is not one that a file can have") from None
    if not is_widened and (reason is not None or not path.is_relative_to(own)):
        link = "leads out of the program's folder by a symbolic link"
        raise _outside(name, reason or link, root)
    if any(path.is_relative_to(item) for item in OF_THE_SYSTEM):
        raise _outside(name, f"leads to `/{path.parts[1]}`, where the system itself is", root)
    return path


def check_root(root: object) -> Path | None:
    """The folder that widens where a program's paths may point; E0601 where it is none."""
    if root is None:
        return None
    try:
        path = Path(cast(str, root))
        if path.is_dir():
            return path
        reason = "it is not a folder" if path.exists() else "no such folder"
    except (TypeError, ValueError, OSError):
        reason = "its name is not one that a folder can have"
    raise fail(
        "E0601",
        f"the data root {shown(str(root))} cannot be read: {reason}",
        help="name the folder below which a program's own paths may point",
    )


@contextmanager
def opened(path: Path, name: str) -> Generator[tuple[BinaryIO, int]]:
    """A regular file, open for reading, and its size.

    E0601 where it cannot be read, E0603 where it is a folder, a pipe, a device or a
    socket: looked at before it is opened, and once more when it is.
    """
    try:
        _check_kind(name, path.stat())
        handle = os.open(path, os.O_RDONLY | NOT_WAITING | BINARY)
    except OSError as error:
        raise _unreadable(name, (error.strerror or str(error)).lower()) from None
    except ValueError:
        raise _unreadable(name, "its name is not one that a file can have") from None
    with open(handle, "rb") as stream:
        status = os.fstat(handle)
        _check_kind(name, status)
        try:
            yield stream, status.st_size
        except OSError as error:
            raise _unreadable(name, (error.strerror or str(error)).lower()) from None


def _lexically_outside(name: str) -> str | None:
    if os.path.isabs(name):
        return "is an absolute path"
    if os.path.normpath(name).split(os.sep)[0] == os.pardir:
        return "leads out of the program's folder by `..`"
    return None


def _outside(name: str, reason: str, root: Path | None) -> EinbatchError:
    below = "its own folder" if root is None else f"its own folder and {shown(str(root))}"
    return fail(
        "E0602",
        f"{shown(name)} {reason}; a program reads only below {below}",
        help="put the data beside the program, or bind it yourself with `--data NAME=FILE`",
    )


def _unreadable(name: str, reason: str) -> EinbatchError:
    return fail(
        "E0601",
        f"{shown(name)} cannot be read: {reason}",
        help="a path in a program starts at the program's folder, one in a command at yours",
    )


def _check_kind(name: str, status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    what = kinds.get(stat.S_IFMT(status.st_mode), "a special file")
    raise fail(
        "E0603",
        f"{shown(name)} is {what}, not a file of data",
        help="data is read from regular files only",
    )
