"""What the user is told of rows that are replayed, or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sage_select.display import counted

if TYPE_CHECKING:
    from pathlib import Path

    from sage_select.replay.ratio import Ratio
    from sage_select.train.config import TrainConfig

__all__ = ["amount", "named", "tell"]


def named(folder: Path | None) -> str:
    """Return what a message calls the buffer of a folder."""
    return f"the replay buffer {folder}"


def amount(count: int, ratio: Ratio) -> str:
    """Return so many of what a ratio counts, in words."""
    return counted(count, "token" if ratio.basis == "tokens_of_total" else "row")


def tell(
    notice: Callable[[str], None],
    config: TrainConfig,
    ratio: Ratio,
    facts: Mapping[str, Any],
    dropped: str,
    *,
    there: bool,
) -> None:
    """Say what is not as a ratio says, or as one might expect.

    Parameters
    ----------
    facts
        Those of `Replay`.
    dropped
        The rows of the buffer that cannot be trained, by reasons, in words.
    there
        Whether there is a buffer.
    """
    buffer = named(config.replay)
    if not there:
        made = ", and it is made" if config.replay_update else ""
        notice(f"there is no replay buffer in {config.replay} yet: nothing is replayed{made}")
        return
    if not ratio.of_new:
        return
    if not facts["holds"]:
        notice(f"{buffer} holds no rows yet: nothing is replayed")
        return
    if facts["of_the_selection"]:
        notice(
            f"{facts['of_the_selection']:,} of the {counted(facts['holds'], 'row')} of {buffer} are of the selection, "
            "and not replayed"
        )
    if dropped:
        notice(f"{buffer} has rows that cannot be trained: {dropped}")
    if facts["missing"]:
        notice(
            f"{amount(facts['missing'], ratio)} fewer than --replay-ratio says: {buffer} has no more"
            " that are not of the selection"
        )
    if facts["most"] > 1:
        notice(
            f"{buffer} has fewer rows than are to be replayed: {counted(facts['rows'], 'row')} "
            f"{facts['times']:,} times, each at most {facts['most']:,} times, none again before all others"
        )
