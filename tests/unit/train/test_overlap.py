"""Held-out rows that were trained on are found, whatever shape they come in; all others are measured."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sage_select import demo
from sage_select.contamination import PHRASE_WORDS, PhraseIndex, PhraseSets
from sage_select.contamination import phrases as phrases_module
from sage_select.contamination.phrases import Near
from sage_select.errors import DataError
from sage_select.train import TrainConfig
from sage_select.train import overlap as overlap_module
from sage_select.train.overlap import Overlap, find_overlap
from sage_select.train.selection import OrderedRows, load_selection

STORY = "Once upon a time a small dog went to the market to buy a red balloon for the birthday of the old king"
ANSWER = "The dog came home with a green balloon because all the red ones had been sold before noon on that day"


def table(rows: list[dict[str, Any]]) -> OrderedRows:
    return load_selection(rows, TrainConfig(model="m"))


def qa(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {"prompt": question, "completion": answer, **more}


def kinds(overlap: Overlap) -> list[tuple[int, str]]:
    return [(row.row, row.kind) for row in overlap.overlapping]


def test_rows_that_say_the_same_are_found_across_shapes_white_space_and_unicode() -> None:
    trained = table(
        [{"messages": [{"role": "user", "content": "Caf\u00e9  now"}, {"role": "assistant", "content": "ok"}]}]
    )
    held_out = table([qa("Cafe\u0301 now", "ok\n"), qa("Cafe now", "ok"), qa("Caf\u00e9 now", "no")])
    assert kinds(find_overlap(held_out, trained)) == [(0, "same")]


def test_near_copies_share_most_phrases_of_question_and_answer() -> None:
    trained = table([qa(STORY, ANSWER), qa("another", "thing")])
    held_out = table(
        [
            qa(STORY.replace("small", "tiny"), ANSWER + " indeed"),
            qa(STORY, "Nothing was bought that day, since the market was closed and everybody had gone to the sea"),
            qa("Name a colour that is not red, please, and say why you like it", ANSWER),
            qa(STORY + " " + ANSWER, "yes"),
        ]
    )
    overlap = find_overlap(held_out, trained)
    assert kinds(overlap) == [(0, "near")]
    assert overlap.overlapping[0].trained_row_id == "0"
    assert 0.8 <= (overlap.overlapping[0].share or 0) < 1


def test_short_rows_are_copies_only_as_a_whole() -> None:
    trained = table([qa("turn the light on in the kitchen now", "done and dusted"), qa("hi", "Hello")])
    held_out = table([qa("turn the light on in", "done"), qa("hi", "hello!"), qa("hi", "hello there")])
    assert kinds(find_overlap(held_out, trained)) == [(1, "near")]


def test_scripts_without_spaces_have_phrases() -> None:
    question = "昨天我和朋友去了北京的一家新餐厅吃晚饭服务员非常热情"
    answer = "听起来你们度过了一个非常愉快的夜晚下次我也想和你们一起去那里尝尝他们的菜"
    trained = table([qa(question, answer)])
    held_out = table([qa("请问" + question, answer + "呢"), qa(question, "天气很好所以我明天要去公园散步")])
    assert kinds(find_overlap(held_out, trained)) == [(0, "near")]


def test_an_id_proves_something_unless_it_is_a_number() -> None:
    trained = table([qa("a", "b", sage_row_id="talk-7"), qa("c", "d", sage_row_id="12")])
    held_out = table([qa("e", "f", sage_row_id="talk-7"), qa("g", "h", sage_row_id="12")])
    overlap = find_overlap(held_out, trained)
    assert kinds(overlap) == [(0, "id")]
    assert kinds(find_overlap(table([qa("e", "f", id="talk-7")]), trained)) == []


def test_overlapping_rows_are_named_and_not_measured() -> None:
    rows = [qa(f"{i} {STORY}", f"{ANSWER} {i}") for i in range(6)]
    fresh = qa("Something else altogether", "entirely")
    held_out = table([*rows, fresh, fresh])
    overlap = find_overlap(held_out, table(rows[:5]))
    apart = overlap.apart(held_out)
    assert [row.number for row in apart] == [6, 7]
    [said, repeated] = overlap.notices
    assert "6 of 8 held-out rows are among the trained rows and are not measured: 5 by what they say, 1 as near" in said
    assert "row 0 (id 0) says the same as the trained row 0" in said
    assert said.endswith("; ...")
    assert repeated == "1 of 8 held-out rows repeat an earlier held-out row"
    assert json.loads(json.dumps(overlap.as_dict()))["overlapping"][5]["kind"] == "near"


def test_nothing_left_to_measure_is_refused() -> None:
    rows = table([qa("a", "b"), qa("c", "d")])
    with pytest.raises(DataError, match="every held-out row is among the trained rows") as refused:
        find_overlap(rows, rows).apart(rows)
    assert "--eval-data none" in str(refused.value)
    assert "row 0 (id 0) says the same as the trained row 0" in str(refused.value)


def test_the_demo_measures_on_rows_of_its_own() -> None:
    config = TrainConfig(model="m")
    held_out, trained = load_selection(demo.heldout_path(), config), load_selection(demo.rows_path(), config)
    overlap = find_overlap(held_out, trained)
    assert overlap.overlapping == ()
    assert overlap.apart(held_out) is held_out


@pytest.mark.real_data
def test_rows_of_real_data_are_no_copies_of_each_other(shared_data: Path) -> None:
    # Dialogues of one schema follow the same course; problems of one book are alike.
    config = TrainConfig(model="m")
    for name in ("gsm8k", "sgd_chat"):
        rows = load_selection(shared_data / name / "train.jsonl.gz", config)
        held_out, trained = (replace(rows, order=part) for part in (rows.order[:100], rows.order[100:700]))
        assert len(find_overlap(held_out, trained).overlapping) <= 1


@settings(max_examples=60)
@given(
    st.lists(st.text("ab ", max_size=40), max_size=6),
    st.lists(st.text("ab ", max_size=40), max_size=6),
    st.floats(0.05, 1),
    st.sampled_from([1, 5, 10**6]),
)
def test_whatever_has_enough_phrases_is_found_with_its_share(
    drawn: list[str], drawn_others: list[str], share: float, at_once: int
) -> None:
    texts, others = ([" ".join(text) for text in part] for part in (drawn, drawn_others))

    def plain(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        length = min(len(words), PHRASE_WORDS)
        return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)} if words else set()

    def sets(texts: list[str]) -> PhraseSets:
        return PhraseSets.of(pa.array(texts, pa.string()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phrases_module, "_AT_ONCE", at_once)
        found = list(PhraseIndex(sets(texts), share).within(sets(others)))
    expected = [
        Near(place, number, len(plain(text) & plain(other)) / max(len(plain(text)), 1))
        for number, other in enumerate(others)
        for place, text in enumerate(texts)
    ]
    assert found == [one for one in expected if one.share >= share]


WORDS = st.sampled_from(["red", "dog", "sun", "caf\u00e9", "cafe\u0301", "\u4f60\u597d", "7", "\U0001f600", "red  dog"])
SAID = st.lists(WORDS, max_size=14).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(SAID, SAID), min_size=1, max_size=6), st.lists(st.tuples(SAID, SAID), max_size=12), st.randoms()
)
def test_rows_are_found_as_if_each_were_compared_with_each(
    held: list[tuple[str, str]], trained: list[tuple[str, str]], random: Any
) -> None:
    # Copies and near copies are rare by chance.
    trained = trained + [random.choice(held) for _ in range(2)] + [(held[0][0] + " more", held[0][1] + " sun")]
    random.shuffle(trained)
    held_out, others = table([qa(*row) for row in held]), table([qa(*row) for row in trained])

    def said(row: tuple[str, str]) -> list[str]:
        return [" ".join(unicodedata.normalize("NFC", part).split()) for part in row]

    def share(text: str, other: str) -> float | None:
        own, theirs = (PhraseSets.of(pa.array([part])) for part in (text, other))
        return own.share_in(0, theirs, 0) if own.lengths[0] else None

    expected = []
    for number, row in enumerate(held):
        same = next((str(other) for other, one in enumerate(trained) if said(one) == said(row)), None)
        if same is not None:
            expected.append((number, "same", same))
            continue
        for other, one in enumerate(trained):
            # An answer without words decides nothing, a row without words is near to none.
            both, answers = share("\n".join(filter(None, row)), "\n".join(filter(None, one))), share(row[1], one[1])
            if both is not None and both >= 0.8 and (answers is None or answers >= 0.8):
                expected.append((number, "near", str(other)))
                break
    for batch in (1, 3, 4096):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(overlap_module, "_BATCH", batch)
            overlap = find_overlap(held_out, others)
        assert [(row.row, row.kind, row.trained_row_id) for row in overlap.overlapping] == expected
        assert overlap.repeated == len(held) - len({tuple(said(row)) for row in held})


def test_calls_are_compared_as_they_are_whatever_the_order_of_their_arguments() -> None:
    def called(arguments: str) -> dict[str, Any]:
        call = {"type": "function", "function": {"name": "f", "arguments": arguments}}
        return {"messages": [{"role": "user", "content": "go"}, {"role": "assistant", "tool_calls": [call]}]}

    trained = table([called('{"a": "red", "b": "dog"}')])
    held_out = table([called('{"b": "dog", "a": "red"}'), called('{"a": "dog", "b": "red"}'), called("red dog")])
    assert kinds(find_overlap(held_out, trained)) == [(0, "same")]


def test_rows_that_cannot_be_read_are_compared_with_none() -> None:
    good = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    bad = [{"role": "narrator", "content": "a"}]
    half = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\ud800"}]
    rows = table([{"messages": json.dumps(messages)} for messages in (bad, good, half)])
    overlap = find_overlap(rows, rows)
    assert kinds(overlap) == [(1, "same"), (2, "same")]


def test_all_held_out_rows_of_one_id_are_named() -> None:
    trained = table([qa("a", "b", sage_row_id="talk-7")])
    held_out = table([qa("e", "f", sage_row_id="talk-7"), qa("g", "h", sage_row_id="talk-7")])
    assert kinds(find_overlap(held_out, trained)) == [(0, "id"), (1, "id")]
