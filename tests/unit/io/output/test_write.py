from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sage_select.errors import DataError, OutputError, ResourceError, SageError, UsageError
from sage_select.io import existing, open_output, write
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.protocol import exclusive
from sage_select.io.output import target as target_module
from sage_select.io.tables.digest import digest_files

TABLE = pa.table({"a": ["x", "y", "z"]})
OTHER = pa.table({"a": ["new"]})
REPORT = pa.table({"id": ["1"], "stage": ["select"]})
NAMES = ["out.arrow", "out.arrows", "out.parquet", "out.jsonl", "out.jsonl.gz", "out"]


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_there_and_nothing_else(name, tmp_path) -> None:
    written = write(TABLE, tmp_path / name, {"fingerprint": "f", "rows": {"in": 9}}, row_report=REPORT)
    assert entries(tmp_path) == sorted([name, f"{name}.manifest.json", f"{name}.rows.parquet"])
    assert pq.read_table(tmp_path / f"{name}.rows.parquet").equals(REPORT)
    rows, manifest = open_output(tmp_path / name)
    assert rows.table.equals(TABLE)
    assert manifest == json.loads(written.manifest_path.read_text())
    assert list(manifest) == ["format_version", "digest", "fingerprint", "rows", "output"]
    assert manifest["output"]["digest"] == written.digest == rows.digest
    assert manifest["output"]["rows"] == 3
    assert manifest["output"]["file"] == name
    assert written.path == tmp_path / name


@pytest.mark.parametrize("name", NAMES)
def test_an_output_without_rows(name, tmp_path) -> None:
    write(TABLE.slice(0, 0), tmp_path / name, {})
    rows, manifest = open_output(tmp_path / name)
    assert rows.table.num_rows == manifest["output"]["rows"] == 0
    assert name.startswith("out.jsonl") or rows.table.schema.equals(TABLE.schema)


@pytest.mark.parametrize("name", NAMES)
def test_an_output_is_only_replaced_by_force(name, tmp_path) -> None:
    write(TABLE, tmp_path / name, {}, row_report=REPORT)
    with pytest.raises(OutputError, match=r"exists already(?s:.*)--force(?s:.*)-o"):
        write(OTHER, tmp_path / name, {})
    assert open_output(tmp_path / name)[0].table.equals(TABLE)
    write(OTHER, tmp_path / name, {}, force=True)
    assert open_output(tmp_path / name)[0].table.equals(OTHER)
    assert entries(tmp_path) == sorted([name, f"{name}.manifest.json"])  # the old report is gone


@pytest.mark.parametrize("left", ["out.arrow.manifest.json", "out.arrow.rows.parquet"])
def test_parts_of_an_output_are_not_written_over_either(left, tmp_path) -> None:
    (tmp_path / left).write_text("mine")
    with pytest.raises(SageError, match=left) as refused:
        write(TABLE, tmp_path / "out.arrow", {})
    assert "--overwrite-foreign" in str(refused.value)
    assert (tmp_path / left).read_text() == "mine"


FOREIGN = {
    "a file": lambda path: path.write_text("mine"),
    "a link": lambda path: path.symlink_to("elsewhere"),
    "a saved dataset": lambda path: (path.mkdir(), (path / "state.json").write_text("{}")),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_ours_is_replaced_only_where_that_is_said(kind, tmp_path) -> None:
    path = tmp_path / ("out" if kind == "a saved dataset" else "out.arrow")
    FOREIGN[kind](path)
    before = sorted((file.name, file.is_symlink() or file.is_dir() or file.read_text()) for file in tmp_path.rglob("*"))
    for force in (False, True):
        with pytest.raises(OutputError, match="--force --overwrite-foreign"):
            write(TABLE, path, {}, force=force)
    after = sorted((file.name, file.is_symlink() or file.is_dir() or file.read_text()) for file in tmp_path.rglob("*"))
    assert after == before
    write(TABLE, path, {}, force=True, overwrite_foreign=True)
    assert open_output(path)[0].table.equals(TABLE)
    write(OTHER, path, {}, force=True)  # now it is ours
    assert open_output(path)[0].table.equals(OTHER)


def test_parts_that_our_manifest_does_not_name_are_not_ours(tmp_path) -> None:
    path = tmp_path / "out.arrow"
    write(TABLE, path, {})
    (tmp_path / "out.arrow.rows.parquet").write_text("mine")
    with pytest.raises(OutputError, match=r"rows\.parquet(?s:.*)does not name it"):
        write(OTHER, path, {}, force=True)
    assert open_output(path)[0].table.equals(TABLE)
    (tmp_path / "out.arrow.rows.parquet").unlink()
    for name in ("out.arrow", "out.arrow.manifest.json"):
        (tmp_path / name).rename(tmp_path / name.replace("out", "other"))
    with pytest.raises(OutputError, match=r"other\.arrow: (?s:.*)does not name it"):
        write(OTHER, tmp_path / "other.arrow", {}, force=True)


def test_an_output_with_a_damaged_manifest_has_a_way_out(tmp_path) -> None:
    path = tmp_path / "out.arrow"
    write(TABLE, path, {})
    (tmp_path / "out.arrow.manifest.json").write_text("{")
    with pytest.raises(OutputError, match=r"a manifest that is damaged(?s:.*)--overwrite-foreign"):
        write(OTHER, path, {}, force=True)
    write(OTHER, path, {}, force=True, overwrite_foreign=True)
    assert open_output(path)[0].table.equals(OTHER)


def test_an_output_whose_rows_are_gone_is_still_ours(tmp_path) -> None:
    path = tmp_path / "out.arrow"
    write(TABLE, path, {}, row_report=REPORT)
    path.unlink()
    write(OTHER, path, {}, force=True)
    assert open_output(path)[0].table.equals(OTHER)


def test_a_manifest_says_its_version_and_no_nan(tmp_path) -> None:
    write(TABLE, tmp_path / "out.arrow", {"a": "é"})
    assert '"a": "é"' in (tmp_path / "out.arrow.manifest.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="JSON"):
        write(TABLE, tmp_path / "other.arrow", {"a": float("nan")})
    assert entries(tmp_path) == ["out.arrow", "out.arrow.manifest.json"]


def test_folders_that_cannot_hold_it(tmp_path) -> None:
    with pytest.raises(ResourceError, match=r"the output folder is missing(?s:.*)mkdir -p"):
        write(TABLE, tmp_path / "no" / "out.arrow", {})
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="is not a folder"):
        write(TABLE, tmp_path / "file" / "out.arrow", {})


def test_a_folder_without_permission(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(target_module.os, "access", lambda *_: False)  # the tests may run as root
    with pytest.raises(ResourceError, match="permission denied"):
        write(TABLE, tmp_path / "out.arrow", {})


def test_a_read_only_file_system(tmp_path, monkeypatch) -> None:
    original = os.open

    def refuse(path, flags, *rest):
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return original(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ResourceError, match="Read-only file system"):
        write(TABLE, tmp_path / "out.arrow", {})


def test_targets_that_are_no_files(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe.arrow")
    with pytest.raises(UsageError, match="a pipe, device or socket"):
        write(TABLE, tmp_path / "pipe.arrow", {}, force=True)
    (tmp_path / "dir.arrow").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write(TABLE, tmp_path / "dir.arrow", {}, force=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        write(TABLE, tmp_path / "file", {}, force=True)
    for name in ("/", "..", ""):
        with pytest.raises(UsageError):
            write(TABLE, name, {}, force=True)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["out.arrow", "out"])
def test_a_link_is_replaced_and_never_written_through(name, tmp_path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("mine")
    aim = tmp_path / "elsewhere" / ("mine" if name != "out" else "")
    (tmp_path / name).symlink_to(aim)
    with pytest.raises(OutputError, match="exists already"):
        write(TABLE, tmp_path / name, {})
    with pytest.raises(OutputError, match=r"not an output of sage-select(?s:.*)--force --overwrite-foreign"):
        write(TABLE, tmp_path / name, {}, force=True)
    assert (tmp_path / name).is_symlink()
    write(TABLE, tmp_path / name, {}, force=True, overwrite_foreign=True)
    assert not (tmp_path / name).is_symlink()
    assert open_output(tmp_path / name)[0].table.equals(TABLE)
    assert (tmp_path / "elsewhere" / "mine").read_text() == "mine"


def test_a_folder_with_other_things_is_never_deleted(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    write(TABLE, tmp_path / "out", {}, force=True)
    (tmp_path / "out" / "cache-1.arrow").write_text("")
    write(OTHER, tmp_path / "out", {}, force=True)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"other things than a saved dataset(?s:.*)notes\.txt"):
        write(OTHER, tmp_path / "out", {}, force=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "x.arrow").write_text("mine")
    for name in ("out", "photos"):
        with pytest.raises(OutputError, match="other things"):
            write(OTHER, tmp_path / name, {}, force=True, overwrite_foreign=True)


def test_a_second_writer_is_refused_and_a_dead_one_is_not_waited_for(tmp_path) -> None:
    names = OutputNames(tmp_path / "out.arrow")
    with exclusive(names), pytest.raises(OutputError, match="another run is writing it"):
        write(TABLE, names.target, {})
    names.lock.write_text("")  # what a killed writer leaves
    write(TABLE, names.target, {})
    assert entries(tmp_path) == ["out.arrow", "out.arrow.manifest.json"]


def test_what_a_format_cannot_hold_leaves_nothing(tmp_path) -> None:
    empty_struct = pa.table({"a": pa.array([{}], pa.struct([]))})
    with pytest.raises(DataError, match=r"\.parquet cannot hold the rows"):
        write(empty_struct, tmp_path / "out.parquet", {})
    with pytest.raises(DataError, match="JSON cannot hold"):
        write(pa.table({"a": [b"x"]}), tmp_path / "out.jsonl", {})
    assert entries(tmp_path) == []


def test_outputs_whose_names_begin_alike_do_not_sweep_each_other(tmp_path) -> None:
    other = tmp_path / ".out.arrow.tmp-0123456789abcdef.data"
    other.write_text("a live writer's")
    write(TABLE, tmp_path / "out", {})
    assert other.exists()
    write(TABLE, tmp_path / "out.arrow", {})
    assert not other.exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_change_after_writing_is_seen(name, tmp_path) -> None:
    write(TABLE, tmp_path / name, {"fingerprint": "f"})
    path = tmp_path / name / "data-00000-of-00001.arrow" if name == "out" else tmp_path / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="changed or damaged since it was written"):
        open_output(tmp_path / name)
    assert not existing(tmp_path / name, "f")


def test_existing_knows_fingerprint_digest_and_report(tmp_path) -> None:
    path = tmp_path / "out.arrow"
    assert not existing(path, "f")
    write(TABLE, path, {"fingerprint": "f"}, row_report=REPORT)
    assert existing(path, "f")
    assert existing(path, "f", with_report=True)
    assert not existing(path, "f", with_report=False)
    assert not existing(path, "g")
    report = tmp_path / "out.arrow.rows.parquet"
    kept = report.read_bytes()
    report.write_bytes(b"x")
    assert not existing(path, "f")
    report.unlink()
    assert not existing(path, "f")
    report.write_bytes(kept)
    assert existing(path, "f")
    path.unlink()
    assert not existing(path, "f")
    with pytest.raises(UsageError, match="no such file"):
        open_output(path)


def test_a_table_without_manifest_is_opened_as_it_is(tmp_path) -> None:
    pq.write_table(TABLE, tmp_path / "x.parquet")
    rows, manifest = open_output(tmp_path / "x.parquet")
    assert manifest is None
    assert rows.digest == digest_files([tmp_path / "x.parquet"])


@pytest.mark.parametrize("name", NAMES)
def test_writing_twice_gives_the_same_bytes(name, tmp_path) -> None:
    one, two = ((tmp_path / folder) for folder in "12")
    for folder in (one, two):
        folder.mkdir()
        write(TABLE, folder / name, {"fingerprint": "f"}, row_report=REPORT)
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
