"""The cache of values: what is held is what was computed, whatever happens to its files."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from commits import Failing
from hypothesis import given
from hypothesis import strategies as st

from sage_select.cache import (
    Cache,
    Computed,
    HeldBlocks,
    cache_folder,
    compute_blocks,
    holdings,
    is_cache,
    key_of,
    most_bytes,
    prune,
    spans,
)
from sage_select.errors import UsageError
from sage_select.io.commit.files import Files

LARGE = 1 << 40
TABLE = pa.table({"loss": np.arange(5, dtype=np.float32)}).replace_schema_metadata({"facts": "{}"})
KEY = key_of("rows")


def opened(folder: Path, notices: list[str] | None = None, *, most: int = LARGE, files: Files | None = None) -> Cache:
    return Cache(folder, most, ([] if notices is None else notices).append, files)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("values-1/*/*.arrow"))


def aged(folder: Path, days: float = 1) -> None:
    for path in files_of(folder):
        before = path.stat().st_mtime - days * 86_400
        os.utime(path, (before, before))


def test_what_was_put_comes_back_to_another_process(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "cache"
    assert opened(folder).producer({"name": "a"}).get(KEY) is None
    assert not folder.exists()
    opened(folder).producer({"name": "a", "label": "here"}).put(KEY, TABLE)
    found = opened(folder).producer({"label": "there", "name": "a"}).get(KEY)
    assert found.equals(TABLE)
    assert found.schema.metadata == TABLE.schema.metadata
    assert opened(folder).producer({"name": "b"}).get(KEY) is None
    assert opened(folder).producer({"name": "a"}).get(key_of("other rows")) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert is_cache(folder)
    assert not is_cache(tmp_path)


@pytest.mark.parametrize("place", [0, 8, -1, 200])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer"])
def test_a_damaged_entry_is_told_and_computed_anew(tmp_path: Path, damage: str, place: int) -> None:
    opened(tmp_path).producer({}).put(KEY, TABLE)
    (path,) = files_of(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    whole = path.read_bytes()
    path.write_bytes({"flip": bytes(data), "cut": whole[:place], "empty": b"", "longer": whole + b"\0"}[damage])
    notices: list[str] = []
    producer = opened(tmp_path, notices).producer({})
    assert producer.get(KEY) is None
    assert len(notices) == 1
    assert "damaged and is computed anew" in notices[0]
    assert not files_of(tmp_path)
    producer.put(KEY, TABLE)
    assert opened(tmp_path).producer({}).get(KEY).equals(TABLE)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_regular_files_are_read(tmp_path: Path, kind: str) -> None:
    opened(tmp_path).producer({}).put(KEY, TABLE)
    (path,) = files_of(tmp_path)
    moved = path.rename(tmp_path / "moved")
    {"link": lambda: path.symlink_to(moved), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    notices: list[str] = []
    assert opened(tmp_path, notices).producer({}).get(KEY) is None
    assert len(notices) == 1
    assert moved.is_file()


def test_a_cache_that_cannot_be_used_is_told_once_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for name, why in {"file": "it is no folder", "open": "everybody may write there"}.items():
        notices: list[str] = []
        cache = opened(tmp_path / name, notices)
        for identity in ({"name": "a"}, {"name": "b"}):
            cache.producer(identity).put(KEY, TABLE)
            assert cache.producer(identity).get(KEY) is None
        assert len(notices) == 1
        assert why in notices[0]
        assert "--cache-dir" in notices[0]
    assert (tmp_path / "file").read_text() == "mine"
    assert not any((tmp_path / "open").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_a_cache_of_another_user_is_not_used(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)
    notices: list[str] = []
    opened(folder, notices).producer({}).put(KEY, TABLE)
    assert len(notices) == 1
    assert "belongs to another user" in notices[0]
    assert not any(folder.iterdir())


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("forever", [False, True])
def test_every_failure_of_the_disk_leaves_the_values_or_nothing(tmp_path: Path, forever: bool, short: bool) -> None:
    """Each operation fails in turn, to exhaustion: no error, at most one notice, nothing half written is ever read."""
    for number in range(1, 200):
        folder, notices = tmp_path / str(number), list[str]()
        files = Failing(number, forever=forever, short=short)
        producer = opened(folder, notices, files=files).producer({"name": "a"})
        producer.put(KEY, TABLE)
        held = opened(folder).producer({"name": "a"}).get(KEY)
        assert held is None or held.equals(TABLE)
        assert len(notices) == (files.failed is not None)
        if files.failed is None:
            assert held is not None
            break
        again: list[str] = []
        opened(folder, again).producer({"name": "a"}).put(KEY, TABLE)
        assert opened(folder, again).producer({"name": "a"}).get(KEY).equals(TABLE)
        assert not again
    else:
        raise AssertionError("it never ended")
    assert number > 10


def test_what_was_used_longest_ago_makes_room_but_nothing_of_this_run(tmp_path: Path) -> None:
    keys = [key_of(number) for number in range(4)]
    for key in keys[:2]:
        opened(tmp_path).producer({}).put(key, TABLE)
    size = files_of(tmp_path)[0].stat().st_size
    aged(tmp_path)
    reader = opened(tmp_path)
    assert reader.producer({}).get(keys[0]) is not None
    cache = opened(tmp_path, most=3 * size)
    for key in keys[2:]:
        cache.producer({}).put(key, TABLE)
    left = [key for key in keys if opened(tmp_path).producer({}).get(key) is not None]
    assert left == [keys[0], *keys[2:]]
    tiny, notices = tmp_path / "tiny", list[str]()
    full = opened(tiny, notices, most=1)
    for key in keys:
        full.producer({}).put(key, TABLE)
    assert all(full.producer({}).get(key) is not None for key in keys)
    assert not notices


def test_temporaries_of_dead_writers_go_and_those_of_living_stay(tmp_path: Path) -> None:
    opened(tmp_path).producer({}).put(KEY, TABLE)
    folder = files_of(tmp_path)[0].parent
    old, new = folder / ".tmp-1-dead", folder / ".tmp-2-alive"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert opened(tmp_path).producer({}).get(KEY) is not None
    assert not old.exists()
    assert new.exists()


def test_what_is_held_is_listed_and_pruned(tmp_path: Path) -> None:
    assert holdings(tmp_path) == []
    for name in ("a", "b"):
        producer = opened(tmp_path).producer({"name": name, "label": f"model {name}"})
        for number in range(3):
            producer.put(key_of([name, number]), TABLE)
        if name == "a":
            aged(tmp_path, 40)
    found = holdings(tmp_path)
    assert [one.identity["label"] for one in found] == ["model b", "model a"]
    assert [one.blocks for one in found] == [3, 3]
    size = found[0].bytes
    assert size == sum(path.stat().st_size for path in files_of(tmp_path)[:3])
    mine = files_of(tmp_path)[0].parent / "notes.txt"
    mine.write_text("not of the cache")
    assert prune(tmp_path, older_than=30 * 86_400) == (3, size)
    assert [one.identity["label"] for one in holdings(tmp_path)] == ["model b"]
    assert prune(tmp_path, most=size // 3) == (2, 2 * size // 3)
    assert prune(tmp_path) == (1, size // 3)
    assert holdings(tmp_path) == []
    assert mine.read_text() == "not of the cache"


def test_nothing_that_is_not_of_the_cache_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "values-1" / "pictures"
    folder.mkdir(parents=True)
    (folder / "mine.arrow").write_text("mine")
    assert prune(tmp_path) == (0, 0)
    assert (folder / "mine.arrow").read_text() == "mine"


@given(n=st.integers(0, 40), rows=st.integers(1, 12))
def test_spans_are_all_rows_once_in_order(n: int, rows: int) -> None:
    found = spans(n, rows)
    assert [row for start, stop in found for row in range(start, stop)] == list(range(n))
    assert all(0 < stop - start <= rows for start, stop in found)


class Work:
    """Computes the squares of rows, and knows which it was asked for."""

    def __init__(self, rows: list[int], *, lasting: bool = True) -> None:
        self.rows, self.lasting, self.asked = rows, lasting, list[int]()

    def __call__(self, start: int, stop: int) -> Computed:
        self.asked += self.rows[start:stop]
        return Computed(pa.table({"square": [row**2 for row in self.rows[start:stop]]}), self.lasting)

    def key(self, start: int, stop: int) -> str:
        return key_of(self.rows[start:stop])

    def run(self, folder: Path, identity: dict[str, Any] | None = None) -> tuple[list[int], list[tuple[int, bool]]]:
        counted: list[tuple[int, bool]] = []
        blocks = HeldBlocks(opened(folder), {"kind": "test"}, self.key, lambda *one: counted.append(one))
        known = {"name": "squares"} if identity is None else identity
        parts = blocks(lambda: known or None, spans(len(self.rows), 3), self)
        return [value for part in parts for value in part["square"].to_pylist()], counted


def test_blocks_are_computed_once_and_only_those_that_changed(tmp_path: Path) -> None:
    first = Work([5, 4, 3, 2, 1, 0, 9, 8])
    assert first.run(tmp_path)[0] == [row**2 for row in first.rows]
    assert first.asked == first.rows
    again = Work(first.rows)
    squares, counted = again.run(tmp_path)
    assert squares == [row**2 for row in first.rows]
    assert again.asked == []
    assert counted == [(3, True), (3, True), (2, True)]
    longer = Work([*first.rows, 7, 7])
    assert longer.run(tmp_path)[0] == [row**2 for row in longer.rows]
    assert longer.asked == [9, 8, 7, 7]
    other = Work([4, 5, 3])
    assert other.run(tmp_path)[0] == [16, 25, 9]
    assert other.asked == [4, 5, 3]


def test_blocks_go_on_where_a_run_was_cut_off(tmp_path: Path) -> None:
    rows = list(range(9))

    class Cut(Work):
        def __call__(self, start: int, stop: int) -> Computed:
            if start == 6:
                raise KeyboardInterrupt
            return super().__call__(start, stop)

    with pytest.raises(KeyboardInterrupt):
        Cut(rows).run(tmp_path)
    rest = Work(rows)
    assert rest.run(tmp_path)[0] == [row**2 for row in rows]
    assert rest.asked == [6, 7, 8]


def test_what_is_not_known_or_not_lasting_is_computed_each_time(tmp_path: Path) -> None:
    for _ in range(2):
        work = Work([1, 2, 3, 4], lasting=False)
        assert work.run(tmp_path)[0] == [1, 4, 9, 16]
        assert work.asked == [1, 2, 3, 4]
        unknown = Work([1, 2])
        assert unknown.run(tmp_path, {})[0] == [1, 4]
        assert unknown.asked == [1, 2]
    assert not files_of(tmp_path)
    plain = Work([3, 1])
    assert [one.to_pydict() for one in compute_blocks(dict, spans(2, 1), plain)] == [{"square": [9]}, {"square": [1]}]


def test_where_it_lies_and_how_large_it_may_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAGE_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == cache_folder(True) == tmp_path / ".cache" / "sage-select"
    assert cache_folder(False) is None
    assert cache_folder("~/here") == tmp_path / "here"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "sage-select"
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/x")
    assert cache_folder() == Path("/var/tmp/x/sage-select")
    monkeypatch.setenv("SAGE_CACHE_DIR", "~/named")
    assert cache_folder() == tmp_path / "named"
    assert cache_folder(tmp_path) == tmp_path
    assert most_bytes() == 20 << 30
    monkeypatch.setenv("SAGE_CACHE_SIZE", "1.5GB")
    assert most_bytes() == 1_500_000_000
    monkeypatch.setenv("SAGE_CACHE_SIZE", "plenty")
    with pytest.raises(UsageError, match=re.escape("SAGE_CACHE_SIZE is no size")):
        most_bytes()
