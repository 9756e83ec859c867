from __future__ import annotations

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from sage_select.render.truncate import context_length, keep_end, keep_start

masks = st.lists(st.booleans(), max_size=40)
lengths = st.integers(1, 45)


@given(masks, lengths)
def test_what_is_kept_is_one_run_within_the_length(trained: list[bool], length: int) -> None:
    kept = keep_end(trained, length)
    assert len(trained[kept]) <= length
    assert list(range(len(trained)))[kept] == list(range(kept.start, kept.stop))


@given(masks, lengths)
def test_a_row_that_fits_stays_whole(trained: list[bool], length: int) -> None:
    if len(trained) <= length:
        assert trained[keep_end(trained, length)] == trained


@given(masks, lengths)
def test_the_trained_tokens_that_stay_are_the_last_ones_and_as_many_as_one_run_can_hold(
    trained: list[bool], length: int
) -> None:
    kept = keep_end(trained, length)
    places = [place for place, train in enumerate(trained) if train]
    staying = [place for place in places if kept.start <= place < kept.stop]
    assert staying == places[len(places) - len(staying) :]
    if places:
        assert staying[-1] == places[-1]
        assert sum(train for train in trained[max(0, places[-1] + 1 - length) : places[-1] + 1]) == len(staying)


@given(masks, lengths)
def test_a_row_that_is_cut_ends_with_something_trained(trained: list[bool], length: int) -> None:
    kept = trained[keep_end(trained, length)]
    if len(trained) > length and any(trained):
        assert kept[-1]
        assert len(kept) == min(length, len(trained) - trained[::-1].index(True))


@given(st.integers(0, 50), lengths)
def test_plain_text_keeps_its_start(count: int, length: int) -> None:
    assert list(range(count))[keep_start(count, length)] == list(range(min(count, length)))


def test_context_length() -> None:
    config = SimpleNamespace(max_position_embeddings=512)
    assert context_length(config) == 512
    assert context_length(config, SimpleNamespace(model_max_length=128)) == 128
    assert context_length(config, SimpleNamespace(model_max_length=10**30)) == 512
    assert context_length(SimpleNamespace(n_positions=1024)) == 1024
    assert context_length(SimpleNamespace(get_text_config=lambda: config)) == 512
    assert context_length(SimpleNamespace(), SimpleNamespace(model_max_length=10**30)) is None
