"""The tables behind the demo hold what the sampler counts on, and pre-training sees none of the demo."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st


def test_demo_requests_mention_what_their_tool_needs(generator: Path) -> None:
    from demo_text.frames import is_command
    from demo_text.grammar import choose, holes
    from demo_text.rows import DEMO_TOOLS

    rng = Random(0)
    for tool in DEMO_TOOLS:
        known = {each.name for each in tool.parameters}
        needed = {each.name for each in tool.parameters if each.required}
        for template in tool.requests + tool.rare:
            for _ in range(20):
                assert needed <= set(holes(choose(template, rng))) <= known, (tool.name, template)
        for template in tool.vague:
            for _ in range(20):
                assert tool.missing(choose(template, rng)).kind.ask, (tool.name, template)
        for template in tool.answers:
            assert set(holes(template)) <= needed | set(tool.result), (tool.name, template)
        assert any(is_command(template) for template in tool.requests), tool.name
        assert tool.vague, tool.name


def test_pretraining_has_none_of_the_demo(generator: Path) -> None:
    from demo_text.composed_tools import composed_tools
    from demo_text.manners import DEMO_MANNERS, PRETRAINING_MANNERS
    from demo_text.rows import DEMO_TOOLS

    names = {tool.name for tool in DEMO_TOOLS}
    composed = composed_tools(Random(0), names)
    assert len(composed) > 500
    assert len({tool.name for tool in composed} - names) == len(composed)
    assert not {text for tool in composed for text in tool.requests} & {
        text for tool in DEMO_TOOLS for text in tool.requests
    }
    assert not {said for said, _ in DEMO_MANNERS.small_talk} & {said for said, _ in PRETRAINING_MANNERS.small_talk}
    assert not set(DEMO_MANNERS.delays) & set(PRETRAINING_MANNERS.delays)


@given(seed=st.integers(0, 2**32), task=st.sampled_from(["tool_selection", "planning", "timing"]))
@settings(deadline=None, max_examples=200)
def test_any_seed_draws_a_whole_dialogue(generator: Path, seed: int, task: str) -> None:
    from demo_text.dialogues import Dialogues
    from demo_text.manners import DEMO_MANNERS
    from demo_text.rows import DEMO_TOOLS

    dialogue = Dialogues(DEMO_TOOLS, DEMO_MANNERS, Random(seed)).draw(task)
    offered = {tool["function"]["name"] for tool in dialogue.tools}
    called = [call["function"]["name"] for each in dialogue.messages for call in each.get("tool_calls", [])]
    assert called
    assert set(called) <= offered
    assert not any("{" in (each["content"] or "") for each in dialogue.messages if each["role"] != "tool")
