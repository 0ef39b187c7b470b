"""Mutated headers of every format: an array or a clear error, in little time and memory.

Each format's files are changed at their beginnings and ends, where headers and
footers are. They are read in a process of its own: one that is killed fails the test.
`EINBATCH_MUTATIONS=5000 pytest tests/data/test_hostile.py` is the long form.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from einbatch.data import Vocabulary, load_all
from einbatch.data.sources import FORMATS
from einbatch.diagnostics import EinbatchError

COUNT = int(os.environ.get("EINBATCH_MUTATIONS", "600"))
LIMIT = 8 << 30
KEEP_FROM = 64 << 20
SECONDS, KILOBYTES = 1.0, 200_000
"""What the reading of one file may cost."""
CODES = {"", "E0606", "E0607", "E0608", "E0611", "E0710"}
"""Of what a file may end in; the empty one is of arrays."""
ODD = (
    b"\xff" * 4,
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x40",
    bytes(8),
    b"9999999999",
    b"-1",
    b"[[[[",
    b'"',
)


def written(write: object, *arguments: object) -> bytes:
    stream = io.BytesIO()
    write(stream, *arguments)  # pyright: ignore
    return stream.getvalue()


def tables() -> dict[str, bytes]:
    """Files of pyarrow's, where it is installed."""
    try:
        import pyarrow as pa
        from pyarrow import feather, parquet
    except ImportError:
        return {}
    table = pa.table(
        {
            "x": np.arange(6.0),
            "v": pa.FixedSizeListArray.from_arrays(pa.array(np.arange(12)), 2),
            "label": ["b", "a", "c"] * 2,
            "coded": pa.array(["b", "a", "c"] * 2).dictionary_encode(),
        }
    )

    def stream(sink: io.BytesIO) -> None:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)

    def plain(sink: io.BytesIO) -> None:
        parquet.write_table(table, sink, compression="zstd", use_dictionary=False)

    return {
        "t.parquet": written(lambda sink: parquet.write_table(table, sink)),
        "plain.parquet": written(plain),
        "t.arrow": written(stream),
        "t.feather": written(lambda sink: feather.write_feather(table, sink, "lz4")),
        "plain.feather": written(lambda sink: feather.write_feather(table, sink, "uncompressed")),
    }


def originals() -> dict[str, bytes]:
    """Good files by name, at least one of each format."""
    x = np.arange(12.0).reshape(6, 2)
    idx = b"\0\0\x0e\x02" + np.array([6, 2], ">u4").tobytes() + x.astype(">f8").tobytes()
    return {
        "a.npy": written(np.save, x),
        "a.npz": written(lambda sink: np.savez(sink, x=x, label=x[:, 0])),
        "packed.npz": written(lambda sink: np.savez_compressed(sink, x=x)),
        "t.csv": b"x,label\n1,a\n2.5,b\n",
        "t.tsv": b"x\tlabel\n1\ta\n2.5\tb\n",
        "a.safetensors": save({"x": x, "n": np.arange(6)}),
        "a.idx": idx,
        "a.idx.gz": gzip.compress(idx, mtime=0),
        "a-idx1-ubyte": b"\0\0\x08\x01\0\0\0\x04abcd",
        "a-ubyte.gz": gzip.compress(b"\0\0\x08\x01\0\0\0\x04abcd", mtime=0),
        **tables(),
    }


def mutated(content: bytes, numbers: random.Random) -> bytes:
    """Some bytes of the first 200 or the last 600 changed, put in, or left out."""
    data = bytearray(content)
    for _ in range(numbers.choice((1, 1, 2, 4))):
        if not data:
            break
        near = numbers.randrange(min(len(data), 200))
        place = near if numbers.random() < 0.5 else -1 - numbers.randrange(min(len(data), 600))
        place %= len(data)
        match numbers.randrange(6):
            case 0:
                data[place] ^= 1 << numbers.randrange(8)
            case 1:
                data[place] = numbers.randrange(256)
            case 2:
                odd = numbers.choice(ODD)
                data[place : place + len(odd)] = odd
            case 3:
                data[place:place] = numbers.choice(ODD)
            case 4:
                data[place:place] = numbers.randbytes(numbers.randrange(1, 9))
            case _:
                del data[place:]
    return bytes(data)


def status(key: str) -> int:
    """A number of kilobytes of this process."""
    text = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    return int(text.split(key + ":")[1].split()[0]) if key in text else 0


def read(path: Path) -> dict[str, object]:
    """What reading a file ends in, and what it costs."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")  # the highest so far counts from now on
    start, before = time.perf_counter(), status("VmRSS")
    code = ""
    try:
        classes = {"label": Vocabulary(), "coded": Vocabulary()}
        arrays = load_all(path, LIMIT, keep_from=KEEP_FROM, classes=classes)
        assert all(array.shape is not None for array in arrays.values())
    except EinbatchError as error:
        code = error.diagnostics[0].code
        assert str(error).count("\n") == 1
        assert "help: " in str(error)
    seconds = time.perf_counter() - start
    return {"code": code, "seconds": seconds, "kilobytes": status("VmHWM") - before}


def main(folder: Path, first: int, count: int) -> None:
    """Reads files one by one; a line of JSON says what came of each."""
    files = originals()
    names = list(files)
    for name, content in files.items():  # imports, and whatever is made only once
        (folder / name).write_bytes(content)
        assert read(folder / name)["code"] == ""
    for number in range(first, first + count):
        name = names[number % len(names)]
        (folder / name).write_bytes(mutated(files[name], random.Random(number)))
        print(json.dumps({"number": number, "name": name, **read(folder / name)}), flush=True)


def test_every_format_is_among_them() -> None:
    names = originals()
    missing = {e for e in FORMATS if not any(name.endswith(e) for name in names)}
    assert missing <= ({".parquet", ".arrow", ".feather"} if "t.parquet" not in names else set())


def test_mutated_headers(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "faulthandler", __file__, str(tmp_path), "0", str(COUNT)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-1:], done.stderr[-4000:])
    assert len(lines) == COUNT
    wrong = [line for line in lines if line["code"] not in CODES]
    slow = [line for line in lines if line["seconds"] >= SECONDS]
    large = [line for line in lines if line["kilobytes"] >= KILOBYTES]
    assert (wrong, slow, large) == ([], [], [])
    refused = [line for line in lines if line["code"]]
    assert COUNT / 2 < len(refused) < COUNT


@pytest.mark.parametrize("name", originals())
def test_every_beginning_of_a_file(name: str, tmp_path: Path) -> None:
    """What a copy that was broken off leaves."""
    content = originals()[name]
    ends = range(0, len(content), 1 if len(content) < 300 else 17)
    refused = 0
    for end in ends:
        (tmp_path / name).write_bytes(content[:end])
        refused += bool(read(tmp_path / name)["code"])
    if name not in ("t.csv", "t.tsv"):  # whole rows are a table
        assert refused == len(ends)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
