from __future__ import annotations

import builtins
import sys

import fsspec
import pytest

from sage_select.display import without_secrets
from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.io import read


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.pipe("/sage/b.jsonl", b'{"a": 2}\n')
    files.pipe("/sage/a.jsonl", b'{"a": 1}\n')
    yield files
    files.rm("/sage", recursive=True)


def test_a_url_is_read_and_named_in_places(memory) -> None:
    held = read("memory://sage/a.jsonl")
    assert held.table.to_pylist() == [{"a": 1}]
    assert held.where(0).file == "memory://sage/a.jsonl"


def test_a_glob_in_a_url_is_sorted(memory) -> None:
    held = read("memory://sage/*.jsonl")
    assert held.table.column("a").to_pylist() == [1, 2]
    assert held.where(1).file == "memory://sage/b.jsonl"
    assert held.source == "memory://sage/*.jsonl"


def test_arrow_files_outlive_their_temporary_copy(memory, tmp_path) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(tmp_path / "x", pa.schema([("a", pa.string())])) as writer:
        writer.write_table(pa.table({"a": ["x"] * 5000}))
    memory.pipe("/sage/x.arrow", (tmp_path / "x").read_bytes())
    assert set(read("memory://sage/x.arrow").table.column("a").to_pylist()) == {"x"}


def test_a_local_url(tmp_path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    assert read(f"file://{tmp_path}/rows.csv").table.to_pylist() == [{"a": "1"}]


def test_what_is_not_there(memory) -> None:
    with pytest.raises(UsageError, match=r"^memory://sage/c\.jsonl: no such file"):
        read("memory://sage/c.jsonl")
    with pytest.raises(UsageError, match="no such file"):
        read("memory://sage/*.csv")
    with pytest.raises(UsageError, match="no file system is known for nowhere://"):
        read("nowhere://sage/c.jsonl")


def test_damage_names_the_url(memory) -> None:
    memory.pipe("/sage/c.jsonl", b"{")
    with pytest.raises(DataError, match=r"^memory://sage/c\.jsonl, row 0, line 1"):
        read("memory://sage/c.jsonl")


@pytest.mark.parametrize(("url", "package"), [("s3://bucket/x", "s3fs"), ("hf://datasets/a/b/c", "huggingface_hub")])
def test_a_missing_package_is_named(url, package, monkeypatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in (package, "s3fs", "huggingface_hub")]:
        monkeypatch.delitem(sys.modules, name)
    original = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys.modules["fsspec.registry"], "_registry", {})
    with pytest.raises(ResourceError, match=f"pip install {package}"):
        read(url)


def test_errors_of_other_packages_do_not_show_secrets(memory, monkeypatch) -> None:
    def fail(*_, **__):
        raise RuntimeError("token=SECRET")

    monkeypatch.setattr(fsspec, "open_files", fail)
    with pytest.raises(ResourceError) as caught:
        read("memory://user:SECRET@sage/a.jsonl?token=SECRET")
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_are_cut_off() -> None:
    assert without_secrets("https://u:p@host/a@b?x#y") == "https://host/a@b"
