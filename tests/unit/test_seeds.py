"""Stage keys are fixed for ever: a change would change every selection."""

from __future__ import annotations

from sage_select.seeds import stage_key


def test_golden_keys() -> None:
    assert stage_key(0, "random") == 15963908846765052996
    assert stage_key(1, "random") != stage_key(0, "random")
    assert 0 <= stage_key(2**62, "order") < 2**64
