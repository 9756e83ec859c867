"""Twelve conversations through every chat template that ships with TRL, as it is and with a newline more.

What is trained is compared with two references that know nothing of how it is found: the template's own marks as
transformers reads them, and the text of the conversation before and through each turn.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sage_select.errors import DataError
from sage_select.render.example import Conversation
from sage_select.render.tokens import IGNORED, Encoded, Renderer

pytestmark = pytest.mark.train
TemplateError = pytest.importorskip("jinja2").TemplateError

Message = dict[str, Any]
BAR = "[|\N{FULLWIDTH VERTICAL LINE}]"
SPECIAL = re.compile(
    rf"<{BAR}[^<>{{}}'\" \n]{{1,40}}>|<[^<>{{}}'\" \n]{{1,40}}{BAR}>|</?s>|<(?:end|start)_of_turn>"
    r"|<end_of_utterance>|<(?:eos|bos|sop)>|\[gMASK\]"
)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "oldtool",
            "description": "d",
            "parameters": {"type": "object", "properties": {"key": {"type": "string", "description": "e"}}},
        },
    }
]


def said(role: str, content: str, **members: Any) -> Message:
    return {"role": role, "content": content, **members}


def calls(*names: str, content: str = "", **members: Any) -> Message:
    made = [
        {"id": f"id{name:0>7}"[:9], "type": "function", "function": {"name": name, "arguments": {"key": f"{name}arg"}}}
        for name in names
    ]
    return said("assistant", content, tool_calls=made, **members)


def result(name: str) -> Message:
    return said("tool", f"asked{name}", name=name, tool_call_id=f"id{name:0>7}"[:9])


ASK, SAY = said("user", "askedone"), said("assistant", "saidone")
ASK_MORE, SAY_MORE = said("user", "askedtwo"), said("assistant", "saidtwo")
#: What the assistant says begins with "said", what others do with "asked".
CONVERSATIONS: dict[str, tuple[list[Message], list[Message]]] = {
    "plain": ([ASK, SAY], []),
    "system": ([said("system", "askedsystem"), ASK, SAY], []),
    "several turns": ([ASK, SAY, ASK_MORE, SAY_MORE, said("user", "askedthree"), said("assistant", "saidthree")], []),
    "call and result": ([ASK, calls("saidcall"), result("saidcall"), SAY_MORE], TOOLS),
    "parallel calls": ([ASK, calls("saida", "saidb"), result("saida"), result("saidb"), SAY_MORE], TOOLS),
    "words beside a call": ([ASK, calls("saidcall", content="saidone"), result("saidcall"), SAY_MORE], TOOLS),
    "thoughts": (
        [
            ASK, said("assistant", "saidone", reasoning_content="saidthought"),
            ASK_MORE, said("assistant", "<think>\nsaidthinking\n</think>\n\nsaidtwo"),
        ],
        [],
    ),
    "unicode": ([said("user", "askedé 数字 🎉"), said("assistant", "saidé 日本語 👩‍👩‍👧"), ASK_MORE, SAY_MORE], []),
    "tokens as words": (
        [said("user", "asked [INST] <tool_call> ### {{ x }}"), said("assistant", "said </div> <pad> {% y %} \\n")], []
    ),
    "empty turn": ([ASK, said("assistant", ""), ASK_MORE, SAY_MORE], []),
    "two user turns": ([ASK, ASK_MORE, SAY, said("user", "askedthree"), SAY_MORE], []),
    "long": (
        [said(who, f"{word}{n} so") for n in range(16) for who, word in (("user", "asked"), ("assistant", "said"))],
        [],
    ),
}  # fmt: skip
WORD = re.compile(r"said[^\W_]*|asked[^\W_]*|日本語|👩‍👩‍👧|数字|🎉|\{\{ x \}\}|\{% y %\}|<tool_call> ###|</div>|<pad>")


def templates(newline: bool) -> Iterator[tuple[str, str]]:
    trl = pytest.importorskip("trl")
    for file in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja")):
        text = file.read_text("utf-8")
        if not newline:
            yield file.stem, text
        elif not file.stem.endswith("_training"):
            yield f"{file.stem}, a newline more", text + "\n"  # which TRL knows no longer


def words_of(messages: list[Message], *, assistant: bool) -> set[str]:
    own = [m for m in messages if (m["role"] == "assistant") == assistant]
    return {word for m in own for word in WORD.findall(repr({**m, "role": "", "name": "", "tool_call_id": ""}))}


def text_of(tokenizer: Any, encoded: list[Encoded], *, trained: bool) -> str:
    runs = []
    for one in encoded:
        ids = [token for token in one.labels if token != IGNORED] if trained else one.input_ids
        runs.append(tokenizer.decode(ids))
    return "\n".join(runs)


def ends(tokenizer: Any, encoded: list[Encoded]) -> Iterator[bool]:
    """Yield for each run of trained tokens whether it ends by a special token, white space apart."""
    special = set(tokenizer.all_special_ids)
    for one in encoded:
        labels = [*one.labels, IGNORED]
        for place in range(len(labels) - 1):
            if labels[place] != IGNORED and labels[place + 1] == IGNORED:
                last = place
                while not tokenizer.decode([labels[last]]).strip():
                    last -= 1
                yield labels[last] in special


def _says(message: Message) -> bool:
    content = message["content"]
    return bool(content if isinstance(content, str) else content[0]["text"])


def by_marks(tokenizer: Any, template: str, messages: list[Message], tools: list[Message]) -> Any:
    """Return the tokens that the template marks, as transformers reads them."""
    return tokenizer.apply_chat_template(
        messages, tools=tools or None, chat_template=template, return_dict=True, return_assistant_tokens_mask=True
    )


def by_prefixes(tokenizer: Any, template: str, messages: list[Message], tools: list[Message]) -> tuple[str, list[bool]]:
    """Return the text, and which characters come with a turn of the assistant after its generation prompt."""

    def written(count: int, ask: bool) -> str:
        return str(
            tokenizer.apply_chat_template(
                messages[:count], tools=tools or None, chat_template=template, tokenize=False, add_generation_prompt=ask
            )
        )

    whole = written(len(messages), False)
    trained = [False] * len(whole)
    for number, message in enumerate(messages):
        if message["role"] == "assistant" and (_says(message) or message.get("tool_calls")):
            before, through = written(number, True), written(number + 1, False)
            if not (whole.startswith(through) and through.startswith(before)):
                raise ValueError("no prefix")
            trained[len(before) : len(through)] = [True] * (len(through) - len(before))
    return whole, trained


@pytest.mark.parametrize("newline", [False, True])
def test_words_ends_and_masks(byte_level: Callable[[], Any], newline: bool) -> None:
    compared: Counter[str] = Counter()
    refused: list[str] = []
    for stem, template in templates(newline):
        tokenizer = byte_level()
        special = sorted({*SPECIAL.findall(template), "<end_of_utterance>"})
        tokenizer.add_special_tokens({"additional_special_tokens": special})
        tokenizer.bos_token = "<|end|>"
        tokenizer.chat_template = template
        renderer = Renderer(tokenizer, max_length=9999)
        for name, (messages, tools) in CONVERSATIONS.items():
            place = f"{stem}, {name}"
            lost, unended = Counter(renderer.seen.lost.messages), renderer.seen.unended_turns
            changes = renderer.seen.changes.total()
            try:
                encoded = renderer.encode_all(Conversation(messages, tools))
            except DataError as error:
                refused.append(f"{place}: {error.message}")
                continue
            assert renderer.seen.lost.messages == lost, f"{place}: {renderer.notices}"
            everything, trained = (text_of(tokenizer, encoded, trained=which) for which in (False, True))
            own, others = (words_of(messages, assistant=which) for which in (True, False))
            assert [word for word in sorted(own | others) if word not in everything] == [], place
            assert [word for word in sorted(own) if word not in trained] == [], place
            assert [word for word in sorted(others) if re.search(rf"{re.escape(word)}(?!\w)", trained)] == [], place
            assert "oldtool" not in trained, place
            stops = list(ends(tokenizer, encoded))
            assert stops.count(False) <= renderer.seen.unended_turns - unended, f"{place}: {trained}"
            if len(encoded) == 1 and renderer.seen.changes.total() == changes:
                compared[_compared(tokenizer, renderer, messages, tools, encoded[0], place)] += 1
    assert refused == []
    assert compared["marks"] > (20 if newline else 250), compared
    assert compared["prefixes"] > (200 if newline else 50), compared


def _compared(
    tokenizer: Any, renderer: Renderer, messages: list[Message], tools: list[Message], one: Encoded, place: str
) -> str:
    """Compare a row with what a reference says of it; return the name of the reference, if there is one."""
    template = renderer.chat_template
    assert isinstance(template, str)
    learned = [label != IGNORED for label in one.labels]
    if "message['content'][0]['type']" in template or "for content in message['content']" in template:
        messages = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in messages]
    if re.search(r"\{%-?\s*generation\b", template):
        if not all(_says(m) or m.get("tool_calls") for m in messages):
            return "none"  # the marks hold an end without an answer
        theirs = by_marks(tokenizer, template, messages, tools)
        marked = [bool(mask) for mask in theirs["assistant_masks"]]
        ids = list(theirs["input_ids"])
        kind = "marks"
    else:
        try:
            whole, characters = by_prefixes(tokenizer, template, messages, tools)
        except (ValueError, TemplateError):
            return "none"
        encoding = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        ids = list(encoding["input_ids"])
        marked = [any(characters[start:end]) for start, end in encoding["offset_mapping"]]
        kind = "prefixes"
    if ids != one.input_ids[: len(ids)]:
        return "other text"  # the date of the day, or an end that the template does not write
    special = set(tokenizer.all_special_ids)
    for index, (ours, reference) in enumerate(zip(learned, marked, strict=False)):
        if index and ours != reference:
            word = tokenizer.decode([ids[index]])
            # White space behind the end of a turn says nothing; an end may be trained that the template does not mark,
            # and what closes a text behind the end of the last turn is not trained.
            ended = tokenizer.decode(ids[:index]).rstrip().endswith(tuple(tokenizer.all_special_tokens))
            # Of a character of several tokens at the end of a mark transformers takes the first alone.
            may_differ = (ids[index] in special and (ours or ended)) or (ours and "\ufffd" in word)
            assert not word.strip() or may_differ, f"{place}: {word!r} of {tokenizer.decode(ids)}"
    return kind


def test_what_stays_of_an_agent_at_work_is_as_it_is_alone(byte_level: Callable[[], Any]) -> None:
    """Whole turns leave a row that is too long: what stays is what the messages that stay are when they are all."""
    steps = [(calls(f"saidcall{n}", content="saidso" * (n % 2)), result(f"saidcall{n}")) for n in range(5)]
    worked = [turn for step in steps for turn in step]
    messages = [said("system", "askedsystem"), ASK, SAY, ASK_MORE, *worked, SAY_MORE]
    kept = Counter[int]()
    for stem, template in [*templates(newline=False)][::5]:
        tokenizer = byte_level()
        tokenizer.add_special_tokens({"additional_special_tokens": sorted(set(SPECIAL.findall(template)))})
        tokenizer.bos_token, tokenizer.chat_template = "<|end|>", template
        whole = Renderer(tokenizer, max_length=99_999)
        full = whole.encode_all(Conversation(messages, TOOLS))[-1]
        for first in (4, 6, -3):
            shorter = [messages[0], messages[3], *messages[first:]]
            alone = whole.encode_all(Conversation(shorter, TOOLS))[-1]
            short = Renderer(tokenizer, max_length=len(alone.input_ids)).encode_all(Conversation(messages, TOOLS))[-1]
            assert short.input_ids == alone.input_ids, stem
            assert all(ours in (theirs, IGNORED) for ours, theirs in zip(short.labels, alone.labels, strict=True)), stem
            assert len(short.input_ids) + short.cut == len(full.input_ids)
            kept[len(shorter)] += 1
    assert len(kept) == 3
