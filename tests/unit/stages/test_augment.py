"""Rows in other words: how many, what they are called, what is left out, and where they stand."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import alone, dataset

from sage_select import io
from sage_select.augmenters import Augmenter, Draft
from sage_select.data import Cause, Dataset, Scores
from sage_select.errors import ResourceError, UsageError
from sage_select.pipeline import Pipeline, Run, Size
from sage_select.pipeline.plan import resolve, schedule
from sage_select.stages import Augment, Dedup, Holdout, Order, Score, Select, Sink, Source

few = settings(max_examples=25, deadline=None)


def questions(n: int) -> pa.Table:
    texts = [f"Where could the curious visitors leave their heavy luggage number {row}?" for row in range(n)]
    return pa.table(
        {
            "question": texts,
            "answer": [f"In room {row}." for row in range(n)],
            "kind": ["a", "b"] * (n // 2) + ["a"] * (n % 2),
        }
    )


def augmented(data: Dataset, seed: int = 0, **stage_settings: Any) -> Dataset:
    stage = Augment.make(**stage_settings)
    return stage.run(data, alone(stage, seed=seed))


def rows_of(table: pa.Table, *later: Any) -> Dataset:
    return dataset(table, Augment.make(), *later)


class Echo(Augmenter):
    """Says what it is told to."""

    name: ClassVar[str] = "echo"
    kind: ClassVar[str] = "augmenter"

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return the texts in capitals."""
        return [[text.replace("curious", "nosy") for text in draft.texts] for draft in drafts]


class Told(Echo):
    """Says one thing of everything."""

    said: str = ""

    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return it."""
        return [[self.said] * len(draft.texts) for draft in drafts]


def by(rule: Augmenter, data: Dataset, **more: Any) -> Dataset:
    stage = Augment.make(**more).model_copy(update={"augment": rule})
    return stage.run(data, alone(stage))


def reasons(data: Dataset) -> dict[str, int]:
    return {cause.reason: count for cause, count in data.lineage.counts().items() if cause.stage == "augment"}


@given(
    n=st.integers(1, 30), factor=st.sampled_from([0.01, 0.34, 0.5, 1, 1.5, 3]), cap=st.sampled_from([None, 0, 7, "30%"])
)
@few
def test_as_many_rows_are_tried_as_factor_and_cap_say(n: int, factor: float, cap: int | str | None) -> None:
    found = augmented(rows_of(questions(n)), factor=factor, cap=cap)
    tried = max(1, math.floor(factor * n + 1e-9))
    if cap is not None:
        tried = min(tried, 7 if cap == 7 else 0 if cap == 0 else int(n * 30 / 70))
    assert found.seen_n - found.input_n == tried
    assert found.n == n + tried - sum(reasons(found).values())
    parents = Counter(found.lineage.parents[n:].tolist()) if tried else Counter()
    assert all(math.floor(tried / n) <= parents[row] <= math.ceil(tried / n) for row in range(n))


@pytest.mark.parametrize("settings_of", [{"factor": 1.5}, {"factor": 0.4}, {"cap": 5}, {"rate": 0.5}])
@pytest.mark.parametrize("seed", [0, 3])
def test_another_order_of_the_rows_changes_nothing(settings_of: dict[str, Any], seed: int) -> None:
    table = questions(24)

    def made(rows: pa.Table) -> set[tuple[str, str]]:
        found = augmented(rows_of(rows), seed, **settings_of)
        return set(zip(found.ids.to_pylist(), found.rows.table["question"].to_pylist(), strict=True))

    order = np.random.default_rng(1).permutation(24)
    assert made(table) == made(table.take(pa.array(order)))
    other = augmented(rows_of(table), seed + 1, **settings_of)
    assert set(zip(other.ids.to_pylist(), other.rows.table["question"].to_pylist(), strict=True)) != made(table)


def test_a_new_row_is_its_parent_but_for_the_words_of_the_user() -> None:
    data = rows_of(questions(6)).with_feature("scores", Scores(np.arange(6, dtype=np.float32)))
    found = augmented(data, factor=2)
    new = np.flatnonzero(found.is_added)
    assert len(new) == 12 - sum(reasons(found).values())
    assert found.ids.to_pylist()[6] == f"{found.ids.to_pylist()[0]}+rules1"
    parents = found.lineage.parents[found.input_rows(new)]
    rows = found.rows.table.to_pylist()
    for row, parent in zip(new.tolist(), parents.tolist(), strict=True):
        assert {**rows[row], "question": None} == {**rows[parent], "question": None}
        assert rows[row]["question"] != rows[parent]["question"]
        assert found.texts[row].as_py().startswith(rows[row]["question"])
    # What nobody knows of them is not known.
    assert np.isnan(found.scores.values[new]).all()
    assert found.feature("rank").tolist() == [*range(6), *parents.tolist()]
    assert found.feature("vectors") is None
    assert [found.reasons[code] for code in found.feature("reason").tolist()] == ["all"] * 6 + ["rules"] * len(new)
    assert str(found.rows.where(int(new[0]))) == str(found.rows.where(0))


def test_rows_that_were_made_of_others_are_not_augmented_again() -> None:
    table = questions(4).append_column("sage_parent_id", pa.array([None, "x", None, "y"], pa.string()))
    once = augmented(rows_of(table))
    assert sorted(once.lineage.parents[4:].tolist()) == [0, 2]
    twice = augmented(once)
    assert sorted(twice.lineage.parents[6:].tolist()) == [0, 2]
    names = twice.ids.to_pylist()
    assert len(set(names)) == len(names)
    assert {name.partition("+")[2] for name in names[4:]} == {"rules1", "rules2"}
    texts = twice.rows.table["question"].to_pylist()
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Where could the nosy visitors leave their heavy luggage number 9?", "another number"),
        ("Where can they leave luggage number 0?", None),
        ("Luggage 0?", "less than half as long as its parent"),
        (
            "Where could the curious visitors leave their heavy luggage number 0? " + "Please tell me that " * 4,
            "more than twice as long as its parent",
        ),
        ("  Where could the curious visitors  leave their heavy luggage number 0?", "the same as its parent"),
        ("", "another number"),
        ("Where can \ud800 they leave luggage number 0?", None),
    ],
)
def test_what_is_said_otherwise_than_it_may_is_left_out(said: str, reason: str | None) -> None:
    found = by(Told.model_construct(said=said), rows_of(questions(1)))
    assert reasons(found) == ({} if reason is None else {reason: 1})
    assert found.n == (2 if reason is None else 1)
    assert found.seen_n == 2


def test_copies_of_other_rows_are_left_out_and_of_several_one_stays() -> None:
    table = pa.table(
        {"question": ["Where is the nosy cat now?", "Where is the curious cat now?", "And where?"], "answer": ["x"] * 3}
    )
    found = by(Echo(), rows_of(table))
    assert reasons(found) == {"a copy of another row": 1, "the same as its parent": 2}
    many = by(Echo(), rows_of(questions(3)), factor=3)
    assert reasons(many) == {"a copy of another row": 6}
    assert many.n == 6


def test_what_several_stages_tell_stands_apart() -> None:
    class Telling(Echo):
        """Tells what it did."""

        def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
            """Return the texts of another."""
            run.tell(drafts_seen=len(drafts))
            return super().rewrite(drafts, run)

    stages = [Augment(factor=factor).model_copy(update={"augment": Telling()}) for factor in (1, 2)]
    run = alone(*stages)
    data = rows_of(questions(3))
    for stage in stages:
        data = stage.run(data, run)
    assert (run.told["drafts_seen_1"], run.told["drafts_seen_2"]) == (3, 6)
    assert (run.told["augment_1"]["tried"], run.told["augment_2"]["tried"]) == (3, 6)


def test_rows_without_words_of_the_user_are_told() -> None:
    table = pa.table({"question": ["...", "What now, dear friend?"], "answer": ["1", "2"]})
    found = augmented(rows_of(table))
    assert reasons(found) == {"nothing to say in other words": 1}


def test_what_repeats_a_held_out_row_is_left_out() -> None:
    table = questions(2)
    held = [{"question": table["question"][0].as_py().replace("curious", "nosy"), "answer": "In room 0."}]
    augment = Augment.make().model_copy(update={"augment": Echo()})
    holdout = Holdout(path="<given>", mode="exact")
    run = alone(Source(path="table"), holdout, augment)
    run.values = {"holdout.path": held}
    data = holdout.prepare(dataset(table, holdout, augment), run)
    data = augment.run(holdout.run(data, run), run)
    assert reasons(data) == {"same as a held-out row": 1}
    assert data.n == 3


def test_an_id_column_names_new_rows_and_columns_of_scores_are_empty_in_them() -> None:
    source = Source(path="table", id_column="name")
    score, augment = Score(column="loss"), Augment()
    for names, expected in ((["a", "b"], ["a", "b", "a+rules1", "b+rules1"]), ([1, 2], [1, 2, None, None])):
        fields = [pa.field("name", pa.array(names).type, nullable=False), *questions(2).schema]
        table = pa.Table.from_arrays([pa.array(names), *questions(2).columns], schema=pa.schema(fields))
        table = table.append_column("loss", pa.array([0.5, 1.5]))
        data = source.dataset(io.from_object(table), alone(source, score, augment))
        found = augment.run(data, alone(source, score, augment))
        assert found.rows.table["name"].to_pylist() == expected
        assert found.rows.table["loss"].to_pylist() == [0.5, 1.5, None, None]
        assert found.rows.table["kind"].to_pylist() == ["a", "b"] * 2
        assert found.ids.to_pylist()[2:] == [f"{names[0]}+rules1", f"{names[1]}+rules1"]


@pytest.mark.parametrize(
    ("order", "table"),
    [
        ({}, questions(50)),
        ({"order": "length"}, questions(50)),
        ({"order_by": "kind"}, questions(50)),
        ({"order": "self_paced", "rounds": 4}, questions(50)),
    ],
    ids=["random", "length", "interleave", "self_paced"],
)
def test_the_order_holds_on(order: dict[str, Any], table: pa.Table) -> None:
    step, augment = Order.make(**order), Augment(factor=2)
    run = alone(step, augment)
    data = rows_of(table).with_feature("scores", Scores(np.arange(50, dtype=np.float32)[::-1].copy()))
    before = step.run(data, run)
    after = augment.run(before, run)
    place = after.feature("position")
    assert sorted(place.tolist()) == list(range(after.n))
    assert np.array_equal(np.argsort(place[:50]), np.argsort(before.feature("position")))
    phase = after.feature("phase")
    if phase is not None:
        assert np.all(np.diff(phase[np.argsort(place)]) >= 0)
        assert (
            phase[50:].tolist()
            == before.feature("phase")[after.lineage.parents[after.input_rows(np.arange(50, after.n))]].tolist()
        )
    adjacent = np.abs(place[50:] - place[after.lineage.parents[after.input_rows(np.arange(50, after.n))]]) == 1
    assert adjacent.mean() < 0.3


def test_the_order_holds_where_every_new_row_is_left_out() -> None:
    table = pa.table({"question": ["yes", "no", "not", "never"], "answer": list("abcd")})
    order, augment = Order(order="length"), Augment()
    run = alone(order, augment)
    before = order.run(rows_of(table), run)
    after = augment.run(before, run)
    assert (after.n, after.seen_n) == (4, 8)
    assert after.feature("position").tolist() == before.feature("position").tolist()


def test_another_stage_behind_changes_nothing_of_the_first() -> None:
    one, other = Augment(factor=0.5), Augment(factor=1, rate=0.3)
    data = rows_of(questions(8))
    alone_made = one.run(data, alone(one))
    run = alone(one, other)
    both = other.run(one.run(data, run), run)
    assert both.ids.to_pylist()[: alone_made.n] == alone_made.ids.to_pylist()
    assert both.texts.to_pylist()[: alone_made.n] == alone_made.texts.to_pylist()


def test_a_shuffle_is_that_of_all_rows() -> None:
    order, augment = Order(), Augment()
    run = alone(order, augment)
    found = augment.run(order.run(rows_of(questions(9)), run), run)
    assert np.array_equal(found.feature("position"), order.run(found, alone(order)).feature("position"))


def test_rows_that_leave_afterwards_take_nothing_with_them() -> None:
    found = augmented(rows_of(questions(4)), factor=2)
    left = found.drop(np.array([0, 5]), Cause("later", "gone"))
    assert left.n == found.n - 2
    # A row whose parent left stands where that stood.
    assert left.ranks.tolist() == [1, 2, 3, 0, 1, 1, 2, 2, 3, 3]
    assert left.lineage.counts()[Cause("later", "gone")] == 2
    assert left.positions(np.array([0, 1, found.input_n])).tolist() == [0, 3]
    chosen = Select(strategy="random", budget="3")
    run = alone(Source(path="table"), chosen)
    picked = chosen.run(chosen.prepare(left, run), run)
    assert (picked.n, sorted(picked.ranks.tolist())) == (3, [0, 1, 2])


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((Augment(), Holdout(path="a.jsonl"), Select(strategy="random")), "holdout comes after augment"),
        (
            (Score(column="loss"), Augment(), Select(strategy="loss_topk")),
            "select comes after augment and needs scores",
        ),
        ((Score(), Augment(), Select(strategy="loss_topk")), "select comes after augment and needs scores"),
        (
            (Augment(), Score(column="loss"), Select(strategy="loss_topk")),
            "select comes after augment and needs scores",
        ),
        ((Select(strategy="random"), Augment(), Order(order="easy_to_hard")), None),
        ((Augment(), Select(strategy="loss_topk")), None),
        ((Augment(), Dedup(mode="near"), Select(strategy="diversity")), None),
        ((Augment(augment="none"), Score(column="loss"), Select(strategy="loss_topk")), None),
    ],
)
def test_what_cannot_come_after_is_refused_before_any_row_is_read(steps: tuple[Any, ...], message: str | None) -> None:
    plan = Pipeline(steps=(Source(path="a.jsonl"), *steps, Sink()))
    if message is None:
        assert schedule(resolve(plan))
    else:
        with pytest.raises(UsageError, match=message):
            resolve(plan)


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"augment": "nothing"}, "unknown augmenter"),
        ({"factor": 0}, "factor"),
        ({"cap": "100%"}, "cap is a number of rows"),
        ({"cap": "many"}, "cap is a number of rows"),
        ({"cap": -1}, "cap is a number of rows"),
        ({"augment": "none", "factor": 2}, "does not use factor"),
        ({"augment": "paraphrase"}, "needs model"),
        ({"augment": "paraphrase", "model": "m", "prompt": "again"}, "no {text}"),
        ({"augment": "back_translation", "there": "m"}, "needs back"),
        ({"augment": "rules", "model": "m"}, "does not use model"),
        ({"edits": ["rhyme"]}, "edits"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given_settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augment.make(**given_settings)


def test_rows_of_which_nothing_may_change_are_refused_early() -> None:
    text = dataset(pa.table({"text": ["the curious cat", "some heavy luggage"]}), Augment())
    with pytest.raises(UsageError, match="trained as a whole"):
        Augment().check_input(text)
    Augment(part="all").check_input(text)
    assert augmented(text, part="all").n == 4
    with pytest.raises(UsageError, match="only arrays"):
        Augment().check_input(Dataset(n=3))


@pytest.mark.parametrize("returned", [None, [], [["a", "b"]], [[1]], ["text"]])
def test_an_augmenter_that_returns_something_else_is_at_fault(returned: Any) -> None:
    class Odd(Echo):
        """Says something else."""

        def rewrite(self, drafts: Sequence[Draft], run: Run) -> Any:
            """Return it."""
            return returned

    with pytest.raises(ResourceError, match="did not return texts"):
        by(Odd(), rows_of(questions(1)))


def test_the_estimate_counts_the_rows_that_are_tried() -> None:
    stage = Augment(factor=2, cap="50%")
    size = Size(n=10, input_n=10, row_bytes=100.0, word_bytes=80.0)
    assert stage.size_after(size).n == 20
    assert stage.cost(size).memory > 0
    assert Augment(augment="none").idle


@pytest.mark.parametrize(("n", "words"), [(2000, 6), (200, 300)])
def test_it_takes_the_memory_that_its_cost_says(n: int, words: int) -> None:
    texts = [f"where would the visitors number {row} {'leave their heavy luggage ' * words}" for row in range(n)]
    table = pa.table({"question": texts, "answer": ["here"] * n})
    stage = Augment()
    data = dataset(table, stage)
    stage.run(data, alone(stage))
    tracemalloc.start()
    stage.run(data, alone(stage))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    said = stage.cost(Size(n=n, input_n=n, row_bytes=table.nbytes / n, word_bytes=data.texts.nbytes / n))
    # What Arrow allocates, the new rows, is not traced.
    assert 0.4 < peak / (said.memory - said.holds) < 1.5
