"""Rows that come piece by piece: few stay in memory, many go to a temporary file."""

from __future__ import annotations

import errno
import mmap
import shutil
import tempfile
from typing import IO, Any

import numpy as np

from einbatch.data.datafile import RAISE_ALLOWANCE, Array, DataFile, Stored, shown
from einbatch.data.stored import Mapped
from einbatch.diagnostics import EinbatchError, fail


class Spool:
    """Records of one dtype. The temporary file has no name and ends with the process."""

    def __init__(self, file: DataFile, record: np.dtype[Any]) -> None:
        self._file = file
        self.record = record
        self._bytes = bytearray()
        self._spilled: IO[bytes] | None = None
        self._count = 0
        self._room = 0

    def add(self, records: Array) -> None:
        """More records; E0710 where there is no room for them."""
        self._count += len(records)
        size = self._count * self.record.itemsize
        if self._spilled is None and size > self._file.keep_from:
            self._spill()
        if self._spilled is None:
            if size > self._file.limit:
                raise self._too_large(size, f"the memory allowance leaves {self._file.limit:,}")
            self._bytes += records.tobytes()
            return
        if size > self._room:
            raise self._too_large(size, f"the temporary folder has room for {self._room:,}")
        self._write(records.tobytes())

    def finish(self) -> dict[str, Array | Stored]:
        """Each field of the records, [n, …]."""
        names = self.record.names or ()
        if not names:
            return {}
        if self._spilled is None:
            rows = np.frombuffer(self._bytes, self.record)
            return {name: np.ascontiguousarray(rows[name]) for name in names}
        self._spilled.flush()
        memory = mmap.mmap(self._spilled.fileno(), 0, access=mmap.ACCESS_READ)
        rows = np.frombuffer(memory, self.record)
        where, limit = shown(self._file.name), self._file.limit
        found: dict[str, Array | Stored] = {}
        for name in names:
            view, truth = rows[name], self.record[name].base.kind == "b"
            raw = view.view(np.uint8) if truth else view
            found[name] = Mapped(raw, memory, where, limit=limit, dtype=view.dtype)
        return found

    def close(self) -> None:
        """Lets go of the temporary file; arrays that `finish` gave keep it."""
        if self._spilled is not None:
            self._spilled.close()

    def _spill(self) -> None:
        self._room = shutil.disk_usage(tempfile.gettempdir()).free // 2
        self._spilled = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._write(self._bytes)
        self._bytes = bytearray()

    def _write(self, content: bytes | bytearray) -> None:
        assert self._spilled is not None
        try:
            self._spilled.write(content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            size = self._count * self.record.itemsize
            raise self._too_large(size, "the temporary folder is full") from None

    def _too_large(self, size: int, reason: str) -> EinbatchError:
        return fail(
            "E0710",
            f"{shown(self._file.name)} takes more than {size:,} bytes"
            f" from row {self._count:,} on; {reason}",
            help=RAISE_ALLOWANCE,
        )
