from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, Where
from sage_select.io.formats import text
from sage_select.io.formats.text import decoded, open_text
from sage_select.io.guards import damage
from sage_select.io.source.opened import Input
from sage_select.io.source.progress import Meter


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return sink.getvalue().to_pybytes()


def lines(path: Path) -> list[tuple[int, bytes]]:
    with open_text(Input(path, path.name), Meter(None, 0)) as file:
        return list(file.lines())


TEXT = "\ufeffone\r\n\n\u2028two\u0085\x0b\x0c\r three\nlast".encode()
LINES = [(1, b"one\r"), (2, b""), (3, "\u2028two\u0085\x0b\x0c\r three".encode()), (4, b"last")]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
@pytest.mark.parametrize("block", [1, 3, 7, 1 << 20])
def test_lines_end_at_line_feeds_only(pack, block, tmp_path, monkeypatch) -> None:
    path = tmp_path / "rows"
    path.write_bytes(pack(TEXT))
    monkeypatch.setattr(text, "_BLOCK", max(block, 3))
    assert lines(path) == LINES
    path.write_bytes(pack(TEXT + b"\n"))
    assert lines(path) == LINES


@given(
    data=st.binary(max_size=60).map(
        lambda data: data.translate(bytes(10 if byte % 5 == 0 else byte for byte in range(256)))
    ),
    mark=st.booleans(),
    size=st.integers(3, 40),
    ahead=st.integers(1, 20),
    pack=st.sampled_from([bytes, gzip.compress]),
)
@settings(max_examples=300)
def test_chunks_are_the_text_cut_where_lines_end(data, mark, size, ahead, pack) -> None:
    # Text that begins like a gzip file is taken for one.
    assume(mark or pack is gzip.compress or not data.startswith(b"\x1f\x8b"))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_AHEAD", ahead)
        path = Path(folder) / "rows"
        path.write_bytes(pack((b"\xef\xbb\xbf" if mark else b"") + data))
        with open_text(Input(path, path.name), Meter(None, 0)) as file:
            chunks = list(file.chunks(size))
    assert b"".join(chunks) == (data if mark else data.removeprefix(b"\xef\xbb\xbf"))
    assert all(chunks)
    assert all(chunk.endswith(b"\n") for chunk in chunks[:-1])


def test_members_of_a_gzip_file_follow_each_other(tmp_path) -> None:
    path = tmp_path / "rows"
    path.write_bytes(gzip.compress(b"one\ntw") + gzip.compress(b"o\n"))
    assert lines(path) == [(1, b"one"), (2, b"two")]


@pytest.mark.parametrize(
    ("pack", "harm"),
    # zstd as Arrow writes it has no checksum: a flipped bit may go unseen
    [
        (gzip.compress, "cut"),
        (gzip.compress, "flipped"),
        (gzip.compress, "trailing"),
        (zstd, "cut"),
        (zstd, "trailing"),
    ],
)
def test_damage_names_the_file(pack, harm, tmp_path) -> None:
    data = bytearray(pack(b"".join(b"line %d\n" % number for number in range(999))))
    if harm == "cut":
        del data[-5:]
    elif harm == "flipped":
        data[len(data) // 2] ^= 0x55
    else:
        data += b"garbage"
    path = tmp_path / "rows"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"^rows: is damaged"):
        lines(path)


def test_a_bomb_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(damage, "RATIO_FREE_BYTES", 1 << 20)
    path = tmp_path / "rows"
    path.write_bytes(zstd(b"\n" * (1 << 20)))
    assert len(lines(path)) == 1 << 20
    path.write_bytes(zstd(b"\n" * (3 << 20)))
    with pytest.raises(DataError, match="expands far more"):
        lines(path)


def test_a_line_has_a_limit(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(text, "_BLOCK", 64)
    path = tmp_path / "rows"
    path.write_bytes(b"short\n" + b"x" * 300)
    with pytest.raises(DataError, match=r"line 2: a line is longer than 100 bytes"):
        lines(path)
    with (
        text.open_text(Input(path, "rows"), Meter(None, 0)) as file,
        pytest.raises(DataError, match=r"line 2: a line is longer than 100 bytes"),
    ):
        list(file.chunks(64))


def test_progress_reaches_the_end_of_the_packed_file(tmp_path) -> None:
    told: list[tuple[int, int]] = []
    path = tmp_path / "rows"
    path.write_bytes(gzip.compress(TEXT))
    size = path.stat().st_size
    with open_text(Input(path, "rows"), Meter(lambda done, total: told.append((done, total)), size)) as file:
        file.read_all()
    assert told
    assert all(0 <= done <= total == size for done, total in told)


def test_what_is_not_utf8_is_said_by_byte() -> None:
    with pytest.raises(DataError, match=r"rows, line 3: not UTF-8: byte 0xff at byte 4"):
        decoded(b"abc\xffd", Where(file="rows", line=3))
