"""Whether a run may be taken further than it was to go: more steps on top of those that it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sage_select.errors import UsageError
from sage_select.train.config import TrainConfig
from sage_select.train.data import TrainingRows
from sage_select.train.fingerprint import EVALUATED, REPLAY, SCHEDULE, differences
from sage_select.train.rounds import Rounds
from sage_select.train.run_folder import Found
from sage_select.train.schedule import Schedule

__all__ = ["prolongs", "warmup_steps"]

#: The parts of a run that say how far it goes.
_LENGTH: Final = ("epochs", "max_steps")


def prolongs(found: Found, identity: Mapping[str, Any], rows: TrainingRows, config: TrainConfig) -> bool:
    """Say whether a run is the one of a folder with more steps, and may go on from what that one has trained.

    It may where each step that was taken would have been the same in the longer run: under a constant rate, after a
    warmup of as many steps.

    Parameters
    ----------
    found
        The run in the folder.
    identity, rows, config
        Of the run that is asked for.

    Raises
    ------
    UsageError
        The run is the same but for its length, and its steps would have been others, or it is to be shorter.
    """
    theirs = {name: found.identity.get(name) for name in _LENGTH}
    if not differences(found.identity, identity) or config.schedule_file is not None:
        return False
    if config.replay is not None:
        _refuse_longer_replay(found, identity)
        return False
    before = config.changed(**theirs)
    theirs[SCHEDULE] = Schedule.of(rows, before).digest(rows.order_digest)
    if differences(found.identity, {**identity, **theirs}):
        return False
    steps, taken = (Rounds.of(len(rows.row_ids), one).steps for one in (config, before))
    if steps <= taken:
        raise UsageError(
            "a run can be made longer, not shorter",
            got=f"{steps} steps, {taken} before",
            hint="name another folder with --output-dir",
        )
    if identity.get(EVALUATED) is not None and config.eval_steps is None:
        raise UsageError(
            "the run cannot be made longer: its evaluations would have been after other steps",
            expected="--eval-steps, as before",
            hint="train on from its adapter in a run of its own: --from-adapter OUTPUT-DIR and another --output-dir",
        )
    if config.final_weights == "best" and taken % config.eval_interval(taken):
        raise UsageError(
            f"the run cannot be made longer: it was evaluated after its last step, {taken}, unlike the longer one, "
            "so that the best weights may be gone",
            expected=f"a run whose steps are a multiple of --eval-steps {config.eval_steps}",
            hint="train on from its adapter in a run of its own: --from-adapter OUTPUT-DIR and another --output-dir",
        )
    if config.lr_schedule == "constant" and warmup_steps(before, taken) == warmup_steps(config, steps):
        return True
    why = (
        f"the warmup would have taken {warmup_steps(config, steps)} steps, not {warmup_steps(before, taken)}"
        if config.lr_schedule == "constant"
        else f"a {config.lr_schedule} rate over {steps} steps would have been another from the first step on"
    )
    raise UsageError(
        f"the run cannot be made longer: {why}",
        expected="--lr-schedule constant, and a --warmup in steps",
        hint="train on from its adapter in a run of its own: --from-adapter OUTPUT-DIR and another --output-dir",
    )


def _refuse_longer_replay(found: Found, identity: Mapping[str, Any]) -> None:
    """Refuse a run that is the same but for its length, and what it replays for that."""
    differing = {name for name in {*found.identity, *identity} if found.identity.get(name) != identity.get(name)}
    if differing & {*_LENGTH} and differing <= {*_LENGTH, SCHEDULE, REPLAY}:
        raise UsageError(
            "the run cannot be made longer: what it replays was settled for so many steps when it began",
            hint="train on from its adapter in a run of its own: --from-adapter OUTPUT-DIR and another --output-dir",
        )


def warmup_steps(config: TrainConfig, steps: int) -> int:
    """Return the steps of the warmup of a run of so many.

    A share is rounded down: the library rounds it up, and a warmup's first step learns nothing.
    """
    return int(config.warmup * steps if config.warmup < 1 else config.warmup)
