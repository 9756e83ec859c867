"""What becomes of the buffer when a run is finished: its rows are offered once, whatever ends the program when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sage_select.display import counted
from sage_select.errors import SageError
from sage_select.paths import user_path
from sage_select.train.distilling.write import size_of
from sage_select.train.replaced import LOSSES_NAME
from sage_select.train.replaying.buffer import open_buffer
from sage_select.train.replaying.offer import Ask, last_losses, offer

if TYPE_CHECKING:
    from sage_select.train.config import TrainConfig
    from sage_select.train.replaying.replay import Replay
    from sage_select.train.result import TrainResult
    from sage_select.train.run_folder import RunFolder

__all__ = ["with_update"]


def with_update(
    result: TrainResult,
    folder: RunFolder,
    identity: dict[str, Any],
    config: TrainConfig,
    replay: Replay | None,
    notice: Callable[[str], None],
    ask: Ask | None = None,
) -> TrainResult:
    """Offer the rows of a finished run to its buffer, if that was not done; return the result that says so.

    That it begins is recorded before, and that it is done after it: of what is killed in between, the log of the buffer
    tells whether it was done. What stands in its way is told: the run itself is whole.

    Parameters
    ----------
    ask
        What is stored beside the rows that come in; None: nothing is.
    """
    before = dict((result.replay or {}).get("update") or {})
    if replay is None or config.replay is None or not config.replay_update or before.get("done"):
        return result
    place = str(user_path(config.replay).absolute())
    known = {"buffer": place, **(result.replay or replay.facts)}
    after = before.get("after") if before.get("buffer") == place else None
    try:
        if after is None:
            buffer = open_buffer(config.replay)
            begun = {"done": False, "buffer": place, "after": 0 if buffer is None else buffer.commit}
            result = replace(result, replay={**known, "update": begun})
            folder.finish(identity, result)
        losses = last_losses(folder.path / LOSSES_NAME)
        told = offer(config, replay.trained, replay.new, losses, after, ask)
    except SageError as error:
        said = " ".join(str(error).split())
        notice(
            f"the run is finished, but its rows could not be offered to the replay buffer {config.replay} ({said}); "
            "the same command again makes up for it"
        )
        return result
    result = replace(result, replay={**known, "update": {"done": True, "buffer": place, **told}})
    folder.finish(identity, result)
    if stored := told.get("logits"):
        notice(
            f"stored what the model says of {counted(stored['rows'], 'row')} that came into the replay buffer: "
            f"{size_of(stored['bytes'])}"
        )
    if left := len(replay.trained) - told["offered"]:
        notice(
            f"{counted(left, 'row')} of the selection {'was' if left == 1 else 'were'} not trained, and "
            f"{'is' if left == 1 else 'are'} not offered to the replay buffer"
        )
    return result
