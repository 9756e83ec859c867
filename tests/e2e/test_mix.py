"""Mixtures of files and of values, from files to files."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program

import sage_select
from sage_select.cli import select
from sage_select.errors import UsageError

ALL = ("--strategy", "random", "-k", "100%")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.fixture
def pool(folder: Path) -> Path:
    write(folder / "a.jsonl", [{"prompt": f"a {i}", "completion": "yes", "kind": "one"} for i in range(40)])
    more = [{"prompt": f"b {i}", "completion": "no", "kind": "zwei, drei" if i % 2 else "é"} for i in range(30)]
    write(folder / "b.jsonl", more)
    copies = [{"prompt": f"c {i % 9}", "completion": "maybe", "kind": None} for i in range(20)]
    write(folder / "c.jsonl", copies)
    return folder


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select", select.main, capsys, monkeypatch)


FILES = ("a.jsonl", "b.jsonl", "c.jsonl")


def manifest(folder: Path, name: str = "out.arrow") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.manifest.json").read_text())
    return found


def test_summary_manifest_report_and_why_tell_of_it(pool: Path, run: Program) -> None:
    done = run("build", *FILES, "--mix", "source=a:0.5,b:0.25", *ALL)
    assert done.code == 0, done.err
    assert (
        "mixture   sage_source by rows: a.jsonl 50.0% (18 of 40 rows), b.jsonl 25.0% (9 of 30 rows), "
        "1 other 25.0% (9 of 9 rows); as much as other values can give" in done.err
    )
    told = manifest(pool)
    assert told["rows"]["dropped"] == {
        "dedup: exact copy": 11,
        "mix: beyond the share of its value": 43,
        "select: not selected": 0,
    }
    assert [one["rows"] for one in told["evidence"]["mix"]["values"]] == [18, 9]
    report = pa.parquet.read_table("out.arrow.rows.parquet")
    assert Counter(report["reason"].to_pylist())["beyond the share of its value"] == 43
    row = report["reason"].to_pylist().index("beyond the share of its value")
    assert "beyond the share of its value" in run("why", "out.arrow", row).out
    assert run("build", *FILES, "--mix", "source=a:0.5,b:0.25", *ALL).err.startswith("cached")


def test_what_the_selection_takes_of_it_is_told(pool: Path, run: Program) -> None:
    done = run("build", *FILES, "--mix", "source=a:1,b:1", "--strategy", "random", "-k", "50%")
    assert "note: the selection takes 50% of the rows of the mixture, whatever their values" in done.err
    assert manifest(pool)["rows"]["kept"] == 30
    refused = run("build", *FILES, "--mix", "source=a:1,b:1", "--strategy", "random", "-k", "61", "--force")
    assert refused.code == 2
    assert "the budget of 61 rows is more than the 60 rows there are" in refused.err
    assert "10 beyond the share of its value" in refused.err


def test_smaller_selections_are_served_from_one(pool: Path, run: Program) -> None:
    mix = (*FILES, "--mix", "source=a:1,b:1", "--strategy", "random")
    assert run("build", *mix, "-k", "20").code == run("build", *mix, "-k", "8", "-o", "eight.arrow").code == 0
    assert run("top", "out.arrow", "8", "-o", "top.arrow").code == 0
    assert Path("top.arrow").read_bytes() == Path("eight.arrow").read_bytes()


def test_pinned_and_excluded_rows(pool: Path, run: Program) -> None:
    write(pool / "ids.jsonl", [{"id": f"r{i}", "text": f"text {i}", "kind": "x" if i < 6 else "y"} for i in range(20)])
    (pool / "pin.txt").write_text("r5\nr19\n")
    (pool / "leak.txt").write_text("r0\nr1\nr2\n")
    mix = ("build", "ids.jsonl", "--id-column", "id", "--mix", "kind=x:1,y:2", *ALL, "--force")
    done = run(*mix, "--pin", "pin.txt", "--exclude", "leak.txt")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in _lines(run, "out.arrow")]
    assert {"r5", "r19"} <= {row["id"] for row in rows}
    assert Counter(row["kind"] for row in rows) == {"x": 3, "y": 6}
    assert manifest(pool)["rows"]["dropped"]["select: excluded"] == 3
    (pool / "pin.txt").write_text("r7\n")
    refused = run("build", "ids.jsonl", "--id-column", "id", "--mix", "kind=x:1", *ALL, "--pin", "pin.txt", "--force")
    assert refused.code == 2
    assert "ids.jsonl, row 7, line 8 (id 'r7'): this row is pinned, and its value has no share" in refused.err


def _lines(run: Program, path: str) -> list[str]:
    assert run("build", path, *ALL, "--dedup", "none", "-o", "again.jsonl", "--force").code == 0
    return Path("again.jsonl").read_text().splitlines()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--mix", "source=d:1"), "a share of sage_source 'd', and there is no such row"),
        (("--mix", "kind=ome:1,é:1"), "did you mean 'one'?"),
        (("--mix", "kind=one:1,null:1", "--mix-size", "90"), "more rows of 'one' than there are"),
        (("--mix", "kind=one:0.7,é:0.7"), "--mix: the shares of a mixture add up to 1.4"),
        (("--mix-size", "90"), "--mix: expected a value"),
        (("--mix", "kind=one:1", "--mix-short", "fill"), "give the mixture a size"),
        (("--mix", "kind=one:1", "--mix-size", "ten"), "--mix-size: this is no budget"),
    ],
)
@pytest.mark.parametrize("how", ["build", "dry run"])
def test_what_is_wrong_is_said_before_anything_is_made(
    how: str, options: tuple[str, ...], said: str, pool: Path, build: Program
) -> None:
    done = build(*FILES, *options, *ALL, *(["--dry-run"] if how == "dry run" else []))
    assert done.code == 2
    assert said in done.err
    assert not Path("out.arrow").exists()


def test_every_door_leads_to_the_same_rows(pool: Path, run: Program) -> None:
    shares = 'kind="zwei, drei":1,one:2,null:1'
    assert run("build", *FILES, "--mix", shares, *ALL, "--seed", "3").code == 0
    told = manifest(pool)
    assert [one["rows"] for one in told["evidence"]["mix"]["values"]] == [9, 18, 9]
    expected = sorted(row for row in pa.ipc.open_file("out.arrow").read_all()["sage_row_id"].to_pylist())
    paths = list(FILES)
    chosen = sage_select.select(paths, mix=shares, strategy="random", budget="100%", seed=3)
    assert sorted(chosen.table()["sage_row_id"].to_pylist()) == expected
    pipeline = sage_select.Pipeline.read(paths, seed=3).mix(shares).select("random", budget="100%")
    assert sorted(pipeline.run().table()["sage_row_id"].to_pylist()) == expected
    for name, text in (("sage.yaml", pipeline.to_yaml()), ("sage.toml", pipeline.to_toml())):
        (pool / name).write_text(text)
        out = f"{name}.arrow"
        assert run("build", "--spec", name, "-o", out).code == 0
        assert sorted(pa.ipc.open_file(out).read_all()["sage_row_id"].to_pylist()) == expected
    with pytest.raises(UsageError, match="mix_size: this is no budget"):
        sage_select.select(paths, mix=shares, mix_size="ten")
    with pytest.raises(UsageError, match="no shares to mix in are given"):
        sage_select.select(paths, mix_size=5)
    with pytest.raises(UsageError, match="a mixture goes by a column of the rows, and there are none"):
        sage_select.select(scores=[1.0, 2.0], mix=shares, dedup="none", k=1)


def test_after_a_selection_and_twice(pool: Path, run: Program) -> None:
    steps = [
        {"source": {"path": list(FILES)}},
        {"mix": {"shares": "source=a:2,b:1"}},
        {"select": {"strategy": "random", "budget": 30}},
        {"mix": {"shares": "kind=one:1,é:1", "size": 8, "short": "shrink"}},
        {"order": {"order_by": "kind"}},
        {"sink": {"path": "out.arrow"}},
    ]
    (pool / "sage.yaml").write_text(json.dumps({"version": 1, "steps": steps}))
    done = run("build")
    assert done.code == 0, done.err
    evidence = manifest(pool)["evidence"]
    assert [one["rows"] for one in evidence["mix 1"]["values"]] == [40, 20]
    assert [one["rows"] for one in evidence["mix 2"]["values"]] == [4, 4]
    assert "mixture 1  sage_source by rows: a.jsonl 66.7%" in done.err
    assert "mixture 2  kind by rows: one 50.0% (4 of" in done.err
    table = pa.ipc.open_file("out.arrow").read_all()
    assert Counter(table["kind"].to_pylist()) == {"one": 4, "é": 4}
    assert sorted(table["sage_position"].to_pylist()) == list(range(8))
    dry = run("build", "--dry-run", "--force")
    assert dry.code == 0, dry.err


def test_real_files_in_shares(shared_data: Path, run: Program) -> None:
    names = ("train", "validation", "test")
    for name in names:
        Path(f"{name}.parquet").symlink_to(shared_data / "clinc150" / f"{name}.parquet")
    files = [f"{name}.parquet" for name in names]
    done = run("build", *files, "--mix", "source=train:0.5,test:0.3,validation:0.2", "--mix-size", "5001", *ALL)
    assert done.code == 0, done.err
    told = manifest(Path())["evidence"]["mix"]["values"]
    assert [one["rows"] for one in told] == [2501, 1500, 1000]
    by_words = run("build", *files, "--mix", "domain=banking:60%,travel:10%", "--mix-by", "tokens", *ALL, "--force")
    assert by_words.code == 0, by_words.err
    mixed = manifest(Path())["evidence"]["mix"]
    parts = [*mixed["values"], mixed["other_values"]]
    whole = sum(one["words"] for one in parts)
    assert all(abs(one["words"] - one["share"] * whole) < 60 for one in parts)
    assert parts[2]["values"] == 8


def test_tool_dialogues_and_two_parts_as_one_pool(shared_data: Path, run: Program) -> None:
    dialogues = shared_data / "sgd_chat" / "dev.jsonl.gz"
    done = run("build", dialogues, "--mix", "id=*:1", "--mix-size", "100", *ALL)
    assert done.code == 0, done.err
    assert manifest(Path())["rows"]["kept"] == 100
    refused = run("build", dialogues, "--mix", "services=Hotels_1:1", *ALL, "--force")
    assert refused.code == 3
    assert "rows cannot be counted by these values" in refused.err
