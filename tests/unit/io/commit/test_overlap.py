"""An output that is, contains, lies inside or links to an input is refused, whatever the spelling."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sage_select.errors import UsageError
from sage_select.io.commit.overlap import check_overlap
from sage_select.values.location import InputSetting

#: What lies there -> the output, the input as the setting spells it, and what the error says.
CASES: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "the same name": (lambda at: at, "data/a.jsonl", "data/a.jsonl", "it is the same as"),
    "a longer spelling": (lambda at: at, "data/../data/./a.jsonl", "data/a.jsonl", "the same as"),
    "an absolute one": (lambda at: at, "{at}/data/a.jsonl", "data/a.jsonl", "the same as"),
    "a link to the input": (lambda at: (at / "l").symlink_to("data/a.jsonl"), "l", "data/a.jsonl", "the same as"),
    "an input that is a link": (lambda at: (at / "l").symlink_to("data/a.jsonl"), "data/a.jsonl", "l", "the same as"),
    "a link to nothing": (lambda at: (at / "l").symlink_to("gone"), "l", "l", "the same as"),
    "a hard link": (lambda at: os.link(at / "data/a.jsonl", at / "h.jsonl"), "h.jsonl", "data/a.jsonl", "the same as"),
    "a linked folder": (lambda at: (at / "f").symlink_to("data"), "f/a.jsonl", "data/a.jsonl", "the same as"),
    "one of a pattern": (lambda at: at, "data/b.jsonl", "data/*.jsonl", "same as data/b.jsonl"),
    "inside a folder": (lambda at: at, "data/new.arrow", "data", "it lies inside data"),
    "deep inside a folder": (lambda at: (at / "data/x").mkdir(), "data/x/new.arrow", "data", "it lies inside data"),
    "inside a linked folder": (lambda at: (at / "f").symlink_to("data"), "f/new.arrow", "data", "it lies inside"),
    "a folder around it": (lambda at: at, "data", "data/a.jsonl", "it contains data/a.jsonl"),
    "a link to the folder": (lambda at: (at / "f").symlink_to("data"), "f", "data/a.jsonl", "it contains"),
    "the folder itself": (lambda at: at, "data", "data", "the same as"),
    "linked from the folder": (
        lambda at: (at / "data/l.arrow").symlink_to("../out.arrow"),
        "out.arrow",
        "data",
        "a file in data",
    ),
    "its manifest": (
        lambda at: (at / "o.arrow.manifest.json").write_text(""),
        "o.arrow",
        "o.arrow.manifest.json",
        "o.arrow.manifest.json, a part of the output,",
    ),
    "its rows": (lambda at: (at / "o.arrow.rows.parquet").write_text(""), "o.arrow", "o.arrow.rows.parquet", "a part"),
    "a temporary": (
        lambda at: (at / ".o.arrow.tmp-0123456789abcdef.data").write_text(""),
        "o.arrow",
        ".o.arrow.tmp-0123456789abcdef.data",
        "a part",
    ),
    "the manifest of an input": (
        lambda at: (at / "out.arrow.rows.parquet").write_text(""),
        "out.arrow.rows.parquet",
        "out.arrow",
        "the same as",
    ),
    "a local URL": (lambda at: at, "data/a.jsonl", "file://{at}/data/a.jsonl", "the same as"),
    "a URL in a URL": (lambda at: at, "data/a.jsonl", "simplecache::file://{at}/data/a.jsonl", "the same as"),
    "an archive": (lambda at: at, "data/a.jsonl", "zip://rows.jsonl::{at}/data/a.jsonl", "the same as"),
    "home": (lambda at: at, "data/a.jsonl", "~/data/a.jsonl", "the same as"),
}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text("a")
    (tmp_path / "data" / "b.jsonl").write_text("b")
    (tmp_path / "out.arrow").write_text("o")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("case", CASES)
def test_an_output_in_the_place_of_an_input_is_refused(case: str, at: Path) -> None:
    prepare, target, value, said = CASES[case]
    prepare(at)
    setting = InputSetting("select.pin", "file", value.format(at=at))
    with pytest.raises(UsageError, match="would take the place of an input") as refused:
        check_overlap(Path(target.format(at=at)), [InputSetting("source.path", "rows", "elsewhere"), setting])
    assert said in str(refused.value)
    assert "(select.pin)" in str(refused.value)


@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("out.arrow", "data"),
        ("out.arrow", "data/*.jsonl"),
        ("data/new.arrow", "data/*.jsonl"),
        ("data/../new.arrow", "data"),
        ("out.arrow", "org/model"),
        ("out.arrow", "s3://bucket/out.arrow"),
        ("out.arrow", "~nosuchuser/out.arrow"),
        ("out.arrow", "zero\0byte"),
        ("out.arrow", ""),
        ("data2", "data"),
    ],
)
def test_what_lies_apart_is_let_go(target: str, value: str, at: Path) -> None:
    check_overlap(Path(target), [InputSetting("source.path", "rows", value)])
