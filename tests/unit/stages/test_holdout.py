"""The holdout stage on small frames: what repeats a held-out row leaves, and says which."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import dataset

import sage_select
from sage_select.contamination import PhraseSets
from sage_select.data import HELD_OUT_ID, HELD_OUT_NEAR, HELD_OUT_NGRAMS, HELD_OUT_SAME, Dataset
from sage_select.errors import DataError, UsageError
from sage_select.evaluate import find_overlap
from sage_select.pipeline import Run, Stage
from sage_select.pipeline.run import GIVEN, Recorder, Silence
from sage_select.stages import Dedup, Embed, Holdout, Select, Source
from sage_select.stages.inputs import repeats
from sage_select.stages.inputs.limits import Prepared
from sage_select.train import TrainConfig
from sage_select.train.selection import load_selection

STORY = "Once upon a time a small dog went to the market to buy a red balloon for the birthday of the old king"
ANSWER = "The dog came home with a green balloon because all the red ones had been sold before noon on that day"


def qa(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"prompt": question, "completion": answer, **more}


def chat(question: str, answer: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **more}


def run(
    pool: list[dict[str, Any]],
    held_out: list[dict[str, Any]],
    *,
    pinned: tuple[int, ...] = (),
    queries: tuple[int, ...] = (),
    source: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Dataset, list[str]]:
    """Return the rows that stay, and the notices."""
    stage = Holdout(path=GIVEN, **options)
    parts = [part.model_copy() for part in stage.parts()]
    embed = [Embed()] if stage.near else []
    steps: list[Stage] = [Source(path="table", **source or {}), parts[0], *embed, *parts[1:], Select()]
    made = Run(steps, 0, Recorder(Silence()), 2, values={"holdout.path": held_out})
    data = dataset(pa.Table.from_pylist(pool), stage, Dedup(), **source or {})
    made.prepared[id(steps[-1])] = Prepared(
        np.array(pinned, np.int64), np.array(queries, np.int64), np.array(queries, np.int64)
    )
    for step in steps[1:-1]:
        data = step.prepare(data, made)
    for step in steps[1:-1]:
        data = step.run(data, made)
    return data, made.reporter.notices


def left(data: Dataset) -> dict[int, tuple[str, int | None]]:
    """Return the rows that left, why, and which held-out row each repeats."""
    lineage = data.lineage
    assert lineage.held_out is not None
    of, rows = lineage.held_out
    return {
        int(row): (str(lineage.cause(int(row))), rows["row"][int(of[row])].as_py())
        for row in np.flatnonzero(~lineage.stays)
    }


def test_each_way_of_repeating_is_counted_apart_and_names_the_row() -> None:
    pool = [
        qa("caf\u00e9  now", "ok", sage_row_id="a"),
        qa("b", "c", sage_row_id="talk-7"),
        qa(STORY.replace("small", "tiny"), ANSWER + " indeed", sage_row_id="c"),
        qa("what is new", "nothing at all", sage_row_id="12"),
        qa("please switch on all of the lights in my kitchen and the hall", "they are on", sage_row_id="e"),
    ]
    held_out = [
        chat("fresh", "row", sage_row_id="12"),
        chat("cafe\u0301 now", "ok\n", sage_row_id="x"),
        chat("other", "words", sage_row_id="talk-7"),
        chat(STORY, ANSWER, sage_row_id="y"),
        chat("please switch on all of the lights in my kitchen and the halls", "they are on", sage_row_id="z"),
    ]
    data, notices = run(pool, held_out, mode="near", threshold=0.8)
    assert left(data) == {
        0: (str(HELD_OUT_SAME), 1),
        1: (str(HELD_OUT_ID), 2),
        2: (str(HELD_OUT_NGRAMS), 3),
        4: (str(HELD_OUT_NEAR), 4),
    }
    assert [round(float(one), 2) for one in data.lineage.similarities[[0, 2]]] == [1, 0.84]
    assert 0.8 <= data.lineage.similarities[4] < 1
    assert np.isnan(data.lineage.similarities[[1, 3]]).all()
    assert data.facts["holdout"]["files"][0]["repeating"] == 4
    assert [text for text in notices if "right file" in text]
    exact, _ = run(pool, held_out, mode="exact")
    assert left(exact).keys() == {0, 1}
    words, _ = run(pool, held_out)
    assert left(words).keys() == {0, 1, 2}


def test_the_most_similar_held_out_row_is_named_the_first_of_equal_ones() -> None:
    pool = [qa(STORY, ANSWER), qa("a", "b")]
    held_out = [qa("oh well " + STORY, ANSWER), qa(STORY, ANSWER + " indeed"), qa(STORY, ANSWER), qa(STORY, ANSWER)]
    assert left(run(pool, held_out)[0])[0] == (str(HELD_OUT_SAME), 2)
    assert left(run(pool, held_out[:2])[0])[0] == (str(HELD_OUT_NGRAMS), 1)
    assert left(run(pool, [held_out[0], held_out[0]])[0])[0] == (str(HELD_OUT_NGRAMS), 0)


@pytest.mark.parametrize(("ngram", "share", "gone"), [(8, 0.8, False), (3, 0.8, False), (3, 0.4, True), (1, 0.8, True)])
def test_the_length_of_the_ngram_and_the_share_decide(ngram: int, share: float, gone: bool) -> None:
    pool = [{"text": "red dog green sun old king young queen"}, {"text": "else"}]
    held_out = [{"text": "red dog green sun old queen young king"}]
    data, _ = run(pool, held_out, ngram=ngram, share=share)
    assert data.n == (1 if gone else 2)


def test_users_are_told_what_is_compared_as_a_whole_and_what_removed_nothing() -> None:
    pool = [{"text": f"row number {row}"} for row in range(5)]
    _, notices = run(pool, [{"text": "short one"}, {"text": "\U0001f600"}, {"text": STORY}])
    assert notices == [
        "no row repeats one of the 3 held-out rows of holdout",
        "of the 3 held-out rows of holdout are compared as a whole: 1 with fewer than 8 words and 1 without words",
    ]
    _, notices = run(pool, [{"text": f"row number {row}"} for row in range(3)])
    assert notices[0] == "3 of 5 rows repeat held-out rows of holdout and leave: is it the right file?"
    _, notices = run(pool, [{"text": "row number 1"}], mode="exact")
    assert notices == []


def test_rows_without_words_repeat_those_that_say_the_same_alone() -> None:
    pool = [{"text": "\U0001f600"}, {"text": "\U0001f601"}, {"text": "word"}]
    for mode in ("ngrams", "near"):
        data, _ = run(pool, [{"text": "\U0001f600"}, {"text": "\U0001f602"}], mode=mode)
        assert left(data).keys() == {0}


def test_a_pinned_row_that_is_held_out_is_a_contradiction_and_queries_stay() -> None:
    pool, held_out = [qa("a", "b"), qa("c", "d"), qa("e", "f")], [qa("c", "d")]
    with pytest.raises(UsageError, match="pinned, and repeats a held-out row") as refused:
        run(pool, held_out, pinned=(0, 1))
    assert "same as a held-out row: " in str(refused.value)
    data, _ = run(pool, held_out, pinned=(0,), queries=(1,))
    assert data.n == 3


def test_nothing_left_and_nothing_to_compare_are_refused() -> None:
    pool = [qa("a", "b"), qa("a", "b ")]
    with pytest.raises(DataError, match="every row repeats a held-out row"):
        run(pool, [qa("a", "b")])
    with pytest.raises(UsageError, match="the held-out rows are the input itself"):
        run(pool, pool)
    with pytest.raises(UsageError, match="held-out rows: the rows have no shape that is known"):
        run(pool, [{"x": 1}])
    with pytest.raises(UsageError, match="these are no held-out rows"):
        run(pool, 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="only arrays"):
        sage_select.select(scores=[1.0, 2.0], k=1, holdout=[qa("a", "b")])


def test_held_out_rows_are_read_as_the_input_where_they_have_its_columns() -> None:
    pool = [{"title": "one two", "text": "x"}, {"title": "three", "text": "y"}]
    source = {"text_column": "title"}
    assert run(pool, [{"title": "three", "text": "one two"}], source=source)[0].n == 1
    assert left(run(pool, [{"text": "one two"}], source=source)[0]).keys() == {0}


def test_bad_held_out_rows_are_refused_or_left_out_as_the_input_has_it() -> None:
    pool = [qa("a", "b"), qa("c", "d")]
    held_out = [{"messages": [{"role": "narrator", "content": "x"}]}, chat("a", "b")]
    with pytest.raises(DataError, match="role"):
        run(pool, held_out)
    data, notices = run(pool, held_out, source={"on_bad_row": "drop", "max_bad": "50%"})
    assert left(data).keys() == {0}
    assert "1 of 2 held-out rows (holdout) cannot be used" in notices[0]


WORDS = st.sampled_from(["red", "dog", "sun", "caf\u00e9", "cafe\u0301", "\u4f60\u597d", "7", "\U0001f600", "red  dog"])
SAID = st.lists(WORDS, max_size=12).map(" ".join)
ROWS = st.lists(st.tuples(SAID, SAID.filter(lambda text: text.strip())), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.randoms(), st.sampled_from([1, 3, 4096]))
def test_training_names_no_held_out_row_after_a_build_and_every_row_that_left_was_named(
    pool: list[tuple[str, str]], held_out: list[tuple[str, str]], random: Any, batch: int
) -> None:
    # Copies and near copies are rare by chance; one row repeats none.
    pool = [*pool, random.choice(held_out), (held_out[0][0] + " more", held_out[0][1] + " sun"), ("last", "of all")]
    random.shuffle(pool)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "_BATCH", batch)
        data, _ = run([qa(*row) for row in pool], [chat(*row) for row in held_out])
    config = TrainConfig(model="m")
    held = load_selection([chat(*row) for row in held_out], config)
    rows = load_selection([qa(*row) for row in pool], config)
    stays = np.flatnonzero(data.lineage.stays)
    assert find_overlap(held, replace(rows, order=stays)).overlapping == ()
    for row in np.flatnonzero(~data.lineage.stays):
        assert find_overlap(held, replace(rows, order=np.array([row]))).overlapping
    # A plain twin of the rule: each row beside each.
    said = [[" ".join(unicodedata.normalize("NFC", part).split()) for part in row] for row in pool]
    held_said = [[" ".join(unicodedata.normalize("NFC", part).split()) for part in row] for row in held_out]

    def share(text: str, other: str) -> float | None:
        own, theirs = (PhraseSets.of(pa.array([part])) for part in (text, other))
        return own.share_in(0, theirs, 0) if own.lengths[0] else None

    expected = []
    for number, row in enumerate(pool):
        found = False
        for place, other in enumerate(held_out):
            both = share("\n".join(filter(None, other)), "\n".join(filter(None, row)))
            answers = share(other[1], row[1])
            near = both is not None and both >= 0.8 and (answers is None or answers >= 0.8)
            found |= near or said[number] == held_said[place]
        expected += [number] if found else []
    assert np.flatnonzero(~data.lineage.stays).tolist() == expected


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["red dog", "green sun", "old king", "red", "dog king"]), min_size=2, max_size=12),
    st.data(),
)
def test_what_leaves_does_not_depend_on_the_order_of_rows(texts: list[str], drawn: st.DataObject) -> None:
    rows = [{"text": text, "sage_row_id": f"r{number}"} for number, text in enumerate([*texts, "apart"])]
    shuffled = drawn.draw(st.permutations(rows))
    held_out = [{"text": "red dog"}, {"text": "king dog"}]
    one, other = (set(run(part, held_out, ngram=1, share=0.6)[0].ids.to_pylist()) for part in (rows, shuffled))  # type: ignore[union-attr]
    assert one == other


@pytest.mark.parametrize("block", [1, 2, 1 << 16])
def test_vectors_are_compared_as_by_numpy(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "BLOCK", block)
    random = np.random.default_rng(0)
    vectors, held = random.normal(size=(40, 3)).astype("float32"), random.normal(size=(7, 3)).astype("float32")
    pool = [{"text": f"row {row}", "vector": vectors[row].tolist()} for row in range(40)]
    held_out = [{"text": f"held {row}", "vector": held[row].tolist()} for row in range(7)]
    chosen = sage_select.select(
        pa.Table.from_pylist(pool), k=1, strategy="random", holdout=held_out, holdout_mode="near",
        holdout_threshold=0.9, embeddings="vector",
    )  # fmt: skip
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ (held / np.linalg.norm(held, axis=1, keepdims=True)).T
    report = chosen.lineage()
    near = np.array([reason == HELD_OUT_NEAR.reason for reason in report["reason"].to_pylist()])
    assert near.tolist() == (cosines.max(axis=1) >= 0.9).tolist()
    assert 3 < near.sum() < 37
    assert report["held_out_row"].filter(pa.array(near)).to_pylist() == cosines.argmax(axis=1)[near].tolist()


def test_vectors_that_nobody_can_make_for_held_out_rows_are_refused() -> None:
    pool, held_out = [{"text": "one"}, {"text": "two"}], [{"text": "three"}]
    with pytest.raises(UsageError, match="the held-out rows have none"):
        sage_select.select(pool, k=1, embeddings=np.eye(2, dtype="f4"), holdout=held_out, holdout_mode="near")
    wide = [{"text": "three", "vector": [1.0, 0.0, 0.0]}]
    narrow = [{**row, "vector": [1.0, 0.0]} for row in pool]
    with pytest.raises(DataError, match="vectors of another width"):
        sage_select.select(narrow, k=1, embeddings="vector", holdout=wide, holdout_mode="near")
    with pytest.raises(UsageError, match="no held-out rows are named"):
        sage_select.select(pool, k=1, holdout_mode="near")


def test_python_takes_paths_tables_and_pipelines(tmp_path: Path) -> None:
    pool = [{"text": f"{word} row"} for word in ("one", "two", "three", "four")]
    for name, row in (
        ("a.jsonl", '{"text": "one row"}'),
        ("b.jsonl", '{"messages": [{"role": "user", "content": "x"}]}'),
    ):
        (tmp_path / name).write_text(row + "\n")
    (tmp_path / "pool.jsonl").write_text("".join(f'{{"text": "{row["text"]}"}}\n' for row in pool))
    several = [tmp_path / "a.jsonl", str(tmp_path / "b.jsonl")]
    for value in (several, pa.Table.from_pylist(pool[:1]), pool[:1], tmp_path / "a.jsonl"):
        chosen = sage_select.select(pool, k=3, strategy="random", holdout=value)
        assert sorted(chosen.indices.tolist()) == [1, 2, 3]
    pipeline = sage_select.Pipeline.read(tmp_path / "pool.jsonl").holdout(several).select("random", budget=3)
    assert sorted(pipeline.run().indices.tolist()) == [1, 2, 3]  # type: ignore[union-attr]
    assert sage_select.Pipeline.read("pool.jsonl").holdout("a.jsonl").plan().steps[1] == Holdout(path="a.jsonl")
    inputs = [one.name for one in pipeline.inputs()]
    assert inputs.count("holdout.path") == 2
