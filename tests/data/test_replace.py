"""Files are written whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from einbatch.data.replace import replacing

HELP = "\n  help: name a file in a folder that exists and that you may write to"


def write(path: Path, content: bytes = b"new") -> None:
    with replacing(path) as stream:
        stream.write(content)


def test_writes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    write(path, b"old")
    write(path)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_honours_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "f")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.mark.parametrize("trouble", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path: Path, trouble: type[BaseException]) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail_halfway() -> None:
        with replacing(path) as stream:
            stream.write(b"half")
            raise trouble

    with pytest.raises(trouble):
        fail_halfway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_keeps_pointing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/f")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there/f").read_bytes() == b"new"


def test_refusals(tmp_path: Path, refusal) -> None:
    assert refusal(write, tmp_path / "no/f") == (
        f"error[E0609]: `{tmp_path}/no/f` cannot be written: no such file or directory" + HELP
    )
    for path in (tmp_path, Path("/dev/null")):
        assert refusal(write, path) == (
            f"error[E0609]: `{path}` cannot be written:"
            " it is there already and is not a regular file" + HELP
        )
    assert "its name is not one that a file can have" in refusal(write, Path("nul\0"))


def test_a_full_disk(tmp_path: Path, refusal) -> None:
    def fill() -> None:
        with replacing(tmp_path / "f"):
            raise OSError(28, "No space left on device")

    assert refusal(fill) == (
        f"error[E0609]: `{tmp_path}/f` cannot be written: no space left on device" + HELP
    )
    assert list(tmp_path.iterdir()) == []
