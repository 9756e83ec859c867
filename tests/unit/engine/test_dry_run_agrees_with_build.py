"""What a build refuses is refused before it, with the same exit code: odd small inputs, through both doors."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from sage_select.engine.local.estimate import estimate
from sage_select.engine.local.run import run
from sage_select.errors import SageError
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.plan import resolve
from sage_select.pipeline.run import Silence
from sage_select.stages import Embed, Score, Select, Sink, Source

GOOD = b'{"prompt": "what is one", "completion": "1"}\n{"prompt": "what is two", "completion": "2"}\n'
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
SCRIPT = b'# makes rows, and writes them, one a line\nfor i in $(seq 60); do\n  echo "$i"\ndone\n'


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(table, sink)
    return bytes(sink.getvalue())


def stream(table: pa.Table, size: int) -> bytearray:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=size)
    return bytearray(sink.getvalue())


def damaged_later() -> bytes:
    """Return a stream whose second batch has offsets that point beyond its text."""
    table = pa.table({"text": ["row one of the text", "row two of the text"]})
    data = stream(table, 1)
    at = data.rindex((19).to_bytes(4, "little"))
    data[at : at + 4] = (1 << 20).to_bytes(4, "little")
    return bytes(data)


ODD: dict[str, bytes] = {
    "good.jsonl": GOOD,
    "good.jsonl.gz": gzip.compress(GOOD),
    "cut.jsonl.gz": gzip.compress(GOOD)[:-9],
    "empty.jsonl": b"",
    "blank.jsonl": b"\n \n",
    "one_bad.jsonl": GOOD + b'{"prompt": \n',
    "all_bad.jsonl": b"{\n{\n",
    "not_rows.jsonl": b"1\n2\n",
    "no_answers.jsonl": lines({"prompt": "a", "completion": ""}, {"prompt": "b", "completion": None}),
    "one_blank.jsonl": GOOD + lines({"prompt": "a", "completion": " "}),
    "no_shape.jsonl": lines({"x": 1, "y": 2}),
    "no_shape_bad.jsonl": lines({"x": 1}) + b"{\n",
    "wrong_role.jsonl": lines(CHAT, {"messages": [{"role": 3, "content": "x"}]}),
    "no_turns.jsonl": lines(CHAT, {"messages": []}, {"messages": None}),
    "types_change.jsonl": GOOD + lines({"prompt": 3, "completion": "x"}),
    "ids_twice.jsonl": lines({"sage_row_id": "a", "text": "x"}, {"sage_row_id": "a", "text": "y"}),
    "no_id.jsonl": lines({"sage_row_id": "a", "text": "x"}, {"sage_row_id": None, "text": "y"}),
    "latin.jsonl": '{"text": "é"}\n'.encode("latin-1") + GOOD,
    "open.json": b'[{"text": "a"}, {"text": "b"',
    "more.json": b'[{"text": "a"}] x',
    "ragged.csv": b"prompt,completion\na,b\nc\nd,e\n",
    "quote.csv": b'prompt,completion\na,"b\n',
    "header.csv": b"prompt,completion\n",
    "twice.csv": b"text,text\na,b\n",
    "script.sh": SCRIPT,
    "script.csv": SCRIPT,
    "script": SCRIPT,
    "prose.txt": b"A first line, with a comma.\nAnd a second.\n",
    "table.txt": b"prompt,completion\na,b\n",
    "zeros": bytes(4096),
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "good.parquet": parquet(pa.table({"text": ["a", "b"]})),
    "cut.parquet": parquet(pa.table({"text": ["a", "b"]}))[:-20],
    "flipped.parquet": parquet(pa.table({"text": ["a", "b"]})).replace(b"PAR1\x15", b"PAR1\x16", 1),
    "null.parquet": parquet(pa.table({"text": pa.nulls(2)})),
    "later.arrows": damaged_later(),
    "cut.arrows": bytes(stream(pa.table({"text": ["a"] * 9}), 3)[:-300]),
    "none.arrows": bytes(stream(pa.table({"text": pa.array([], pa.string())}), 3)),
}


def code(do: Callable[[], object]) -> int:
    try:
        do()
    except SageError as error:
        return error.exit_code
    return 0


def codes(where: Path, source: Source, *steps: Stage) -> tuple[int, int]:
    plan = resolve(Pipeline(steps=(source, *(steps or (Select(budget=1),)), Sink(path=str(where / "out.arrow")))))
    foreseen = code(lambda: estimate(plan, within=[]))
    return foreseen, code(lambda: run(plan, Silence()))


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("settings", [{}, {"on_bad_row": "drop"}, {"on_bad_row": "drop", "max_bad": "60%"}])
def test_odd_inputs(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ODD[name])
    foreseen, found = codes(tmp_path, Source(path=str(tmp_path / name), **settings))
    assert foreseen == found
    assert found in (0, 2, 3)
    if name.startswith(("good", "one_blank", "table")) or (name == "one_bad.jsonl" and "max_bad" in settings):
        assert found == 0
    if name.startswith(("script.sh", "prose", "zeros", "picture", "later")):
        assert found == 3


def test_several_inputs(tmp_path: Path) -> None:
    for name in ("all_bad.jsonl", "good.jsonl", "good.parquet", "script.sh"):
        (tmp_path / name).write_bytes(ODD[name])
    for names, settings in (
        (("all_bad.jsonl", "good.jsonl"), {}),
        (("all_bad.jsonl", "good.jsonl"), {"on_bad_row": "drop", "max_bad": "60%"}),
        (("good.jsonl", "good.parquet"), {}),
        (("good.jsonl", "script.sh"), {"on_bad_row": "drop"}),
    ):
        where = tmp_path / "_".join(names) / str(len(settings))
        where.mkdir(parents=True)
        foreseen, found = codes(where, Source(path=[str(tmp_path / name) for name in names], **settings))
        assert foreseen == found, (names, settings)


def test_beside_files_and_limits(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_bytes(lines({"text": "one row", "s": 0.5, "g": "a"}, {"text": "two rows", "s": None, "g": "b"}))
    np.save(tmp_path / "nan.npy", np.array([1.0, np.nan]))
    np.save(tmp_path / "zero.npy", np.zeros((2, 3), np.float32))
    np.save(tmp_path / "three.npy", np.ones(3))
    (tmp_path / "ids.txt").write_text("absent\n")
    steps: list[tuple[Stage, ...]] = [
        (Score(column="s"), Select(budget=1, strategy="loss_topk")),
        (Score(file=str(tmp_path / "nan.npy")), Select(budget=1, strategy="loss_topk")),
        (Score(file=str(tmp_path / "three.npy")), Select(budget=1, strategy="loss_topk")),
        (Embed(file=str(tmp_path / "zero.npy")), Select(budget=1, strategy="diversity")),
        (Select(budget=1, pin=str(tmp_path / "ids.txt")),),
        (Select(budget=1, exclude=str(tmp_path / "ids.txt")),),
        (Select(budget=2, quota="g"),),
        (Select(budget=1, quota="absent"),),
        (Select(budget=9),),
    ]
    for index, some in enumerate(steps):
        where = tmp_path / str(index)
        where.mkdir()
        foreseen, found = codes(where, Source(path=str(rows)), *some)
        assert foreseen == found, some


def test_a_damaged_output_as_input(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"".join(lines({"text": f"row {i} of the data"}) for i in range(9)))
    own = tmp_path / "out.arrow"
    assert codes(tmp_path, Source(path=str(tmp_path / "rows.jsonl")), Select(budget=4)) == (0, 0)
    data = bytearray(own.read_bytes())
    data[data.index(b"of the data")] ^= 1
    own.write_bytes(data)
    (tmp_path / "next").mkdir()
    assert codes(tmp_path / "next", Source(path=str(own))) == (3, 3)


def test_a_bad_row_within_what_is_looked_at_of_a_large_input(tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    rows = [lines({"text": f"row {i} " * 40}) for i in range(9000)]
    path.write_bytes(b"".join([*rows[:100], b"{\n", *rows[100:]]))
    assert codes(tmp_path, Source(path=str(path)), Select(budget=9, strategy="random")) == (3, 3)
    dropped = Source(path=str(path), on_bad_row="drop")
    assert codes(tmp_path, dropped, Select(budget=9, strategy="random")) == (0, 0)
