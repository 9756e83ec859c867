"""What is kept of rows that are too long: whole turns, and the tokens that these have alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sage_select.errors import DataError, UsageError
from sage_select.render.example import Conversation, Text
from sage_select.render.tokens import IGNORED, Encoded, Renderer
from sage_select.render.whole_turns import shorter_conversations

pytestmark = pytest.mark.train

Make = Callable[[], Any]
Message = dict[str, Any]
LONG = 100_000
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}]


def said(role: str, content: str, **members: Any) -> Message:
    return {"role": role, "content": content, **members}


def calling(*names: str, content: str = "") -> Message:
    calls = [{"id": name, "type": "function", "function": {"name": "find", "arguments": {"q": name}}} for name in names]
    return said("assistant", content, tool_calls=calls)


def result(name: str) -> Message:
    return said("tool", f"result {name}", tool_call_id=name, name="find")


def exchanges(number: int) -> st.SearchStrategy[list[Message]]:
    """Return what may be said between one user turn and the next."""
    words = st.sampled_from(["yes", "a table for two", "数字 émoji 🎉", "book " * 9, "<think>hm</think>sure", ""])
    weights: st.SearchStrategy[Message] = st.sampled_from([{}, {"weight": 0}])
    answer = st.builds(lambda text, weight: said("assistant", text, **weight), words, weights)

    def called(turn: int, names: str, text: str) -> list[Message]:
        ids = [f"{name}{number}{turn}" for name in names]
        return [calling(*ids, content=text), *map(result, ids)]

    call = st.builds(called, st.integers(0, 9), st.sampled_from(["c", "cd"]), st.sampled_from(["", "wait"]))
    return st.builds(
        lambda asked, calls, answers: [*(said("user", one) for one in asked), *chain(*calls), *answers],
        st.lists(words, min_size=1, max_size=2),
        st.lists(call, max_size=3),
        st.lists(answer, max_size=2),
    )


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    messages = draw(st.sampled_from([[], [said("system", "be kind")], [said("assistant", "welcome")]]))
    for number in range(draw(st.integers(1, 4))):
        messages = [*messages, *draw(exchanges(number))]
    return Conversation(messages, draw(st.sampled_from([[], TOOLS])))


def may_stay(messages: list[Message], last: int) -> Iterator[list[int]]:
    """Yield the numbers of messages that may stay, the most first, straight from the rule: a plain twin."""
    turns = [number for number in range(last + 1) if messages[number]["role"] != "system"]
    system = [number for number in range(last + 1) if messages[number]["role"] == "system"]
    users = [number for number in turns if messages[number]["role"] == "user"]
    yield sorted(system + turns)
    for first in users:
        if first != turns[0]:
            yield sorted(system + [number for number in turns if number >= first])
    head = users[-1:]
    begins = [n for n in turns if n > (head or [turns[0]])[0] and messages[n]["role"] != "tool"]
    for first in begins[1:] if head else begins:
        if first == last and messages[last - 1]["role"] == "tool":
            continue
        yield sorted({*system, *head, *(number for number in turns if number >= first)})


def trained_runs(one: Encoded) -> list[list[int]]:
    runs: list[list[int]] = [[]]
    for label in one.labels:
        if label == IGNORED:
            runs.append([])
        else:
            runs[-1].append(label)
    return [run for run in runs if run]


@pytest.mark.parametrize("name", ["chatml", "marked", "qwen_like", "strict", "narrow", "forgetful", None])
def test_what_stays_of_a_conversation_is_as_it_is_alone(byte_level: Make, templates: Any, name: str | None) -> None:
    tokenizer = byte_level()
    template = None if name is None else getattr(templates, name)
    whole = Renderer(tokenizer, max_length=LONG, chat_template=template)
    seen = {"cut": 0, "left out": 0}

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(conversations(), st.floats(0.1, 1))
    def check(example: Conversation, share: float) -> None:
        try:
            full = whole.encode_all(example)
        except DataError:  # one wants the user to begin, one does not tell where the first of two answers in a row is
            assert name in ("strict", "forgetful")
            return
        most = max(2, int(share * max(len(one.input_ids) for one in full)))
        short = Renderer(tokenizer, max_length=most, chat_template=template).encode_all(example)
        assert len(short) == len(full)
        for before, after in zip(full, short, strict=True):
            assert len(after.input_ids) + after.cut == len(before.input_ids)
            assert after.trained + after.trained_cut == before.trained
            if len(before.input_ids) <= most:
                assert after == before
                continue
            seen["cut"] += not after.left_out
            seen["left out"] += after.left_out
            if name != "forgetful" or len(full) == 1:
                expected = first_that_fits(example, before, most)
                assert (after.input_ids, after.labels) == (expected or ([], []))
            if name not in ("strict", "narrow"):  # which number calls, or make several turns one
                runs = trained_runs(before)
                assert all(run in runs for run in trained_runs(after))

    def first_that_fits(example: Conversation, before: Encoded, most: int) -> tuple[list[int], list[int]] | None:
        trained = [
            number
            for number, message in enumerate(example.messages)
            if message["role"] == "assistant" and message.get("weight") != 0
            and (message["content"].strip() or message.get("tool_calls"))
        ]  # fmt: skip
        if not trained:
            return None
        for numbers in may_stay(example.messages, trained[-1]):
            alone = whole.encode_all(Conversation([example.messages[number] for number in numbers], example.tools))[-1]
            if len(alone.input_ids) <= most:
                return (alone.input_ids, alone.labels) if alone.trained else None
        return None

    check()
    assert min(seen.values()) > 0


def kept_of(messages: list[Message], last: int | None = None) -> list[list[int]]:
    return shorter_conversations(messages, len(messages) - 1 if last is None else last)


def test_results_stay_with_their_calls_and_the_answer_with_its_results() -> None:
    user, answer = said("user", "u"), said("assistant", "a")
    agent = [said("system", "s"), user, calling("a"), result("a"), calling("b", "c"), result("c"), result("b"), answer]
    assert kept_of(agent) == [[*range(8)], [0, 1, 4, 5, 6, 7]]
    # A turn between a call and its result stays with both; where there are no ids, results belong to the latest call.
    between = [user, calling("a"), said("user", "wait"), result("a"), answer, user, answer]
    assert kept_of(between) == [[*range(7)], [5, 6]]
    nameless = [user, {**calling("a"), "tool_calls": [{"function": {}}]}, said("tool", "r"), user, answer]
    assert kept_of(nameless) == [[*range(5)], [3, 4]]
    # A result that answers no call belongs to what stands before it.
    spelled = [user, said("assistant", "call find()"), said("tool", "r"), said("tool", "r"), answer, user, answer]
    assert kept_of(spelled) == [[*range(7)], [5, 6]]


def test_system_turns_stay_and_what_follows_the_last_trained_turn_does_not() -> None:
    chat = [said(role, "x") for role in ("system", "user", "assistant", "system", "user", "assistant", "user")]
    assert kept_of(chat, 5) == [[*range(6)], [0, 3, 4, 5]]
    assert kept_of(chat, -1) == [[]]


def test_without_a_user_turn_the_oldest_leave() -> None:
    assert kept_of([said("system", "s"), *(said("assistant", "a") for _ in range(3))]) == [
        [0, 1, 2, 3],
        [0, 2, 3],
        [0, 3],
    ]


@pytest.mark.parametrize("policy", ["error", "drop", "keep_start", "keep_end", "keep_turns"])
def test_each_policy(byte_level: Make, templates: Any, policy: Any) -> None:
    tokenizer = byte_level()
    chat = Conversation([said("user", "find"), said("assistant", "book"), said("user", "a"), said("assistant", "b")])
    full = Renderer(tokenizer, max_length=LONG, chat_template=templates.chatml).encode(chat)
    short = Renderer(tokenizer, max_length=24, chat_template=templates.chatml, on_long_row=policy)
    one = short.encode(chat)
    text = Renderer(tokenizer, max_length=LONG).encode(Text("weather " * 9))
    plain = Renderer(tokenizer, max_length=4, on_long_row=policy).encode(Text("weather " * 9))
    if policy in ("error", "drop"):
        assert one.left_out
        assert plain.left_out
        assert (one.cut, one.trained_cut, one.trained) == (len(full.input_ids), full.trained, 0)
        return
    if policy == "keep_turns":
        alone = Conversation(chat.messages[2:])
        expected = Renderer(tokenizer, max_length=LONG, chat_template=templates.chatml).encode(alone)
        assert (one.input_ids, one.labels) == (expected.input_ids, expected.labels)
    elif policy == "keep_start":
        assert one.input_ids == full.input_ids[:24]
    else:
        assert one.input_ids == full.input_ids[: len(full.input_ids) - 1][-24:]  # without the line break behind it
    assert plain.input_ids == (text.input_ids[-4:] if policy == "keep_end" else text.input_ids[:4])
    assert plain.cut == len(text.input_ids) - 4


def test_an_unknown_policy_is_refused(byte_level: Make) -> None:
    with pytest.raises(UsageError, match="on_long_row is 'keep'"):
        Renderer(byte_level(), max_length=9, on_long_row="keep")  # type: ignore[arg-type]
