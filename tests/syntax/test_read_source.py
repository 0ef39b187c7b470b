"""Files as texts."""

import os
from pathlib import Path

import pytest

from einbatch.diagnostics import EinbatchError
from einbatch.syntax import parse, read_source
from einbatch.syntax.source import LARGEST


def test_a_file_is_read_without_its_byte_order_mark(tmp_path: Path):
    path = tmp_path / "a.ein"
    path.write_bytes("\ufeffx = ŷ\r\n".encode())
    source = read_source(path)
    assert (source.name, source.text) == (str(path), "x = ŷ\r\n")
    assert read_source(path, "short").name == "short"
    assert parse(source).statements[0].span.text == "x = ŷ"


@pytest.mark.parametrize(
    ("data", "byte", "hint"),
    [
        (b"x = 1\ny = \xff", "byte 10 (0xFF)", "another encoding"),
        ("x = ŷ".encode() + b"\xc3", "byte 6 (0xC3)", "another encoding"),
        ("x = 1".encode("utf-16"), "byte 0 (0xFF)", "UTF-16"),
        (b"\xef\xbb\xbfx = \x80", "byte 7 (0x80)", "another encoding"),
        (b"\xed\xa0\x80", "byte 0 (0xED)", "another encoding"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, data: bytes, byte: str, hint: str):
    path = tmp_path / "a.ein"
    path.write_bytes(data)
    with pytest.raises(EinbatchError) as caught:
        read_source(path, "a.ein")
    (found,) = caught.value.diagnostics
    assert found.code == "E0103"
    assert byte in found.message
    assert hint in found.help
    assert "^" in str(found)


@pytest.mark.parametrize("name", ["missing.ein", ".", "a\0b", "x" * 5000])
def test_files_that_cannot_be_read(tmp_path: Path, name: str):
    with pytest.raises(EinbatchError) as caught:
        read_source(os.path.join(tmp_path, name), "the file")
    (found,) = caught.value.diagnostics
    assert found.code == "E0104"
    assert found.message.startswith("`the file` cannot be read: ")


def test_files_that_are_too_large(tmp_path: Path):
    path = tmp_path / "a.ein"
    path.write_bytes(b"#" * (LARGEST + 1))
    with pytest.raises(EinbatchError, match="E0105"):
        read_source(path)
    path.write_bytes(b"#" * LARGEST)
    assert len(read_source(path).text) == LARGEST
