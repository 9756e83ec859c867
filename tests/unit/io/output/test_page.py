"""A page and its figures are written as one, or not at all, and replace nothing that is not theirs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from commits import Failing, entries

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.io.commit.names import PageNames
from sage_select.io.commit.protocol import recover
from sage_select.io.output.page import preflight_page, write_page
from sage_select.values.location import InputSetting

OLD = ("<p>old</p>", {"a.png": b"old a", "b.png": b"old b"})
NEW = ("<p>new</p>", {"a.png": b"new a", "c.png": b"new c"})
PARTS = {"r.html", "r.figures", "r.html.manifest.json"}


def seen(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return what lies there, which must be what the manifest says."""
    names = PageNames(path)
    output = json.loads(names.manifest.read_text())["output"]
    figures = {one.name: one.read_bytes() for one in names.figures.iterdir()}
    assert output["file"] == path.name
    assert output["figures"]["folder"] == names.figures.name
    assert output["figures"]["files"].keys() == figures.keys()
    return path.read_text(), figures


def write(path: Path, what: tuple[str, dict[str, bytes]], **options: Any) -> bool:
    return write_page(*what, path, {"sage_select": "test"}, **options)


def test_everything_is_there_and_nothing_else(tmp_path: Path) -> None:
    assert write(tmp_path / "r.html", OLD)
    assert entries(tmp_path) == PARTS
    assert seen(tmp_path / "r.html") == OLD


def test_the_same_page_is_left_as_it_is(tmp_path: Path) -> None:
    write(tmp_path / "r.html", OLD)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not write(tmp_path / "r.html", OLD)
    assert not write(tmp_path / "r.html", OLD, force=True)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    (tmp_path / "r.figures" / "b.png").write_bytes(b"other")
    assert write(tmp_path / "r.html", OLD, force=True)
    assert seen(tmp_path / "r.html") == OLD


def test_ours_is_replaced_by_force_alone(tmp_path: Path) -> None:
    write(tmp_path / "r.html", OLD)
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path / "r.html", NEW)
    assert seen(tmp_path / "r.html") == OLD
    write(tmp_path / "r.html", NEW, force=True)
    assert seen(tmp_path / "r.html") == NEW
    assert entries(tmp_path) == PARTS


def _page(folder: Path) -> None:
    (folder / "r.html").write_text("mine")


def _figures(folder: Path) -> None:
    (folder / "r.figures").mkdir()
    (folder / "r.figures" / "mine.png").write_bytes(b"mine")


def _own_with_another_figure(folder: Path) -> None:
    write(folder / "r.html", OLD)
    (folder / "r.figures" / "mine.png").write_bytes(b"mine")


@pytest.mark.parametrize("make", [_page, _figures, _own_with_another_figure])
def test_what_is_not_ours_is_replaced_only_where_that_is_said(make: Any, tmp_path: Path) -> None:
    make(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for options in ({}, {"force": True}):
        with pytest.raises(OutputError, match=r"--overwrite-foreign|--force"):
            write(tmp_path / "r.html", NEW, **options)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    write(tmp_path / "r.html", NEW, force=True, overwrite_foreign=True)
    assert seen(tmp_path / "r.html") == NEW


def _folder_of_others(folder: Path) -> None:
    (folder / "r.figures").mkdir()
    (folder / "r.figures" / "thesis.tex").write_text("mine")


def _folder_for_page(folder: Path) -> None:
    (folder / "r.html").mkdir()


def _file_for_folder(folder: Path) -> None:
    (folder / "r.figures").write_text("mine")


@pytest.mark.parametrize("make", [_folder_of_others, _folder_for_page, _file_for_folder])
def test_what_nothing_allows_to_replace(make: Any, tmp_path: Path) -> None:
    make(tmp_path)
    before = sorted(map(str, tmp_path.rglob("*")))
    with pytest.raises(OutputError):
        write(tmp_path / "r.html", NEW, force=True, overwrite_foreign=True)
    assert sorted(map(str, tmp_path.rglob("*"))) == before


@pytest.mark.parametrize(("there", "forever"), [(False, False), (True, True)])
def test_a_write_that_fails_or_dies_leaves_all_or_nothing(there: bool, forever: bool, tmp_path: Path) -> None:
    found = set()
    for at in range(1, 80):
        folder = tmp_path / str(at)
        folder.mkdir()
        path, files = folder / "r.html", Failing(at, forever=forever)
        if there:
            write(path, OLD)
        with contextlib.suppress(ResourceError):
            write(path, NEW, force=True, files=files)
        recover(path, PageNames(path))
        names = entries(folder)
        assert names == PARTS or (not there and not names)
        found.add(seen(path)[0] if names else None)
        if files.failed is None:
            break
    assert at > 12
    assert files.failed is None
    assert found == {OLD[0] if there else None, NEW[0]}


def test_names_and_inputs_are_checked_first(tmp_path: Path) -> None:
    (tmp_path / "out.html").write_text("rows")
    with pytest.raises(UsageError, match="take the place of an input"):
        preflight_page(
            tmp_path / "out.html", [InputSetting("selection", "rows", str(tmp_path / "out.html"))], force=True
        )
    with pytest.raises(UsageError, match=r"\.html"):
        preflight_page(tmp_path / "out.pdf", [], force=False)
    with pytest.raises(UsageError, match="--force"):
        preflight_page(tmp_path / "r.html", [], force=False, overwrite_foreign=True)
    with pytest.raises(ResourceError, match="missing"):
        preflight_page(tmp_path / "no" / "r.html", [], force=False)
