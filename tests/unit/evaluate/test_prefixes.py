"""A search over prefixes finds what looking at all completions finds, whatever is known in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sage_select.evaluate.prefixes import Search, Trie


@given(
    completions=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), min_size=1, max_size=7),
    prompts=st.integers(1, 4),
    data=st.data(),
)
def test_a_search_finds_the_likeliest_all_that_are_as_likely_and_what_is_wanted(
    completions: Any, prompts: int, data: Any
) -> None:
    trie = Trie(completions)
    count = len(trie.tokens)
    costs = data.draw(
        st.lists(st.lists(st.integers(0, 3), min_size=count, max_size=count), min_size=prompts, max_size=prompts)
    )
    values = -np.array(costs, dtype=np.float64)
    wanted = [data.draw(st.integers(0, len(completions) - 1)) for _ in range(prompts)]
    prefixes = {tuple(one[:length]): 0 for one in completions for length in range(len(one) + 1)}
    assert count == len(prefixes)
    true = [
        [sum(own[node] for node in trie.paths(trie.ends[[place]])[0]) for place in range(len(completions))]
        for own in values
    ]
    for asked in (wanted, None):
        search = Search(trie, prompts, asked)
        start = np.zeros(prompts, dtype=np.int64)
        search.take(np.arange(prompts), start, values[:, trie.after(0)].ravel())
        passes = 0
        while len((due := search.due()).prompts):
            for prompt, prefix in zip(due.prompts.tolist(), due.prefixes.tolist(), strict=True):
                (path,) = trie.paths(np.array([prefix]))
                path = path[search.open[prompt, path]]
                assert len(path)  # nothing is asked twice
                _, after = trie.afters(path)
                search.take(np.full(len(path), prompt), path, values[prompt, after])
                passes += 1
        assert passes <= prompts * count
        for own, exact, one in zip(search.found(), true, wanted, strict=True):
            assert own[one] == exact[one]
            assert [place for place, value in enumerate(own) if value == max(own)] == [
                place for place, value in enumerate(exact) if value == max(exact)
            ]
            assert asked is not None or own == exact


def test_where_nothing_branches_a_pass_goes_on() -> None:
    trie = Trie([[1, 2, 3, 4], [1, 2], [5, 6], [5, 7, 8]])
    after = {tuple(trie.tokens[trie.paths(np.array([one]))[0]].tolist()): one for one in range(len(trie.tokens))}
    last = {one: int(trie.last(np.array([place]))[0]) for one, place in after.items() if trie.inner[place]}
    # On through a completion that begins another, and not to the end of one, after which there is nothing to ask.
    assert last[1,] == last[1, 2] == last[1, 2, 3] == after[1, 2, 3]
    assert last[5,] == after[5,]
    assert sorted(trie.cover().tolist()) == sorted([after[1, 2, 3], after[5, 7]])
