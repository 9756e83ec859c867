"""SAGE's coreset selector: what it selects, and what it refuses."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sage_select.agent import CoresetSelector
from sage_select.errors import DataError, UsageError

WORDS = ["alpha beta gamma", "delta epsilon", "zeta eta theta", "alpha beta gamma delta", "iota kappa"]


def rows(n: int = 20) -> list[dict[str, object]]:
    return [{"sample_id": f"s{one}", "text": f"{WORDS[one % 5]} {one}", "loss": float(one)} for one in range(n)]


def test_the_highest_losses_are_selected_in_their_order() -> None:
    assert [one["sample_id"] for one in CoresetSelector().select(rows(), target_size=3)] == ["s19", "s18", "s17"]


def test_losses_may_lie_in_metadata_as_sage_has_them_and_metrics_win() -> None:
    nested = [{"sample_id": one["sample_id"], "text": one["text"], "metadata": {"loss": one["loss"]}} for one in rows()]
    chosen = CoresetSelector().select(nested, target_size=2, metrics={"s3": 100.0})
    assert [one["sample_id"] for one in chosen] == ["s3", "s19"]


def test_hybrid_takes_three_fifths_by_loss() -> None:
    chosen = [one["sample_id"] for one in CoresetSelector("hybrid").select(rows(), target_size=10)]
    assert chosen[:6] == ["s19", "s18", "s17", "s16", "s15", "s14"]
    assert len(set(chosen)) == 10


@pytest.mark.parametrize("strategy", CoresetSelector.STRATEGIES)
def test_every_strategy_selects_so_many_rows_of_what_it_is_given(strategy: str) -> None:
    selector = CoresetSelector(strategy)
    table = pa.Table.from_pylist(rows())
    chosen = selector.select(table, target_size=7)
    assert isinstance(chosen, pa.Table)
    assert chosen.num_rows == len(set(chosen["sample_id"].to_pylist())) == 7
    assert selector.select(table, target_size=7) == chosen
    assert selector.select(table, target_size=None) is table
    assert selector.select(table, target_size=20) is table
    assert selector.select([], target_size=3) == []
    assert selector.summary(20, 7).strategy == strategy


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown strategy"):
        CoresetSelector("best")  # type: ignore[arg-type]
    without = [{"sample_id": "a", "text": "x"}, {"sample_id": "b", "text": "y"}]
    with pytest.raises(DataError, match="2 of 2 rows have no loss"):
        CoresetSelector().select(without, target_size=1)
    with pytest.raises(UsageError, match="below 0"):
        CoresetSelector("random").select(without, target_size=-1)
