"""Columns of scores as published data sets have them are scores as they are."""

from __future__ import annotations

import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import sage_select
from sage_select import DataError, SageError, UsageError

N = 24


def chat(row: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"question {row}"}, {"role": "assistant", "content": f"answer {row * 7}"}]


def sharegpt(row: int) -> list[dict[str, str]]:
    return [{"from": "human", "value": f"question {row}"}, {"from": "gpt", "value": f"answer {row * 7}"}]


def instruction(row: int) -> dict[str, str]:
    return {"instruction": f"do {row}", "input": "", "output": f"done {row * 7}"}


def number(row: int) -> float:
    """Return a score that is one of 24 different numbers."""
    return round(((row * 7) % N) / 4, 2)


def question(row: int) -> dict[str, str]:
    return {"prompt": f"question {row}", "completion": f"answer {row * 7}"}


def page(row: int) -> dict[str, str]:
    return {"text": f"page {row * 7}"}


def varying(row: int) -> dict[str, Any]:
    return {"quality": {"mean": number(row)}, **({"note": "x"} if row % 3 else {})}


def helpsteer(row: int) -> dict[str, Any]:
    return {"prompt": f"q {row}", "response": f"a {row * 7}", "helpfulness": (row * 7) % N, "verbosity": 2}


#: Data set -> a row of it, the name of its score, and whether a high one is picked first.
SHAPES: dict[str, tuple[Any, str, bool]] = {
    # hkust-nlp/deita-6k-v0 with the scores of the DEITA scorers.
    "deita": (lambda r: {"conversations": sharegpt(r), "evol_quality": number(r)}, "evol_quality", True),
    # Ratings of AlpaGasus: whole numbers and halves, as text where a CSV or a model's answer was kept.
    "alpagasus": (lambda r: {**instruction(r), "score": f"{number(r)}"}, "score", True),
    "alpagasus numbers": (lambda r: {**instruction(r), "score": number(r)}, "score", True),
    # openbmb/UltraFeedback, one completion a row, and HuggingFaceH4/ultrafeedback_binarized.
    "ultrafeedback": (lambda r: {**question(r), "overall_score": number(r)}, "overall_score", True),
    "binarized": (lambda r: {"messages": chat(r), "score_chosen": number(r)}, "score_chosen", True),
    # IFD as Cherry LLM writes it.
    "cherry": (lambda r: {**instruction(r), "ifd_ppl": number(r) / 8}, "ifd_ppl", True),
    # nvidia/HelpSteer2: whole numbers; Nemotron sets hold them as an object.
    "helpsteer": (helpsteer, "helpfulness", True),
    "nemotron": (
        lambda r: {"messages": chat(r), "scores": {"helpfulness": number(r), "coherence": 4}},
        "scores.helpfulness",
        True,
    ),
    # Objects whose keys vary by row are held as JSON text.
    "varying": (lambda r: {"messages": chat(r), "meta": varying(r)}, "meta.quality.mean", True),
    # HuggingFaceFW/fineweb-edu: both at once.
    "fineweb-edu": (lambda r: {**page(r), "score": number(r), "int_score": round(number(r))}, "score", True),
    # Dolma: attributes within an object.
    "dolma": (lambda r: {**page(r), "metadata": {"perplexity": number(r)}}, "metadata.perplexity", False),
    "loss": (lambda r: {**question(r), "loss": number(r)}, "loss", True),
    "perplexity": (lambda r: {**page(r), "perplexity": number(r) + 3}, "perplexity", False),
}


def columns(name: str) -> dict[str, str]:
    return {"prompt_column": "prompt", "completion_column": "response"} if name == "helpsteer" else {}


def written(folder: Path, rows: list[dict[str, Any]], how: str) -> Path:
    path = folder / f"rows.{how}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if how == "parquet":
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path)
    elif how == "jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


@pytest.mark.filterwarnings("ignore::sage_select.SageWarning")
@pytest.mark.parametrize(("name", "how"), [(name, how) for name in SHAPES for how in ("jsonl", "parquet")])
def test_published_scores_just_work(name: str, how: str, tmp_path: Path) -> None:
    row, column, high = SHAPES[name]
    path = written(tmp_path, [row(r) for r in range(N)], how)
    picked = sage_select.select(path, k=4, strategy="loss_topk", scores=column, higher_is_harder=high, **columns(name))
    numbers = [number(r) for r in range(N)] if name != "helpsteer" else [float((r * 7) % N) for r in range(N)]
    order = np.argsort(-np.array(numbers) if high else numbers, kind="stable")
    assert picked.indices.tolist() == order[:4].tolist()


@pytest.mark.parametrize(
    "kind",
    [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.decimal256(40, 3),
     pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.float32()), pa.dictionary(pa.int32(), pa.string())],
    ids=str,
)  # fmt: skip
def test_any_type_of_numbers(kind: pa.DataType) -> None:
    values: list[Any] = [(row * 7) % N for row in range(N)]
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_string(plain) or pa.types.is_large_string(plain):
        values = [str(value) for value in values]
    elif pa.types.is_decimal(plain):
        values = [decimal.Decimal(value) for value in values]
    elif pa.types.is_float16(plain):
        values = [np.float16(value) for value in values]
    array = pa.array(values, plain)
    table = pa.table(
        {"text": [f"row {r}" for r in range(N)], "s": array.dictionary_encode() if plain != kind else array}
    )
    chosen = sage_select.select(table, k=3, strategy="loss_topk", scores="s")
    assert chosen.indices.tolist() == np.argsort([-float(value) for value in values], kind="stable")[:3].tolist()


REFUSED: dict[str, tuple[list[Any], str, type[SageError], list[str]]] = {
    "truth values": ([True, False], "s", DataError, ["row 0", "not one of numbers", "bool", "1 and 0"]),
    "lists": ([[1.0], [2.0]], "s", DataError, ["row 0", "list", "mean of the list"]),
    "objects": ([{"a": 1, "b": {"c": 2}, "d": "x"}] * 2, "s", DataError, ["name a field of it: s.a, s.b.c"]),
    "words": (["4.5", "high"], "s", DataError, ["row 1", "'high'", "a number such as 4.5, or null"]),
    "a rating with words": (["4.5", "8/10"], "s", DataError, ["row 1", "'8/10'"]),
    "no such field": ([{"a": 1}, {"a": 2}], "s.b", UsageError, ["no field 's.b'", "s.a"]),
    "a near field": ([{"quality": 1}, {"quality": 2}], "s.qualty", UsageError, ["did you mean 's.quality'?"]),
    "a field of a number": ([1, 2], "s.a", DataError, ["s holds no objects", "int64"]),
    "a field too deep": ([{"a": 1}, {"a": 2}], "s.a.b", DataError, ["s.a holds no objects"]),
    "no such column": ([1, 2], "t", UsageError, ["no column 't'", "text, s"]),
    "null": ([1, None], "s", DataError, ["row 1", "null or NaN", "--on-bad-score"]),
    "a field that is null": ([{"a": 1}, None], "s.a", DataError, ["row 1", "'s.a'", "null or NaN"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_score_is_refused(case: str) -> None:
    values, column, error, words = REFUSED[case]
    table = pa.table({"text": ["one", "two"], "s": pa.array(values)})
    with pytest.raises(error) as refused:
        sage_select.select(table, k=1, strategy="loss_topk", scores=column)
    for word in words:
        assert word in str(refused.value)


def test_the_option_of_the_command_line_is_told_in_python() -> None:
    with pytest.raises(UsageError, match="scores takes the name of a column"):
        sage_select.select(pa.table({"text": ["one"], "s": [1]}), score_column="s")


def test_texts_that_say_that_there_is_none_are_missing() -> None:
    values = ["3", "N/A", " none ", "", "nan", "NULL", None, "4.5"]
    table = pa.table({"text": [f"row {row}" for row in range(len(values))], "s": values})
    with pytest.warns(sage_select.SageWarning, match="6 rows of 8, left out"):
        chosen = sage_select.select(table, k=2, strategy="loss_topk", scores="s", on_bad_score="drop")
    assert chosen.indices.tolist() == [7, 0]


def test_a_column_with_dots_in_its_name_is_itself() -> None:
    table = pa.table({"text": ["one", "two", "six"], "s.a": [1, 3, 2], "s": [{"a": 9}, {"a": 1}, {"a": 1}]})
    assert sage_select.select(table, k=1, strategy="loss_topk", scores="s.a").indices.tolist() == [1]


def test_fields_of_json_text(tmp_path: Path) -> None:
    """A row without the key has no score; a key with dots is found; other values than numbers are refused."""
    rows = [{"text": f"row {r}", "m": {"a.b": {"c": r}} if r else {"x": True}} for r in range(6)]
    path = written(tmp_path, rows, "jsonl")
    with pytest.warns(sage_select.SageWarning, match="1 row of 6, left out"):
        chosen = sage_select.select(path, k=2, strategy="loss_topk", scores="m.a.b.c", on_bad_score="drop")
    assert chosen.indices.tolist() == [5, 4]
    with pytest.raises(DataError, match="holds objects, and no numbers"):
        sage_select.select(path, k=2, strategy="loss_topk", scores="m")
    with pytest.raises(DataError, match=r"row 0, line 1, column 'm\.x': a value is not a number"):
        sage_select.select(path, k=2, strategy="loss_topk", scores="m.x")
    with pytest.raises(UsageError, match=r"no field 'm\.y'"):
        sage_select.select(path, k=2, strategy="loss_topk", scores="m.y")
