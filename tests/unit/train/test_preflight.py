"""What is found out before training: counts against a plain twin, and what stops a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sage_select.errors import DataError
from sage_select.render import Conversation, Text
from sage_select.render.tokens import Renderer
from sage_select.train import TrainConfig, preflight, train
from sage_select.train.base_model import open_renderer
from sage_select.train.data import tokenise
from sage_select.train.preflight.calls import Calls
from sage_select.train.preflight.report import preflight_of
from sage_select.train.preflight.tokens import answers_of, lengths_of
from sage_select.train.selection import load_selection

ENDS = {3, 7}


def table(examples: list[list[tuple[int, bool]]]) -> pa.Table:
    ids = [[token for token, _ in one] for one in examples]
    labels = [[token if trained else -100 for token, trained in one] for one in examples]
    kind = pa.large_list(pa.int32())
    return pa.table({"input_ids": pa.array(ids, kind), "labels": pa.array(labels, kind)})


def answers_one_by_one(examples: list[list[tuple[int, bool]]]) -> list[list[list[int]]]:
    """Return the stretches of trained tokens of each example."""
    found = []
    for one in examples:
        stretches: list[list[int]] = []
        open_ = False
        for token, trained in one:
            if trained and not open_:
                stretches.append([])
            if trained:
                stretches[-1].append(token)
            open_ = trained
        found.append(stretches)
    return found


tokens = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=20)


@given(st.lists(tokens, min_size=1, max_size=8), st.integers(0, 3))
def test_answers_are_those_of_a_plain_loop(examples: list[list[tuple[int, bool]]], skipped: int) -> None:
    plain = answers_one_by_one(examples[skipped:])
    # A part of a table: its lists do not begin at the first value.
    found = answers_of(table(examples).slice(skipped), ENDS) if skipped < len(examples) else None
    if found is None:
        return
    stretches = [one for example in plain for one in example]
    assert found.count == len(stretches)
    assert found.with_end == sum(one[-1] in ENDS for one in stretches)
    assert sum(entry["tokens"] for entry in found.by_place) == sum(map(len, stretches))
    for number, entry in enumerate(found.by_place[:5]):
        own = [example[number] for example in plain if len(example) > number]
        assert entry == {"place": str(number + 1), "answers": len(own), "tokens": sum(map(len, own))}
    later = [one for example in plain for one in example[5:]]
    assert len(found.by_place) == min(6, max(map(len, plain)))
    if later:
        assert found.by_place[5] == {"place": "6 and later", "answers": len(later), "tokens": sum(map(len, later))}


@given(st.lists(st.integers(1, 300), min_size=1, max_size=30))
def test_the_histogram_holds_every_example_once(lengths: list[int]) -> None:
    found = lengths_of(table([[(1, True)] * length for length in lengths]))
    assert sum(entry["examples"] for entry in found.histogram) == len(lengths)
    below = 0
    for entry in found.histogram:
        assert entry["examples"] == sum(below < length <= entry["up_to"] for length in lengths)
        below = entry["up_to"]
    assert (found.spread["min"], found.spread["max"]) == (min(lengths), max(lengths))
    assert found.spread["median"] == np.median(lengths)


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


def test_calls_that_had_better_not_be_learned_are_counted_with_ids() -> None:
    calls = Calls()
    tools = [{"type": "function", "function": {"name": "weather"}}]
    calls.add("a", Conversation([call("weather", city="x"), call("wether", city="x")], tools))
    calls.add("b", Conversation([call("weather", city=None), call("weather", where=[{"deep": None}])], tools))
    calls.add("c", Conversation([call("weather", city="")]))
    calls.add("d", Text("none"))
    assert calls.as_dict() == {
        "calls": 5,
        "unknown": {"wether": 1},
        "without_tools": 1,
        "nulls": 2,
        "rows": {"unknown": ["a"], "nulls": ["b"], "without_tools": ["c"]},
    }
    assert len(list(calls.lines())) == 3


def test_calls_of_rows_that_never_offer_tools_are_no_news() -> None:
    calls = Calls()
    calls.add("a", Conversation([call("weather", city="x")]))
    assert list(calls.lines()) == []


def chats(*lengths: int) -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": "say it"}, {"role": "assistant", "content": "la " * length}]}
        for length in lengths
    ]


def report(rows: list[dict[str, Any]], model: Path, **settings: Any) -> Any:
    config = TrainConfig(model=str(model), **settings)
    renderer: Renderer = open_renderer(config)
    ordered = load_selection(rows, config)
    return preflight_of(tokenise(ordered, renderer), renderer, config, source=ordered.source)


def test_a_report_tells_what_is_trained_and_what_was_lost(tiny_model: Path) -> None:
    found = report(chats(3, 3, 60), tiny_model, max_length=40, on_long_row="keep_start")
    assert found.rows.final_turns_lost == 1
    assert "1 row lost the end of the final answer" in found.rows.lines[0]
    assert (found.answers.count, found.answers.with_end) == (3, 2)
    assert found.shares == {"max_dropped": 0.0, "max_truncated": 1 / 3}
    kept = report(chats(3, 3, 60), tiny_model, max_length=40, on_long_row="keep_end")
    assert kept.rows.final_turns_lost == 0
    assert kept.answers.with_end == 3
    assert kept.template == found.template
    assert kept.tokenizer != found.tokenizer  # what becomes of long rows is part of it


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"max_truncated": "30%", "on_long_row": "keep_start"}, "33.3 % cut"),
        ({"max_dropped": 0.1, "on_long_row": "drop"}, "33.3 % dropped"),
    ],
)
def test_more_loss_than_may_be_stops_the_run(tiny_model: Path, settings: dict[str, Any], says: str) -> None:
    found = report(chats(3, 3, 60), tiny_model, max_length=40, **settings)
    with pytest.raises(DataError, match=says):
        found.check()
    report(chats(3, 3, 60), tiny_model, max_length=40, max_dropped=0.5, max_truncated=0.5).check()


@pytest.mark.parametrize("settings", [{}, {"adapter": "dora", "lora_target": "q_proj"}, {"adapter": "full"}])
def test_a_preflight_foresees_the_run(tiny_model: Path, tmp_path: Path, settings: dict[str, Any]) -> None:
    rows, notices = chats(3, 9, 30, 4, 8), []
    small = {} if "adapter" in settings and settings["adapter"] == "full" else {"lora_r": 2}
    config = TrainConfig(
        model=str(tiny_model), output_dir=tmp_path / "run", max_steps=3, batch_size=2, **{**small, **settings}
    )
    flight = preflight(rows, config, notice=notices.append)
    assert not (tmp_path / "run").exists()
    result = train(rows, config)
    assert flight.prepared.fingerprint == result.fingerprint
    assert flight.schedule.as_dict() == result.schedule
    assert flight.report.rows.as_dict() == result.rows
    price = flight.estimate
    assert {"trained": price.trained_parameters, "total": price.parameters} == result.parameters
    assert price.memory_bytes == price.weight_bytes + price.trained_bytes + price.activation_bytes
    assert (price.weight_bytes == 0) == ("full" in settings.values())
    assert 0 < price.seconds_at_least < 60
    assert flight.padding["packed"] <= flight.padding["sorted"] <= flight.padding["in_order"]
    assert [text for text in result.notices if "adapter" not in text] == notices


def test_fewer_bits_are_less_memory(tiny_model: Path) -> None:
    prices = [
        preflight(chats(3, 4), TrainConfig(model=str(tiny_model), lora_r=2, **bits)).estimate.weight_bytes
        for bits in ({"load_in_4bit": True}, {"load_in_8bit": True}, {"precision": "bf16"}, {"precision": "fp32"})
    ]
    assert prices == sorted(prices)
    assert len(set(prices)) == 4
