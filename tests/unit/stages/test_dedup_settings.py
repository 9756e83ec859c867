"""The dedup op: what it refuses, and what it says of itself."""

from __future__ import annotations

import pytest

from sage_select.errors import UsageError
from sage_select.stages import Dedup


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "fuzzy"}, "mode: expected 'exact', 'near' or 'none', got"),
        ({"mode": "near", "threshold": 0}, "expected more than 0"),
        ({"mode": "near", "threshold": 1}, "less than 1"),
        ({"mode": "near", "threshold": float("nan")}, "finite number"),
        ({"mode": "near", "threshold": "high"}, "expected a number, got 'high'"),
        ({"mode": "exact", "threshold": 0.9}, "does not use threshold"),
        ({"threshold": 0.9}, "does not use threshold"),
        ({"mod": "near"}, "mod"),
    ],
)
def test_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Dedup.make(**settings)


def test_only_near_copies_have_a_threshold() -> None:
    assert Dedup().settings() == {"mode": "exact"}
    assert Dedup(mode="near").settings() == {"mode": "near", "threshold": 0.95}
    assert "0.9 or more" in Dedup(mode="near", threshold=0.9).describe()
