"""Rows that cannot be used: all are told at once, or left out, counted and named."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sage_select import select
from sage_select.engine import run
from sage_select.errors import DataError, UsageError
from sage_select.io import decode_rows
from sage_select.io.formats import json_table
from sage_select.pipeline import Pipeline
from sage_select.pipeline.plan import resolve
from sage_select.stages import Select, Sink, Source


def chat(number: int, **more: Any) -> str:
    turns = [{"role": "user", "content": f"question {number}"}, {"role": "assistant", "content": "x", **more}]
    return json.dumps({"messages": turns, "n": number})


BAD = {
    3: ('{"messages": [', "not JSON: expecting value"),
    7: ("[1]", "a row is not an object"),
    20: (json.dumps({"messages": [{"role": "alien", "content": "x"}], "n": 1}), "a message has the unknown role ..."),
    31: (json.dumps({"messages": [{"role": "user", "content": None}], "n": 1}), "a message has no content"),
    50: (json.dumps({"messages": [], "n": "text"}), "a column changes its type"),
    71: ('{"messages": [], "n": 123456789012345678901234567890}', "the integer does not fit into 64 bits"),
    72: ('{"messages": [], "n": NaN}', "NaN is not JSON"),
    90: (chat(1, tool_calls=[{"no": "name"}]), "a message has a tool call that cannot be read"),
}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(BAD.get(number, (chat(number),))[0] + "\n" for number in range(200)))
    return path


class Silent:
    """Says nothing."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def progress(self, label: str) -> contextlib.AbstractContextManager[Callable[[int, int], None]]:
        """Show nothing."""
        return contextlib.nullcontext(lambda done, total: None)


def build(rows: Path, budget: int = 50, **source: Any) -> dict[str, Any]:
    steps = (
        Source.make(path=str(rows), **source),
        Select.make(strategy="random", budget=budget),
        Sink.make(path=str(rows.parent / "out.arrow")),
    )
    return dict(run(resolve(Pipeline(seed=0, steps=steps)), Silent()).manifest)


def test_the_error_tells_of_all_of_them_and_how_to_go_on(rows: Path) -> None:
    with pytest.raises(DataError) as caught:
        build(rows)
    text = str(caught.value)
    assert "8 of 200 rows cannot be used" in text
    for _, kind in BAD.values():
        assert f"1 times: {kind}" in text
    for number in sorted(BAD)[:5]:
        assert f"rows.jsonl, row {number}, line {number + 1}" in text
    assert "row 71" not in text
    assert "on_bad_row" in text or "--on-bad-row drop" in text


@pytest.mark.parametrize("chunk", [1, 300, 1 << 20])
def test_they_are_left_out_counted_and_named(rows: Path, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_table, "CHUNK_BYTES", chunk)
    manifest = build(rows, on_bad_row="drop", max_bad="5%")
    assert manifest["rows"]["in"] == 200
    dropped = {key: count for key, count in manifest["rows"]["dropped"].items() if key.startswith("source")}
    assert dropped == {f"source: {kind}": 1 for _, kind in BAD.values()}
    report = pq.read_table(rows.parent / "out.arrow.rows.parquet").to_pylist()
    assert len(report) == 200
    for number, (_, kind) in BAD.items():
        assert (report[number]["stage"], report[number]["reason"]) == ("source", kind)
        assert f"line {number + 1}" in report[number]["sage_row_id"]
    assert sum(line["kept"] for line in report) == 50


def test_some_row_has_to_be_left(rows: Path) -> None:
    rows.write_text(BAD[20][0] + "\n")
    with pytest.raises(DataError, match="no row would be left"):
        build(rows, on_bad_row="drop", max_bad="100%")


def test_at_most_so_many(rows: Path) -> None:
    for most in (None, 7, "3.9%"):
        with pytest.raises(DataError, match="8 of 200 rows cannot be used"):
            build(rows, on_bad_row="drop", max_bad=most)
    assert build(rows, on_bad_row="drop", max_bad=8)["rows"]["kept"] == 50
    for wrong in ("many", -1, "101%"):
        with pytest.raises(UsageError, match="max_bad is a number of rows"):
            Source.make(path="x", on_bad_row="drop", max_bad=wrong)
    with pytest.raises(UsageError, match="it needs on_bad_row"):
        Source.make(path="x", max_bad=3)


def test_one_bad_row_is_told_as_itself(rows: Path) -> None:
    rows.write_text("".join((chat(n) if n != 5 else '{"messages": [') + "\n" for n in range(20)))
    with pytest.raises(DataError, match=r"row 5, line 6: not JSON: expecting value at character 15"):
        build(rows)


def test_rows_from_python(rows: Path) -> None:
    chosen = select(rows, k=192, strategy="random", on_bad_row="drop", max_bad=10)
    assert sorted(set(range(200)) - set(chosen.indices.tolist())) == sorted(BAD)
    made = [json.loads(chat(number)) for number in range(10)]
    made[4] = {"messages": [{"role": "user", "content": {1, 2}}]}
    with pytest.raises(DataError, match="row 4: holds what JSON cannot hold"):
        select(made, k=2, strategy="random")
    assert 4 not in select(made, k=9, strategy="random", on_bad_row="drop").indices


def test_other_rows_are_what_they_would_be_alone(rows: Path) -> None:
    """A bad row changes no value, id or pick of the others."""
    alone = rows.parent / "good.jsonl"
    alone.write_text("".join(chat(number) + "\n" for number in range(200) if number not in BAD))
    good = select(alone, k=20, strategy="random").table()
    mixed = select(rows, k=20, strategy="random", on_bad_row="drop", max_bad=8).table()
    assert list(decode_rows(good)) == list(decode_rows(mixed))


def test_parts_that_are_no_text_are_refused_at_the_build(rows: Path) -> None:
    def said(number: int) -> Any:
        text = {"type": "text", "text": f"look {number}"}
        image = {"type": "image_url", "image_url": {"url": "x"}}
        return [[text, image], [text, text], f"plain {number}"][number % 3]

    turns = [[{"role": "user", "content": said(n)}, {"role": "assistant", "content": f"x {n}"}] for n in range(6)]
    rows.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in turns))
    with pytest.raises(DataError, match="2 of 6 rows cannot be used") as caught:
        select(rows, k=1, strategy="random")
    assert "row 0" in str(caught.value)
    chosen = select(rows, k=4, strategy="random", on_bad_row="drop", max_bad="50%")
    assert sorted(chosen.indices.tolist()) == [1, 2, 4, 5]


def test_keys_that_nothing_reads_are_named(rows: Path) -> None:
    rows.write_text("".join(chat(number, mood="glad", reasoning_content="so") + "\n" for number in range(12)))
    assert [notice for notice in build(rows, budget=3)["notices"] if "mood" in notice] == [
        "the key 'mood' of 12 messages is read by nothing, unless the chat template asks for it"
    ]


def test_records_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question,answer\n" + "".join("a,b,c\n" if n == 5 else f"a{n},b\n" for n in range(11)))
    with pytest.raises(DataError, match=r"row 5, line 7: a record has another number of values"):
        select(path, k=1, strategy="random")
    chosen = select(path, k=10, strategy="random", on_bad_row="drop")
    assert sorted(chosen.indices.tolist()) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]


def test_scores_stay_with_their_rows(rows: Path) -> None:
    scores = np.arange(200, dtype=np.float32)
    chosen = select(rows, k=3, strategy="loss_topk", scores=scores, on_bad_row="drop", max_bad=8)
    assert chosen.indices.tolist() == [199, 198, 197]
