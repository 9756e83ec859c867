from __future__ import annotations

import re
from pathlib import Path

import pytest

from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.io import read
from sage_select.io.source import named
from sage_select.io.tables.digest import digest_files


def put(path: Path, text: str = '{"a": 1}\n') -> Path:
    path.write_text(text)
    return path


def test_a_missing_file_names_its_neighbours(tmp_path) -> None:
    put(tmp_path / "train.jsonl")
    put(tmp_path / ".hidden")
    with pytest.raises(UsageError, match=r"did you mean .train\.jsonl."):
        read(tmp_path / "trian.jsonl")
    with pytest.raises(UsageError, match=re.escape(f"'{tmp_path}' holds train.jsonl")):
        read(tmp_path / "zz")
    with pytest.raises(UsageError, match="is not there either"):
        read(tmp_path / "no" / "zz")
    with pytest.raises(UsageError, match="no such file"):
        read(tmp_path / "train.jsonl" / "zz")


def test_globs_are_sorted_and_follow_folders(tmp_path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.jsonl", "a.jsonl", "sub/0.jsonl"):
        put(tmp_path / name, f'{{"a": "{name}"}}\n')
    assert read(str(tmp_path / "*.jsonl")).table.column("a").to_pylist() == ["a.jsonl", "b.jsonl"]
    held = read(str(tmp_path / "**" / "*.jsonl"))
    assert held.table.column("a").to_pylist() == ["a.jsonl", "b.jsonl", "sub/0.jsonl"]
    assert held.source == str(tmp_path / "**" / "*.jsonl")
    assert held.digest == digest_files([tmp_path / name for name in ("a.jsonl", "b.jsonl", "sub/0.jsonl")])
    with pytest.raises(UsageError, match="no file matches"):
        read(str(tmp_path / "*.csv"))


def test_a_name_with_glob_characters_is_a_name_first(tmp_path) -> None:
    path = put(tmp_path / "rows[1].jsonl")
    assert read(path).table.num_rows == 1


def test_a_name_that_looks_like_a_chain_of_file_systems(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(Path("a::b.jsonl"))
    assert read("a::b.jsonl").table.num_rows == 1


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_are_none(name) -> None:
    with pytest.raises(UsageError, match="is no name of a file"):
        read(name)


def test_the_home_folder_is_known(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "rows.jsonl")
    assert read("~/rows.jsonl").table.num_rows == 1


def test_what_is_no_file(tmp_path) -> None:
    with pytest.raises(UsageError, match="a pipe, device or socket"):
        read("/dev/null")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="cannot be opened"):
        read(tmp_path / "loop")
    with pytest.raises(UsageError, match="at most 255 bytes"):
        read(tmp_path / ("x" * 300))
    with pytest.raises(DataError, match="a folder without a saved dataset"):
        read(tmp_path)


def test_a_link_is_followed(tmp_path) -> None:
    put(tmp_path / "rows.jsonl")
    (tmp_path / "link").symlink_to("rows.jsonl")
    assert read(tmp_path / "link").table.num_rows == 1


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_empty_files(text, tmp_path) -> None:
    with pytest.raises(DataError, match="has no rows"):
        read(put(tmp_path / "rows.jsonl", text))


def test_permission(tmp_path, monkeypatch) -> None:
    path = put(tmp_path / "rows.jsonl")
    monkeypatch.setattr(named.os, "access", lambda *_: False)  # the tests may run as root
    with pytest.raises(ResourceError, match="permission denied"):
        read(path)


def test_formats_mix_where_the_types_agree(tmp_path) -> None:
    put(tmp_path / "1.jsonl")
    put(tmp_path / "2.csv", "a\n1\n")
    with pytest.raises(DataError, match=r"2.csv, column 'a': (?s:.*)of different types(?s:.*)got: string"):
        read(str(tmp_path / "*"))


def test_progress_ends_at_the_size_of_all_files(tmp_path) -> None:
    told: list[tuple[int, int]] = []
    put(tmp_path / "1.jsonl")
    put(tmp_path / "2.jsonl", '{"a": 123456}\n')
    read(str(tmp_path / "*"), progress=lambda *pair: told.append(pair))
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert told[-1] == (size, size)
    assert told == sorted(told)
