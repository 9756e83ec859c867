"""Which rows of a replay buffer are trained among those of the selection, and what becomes of the buffer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, model_validator

from sage_select.declare import Settings
from sage_select.errors import UsageError
from sage_select.train.settings.declared import Setting, Whole

__all__ = ["ReplaySettings", "refuse_beside_replay"]


def _written(value: Any) -> Any:
    """Return a ratio as it is written: 0.25, 1/4."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class ReplaySettings(Settings):
    """Replay."""

    replay: Annotated[
        Path | None,
        Setting(
            "folder of a replay buffer: some of its rows are trained among those of the selection, which are offered "
            "to it when the run is finished; made if absent",
            metavar="FOLDER",
            # Known by its commit, and by what is drawn.
            identity=False,
        ),
    ] = None
    replay_ratio: Annotated[
        str,
        BeforeValidator(_written),
        Setting(
            "how much is replayed, as a fraction: 0.25 or 1/4 is one row for each four of the selection, 0 is none",
            metavar="RATIO",
            identity=False,
        ),
    ] = "0.25"
    replay_basis: Annotated[
        Literal["of_new", "of_total", "tokens_of_total"],
        Setting(
            "what the ratio is a share of: the rows of the selection, all rows that are trained, or all tokens",
            identity=False,
        ),
    ] = "of_new"
    replay_shortfall: Annotated[
        Literal["repeat", "report", "error"],
        Setting(
            "what to do where the buffer has fewer rows than are to be replayed: repeat (again, once all others were), "
            "report (each at most once a run, and tell how many are missing), error",
            identity=False,
        ),
    ] = "repeat"
    replay_task: Annotated[
        str | None,
        Setting("the group under which the buffer takes the rows of the selection", metavar="NAME", identity=False),
    ] = None
    replay_update: Annotated[
        bool,
        Setting(
            "offer the rows of the selection to the buffer when the run is finished, with their losses in its last "
            "pass",
            flag="--replay-update/--no-replay-update",
            identity=False,
        ),
    ] = True
    replay_logits: Annotated[
        Whole,
        Setting(
            "of each row that comes into the buffer store so many of the tokens that the trained model finds most "
            "likely at each trained token, for --method dark_replay: 6 bytes each and 4, and a forward pass over these "
            "rows after training",
            metavar="K",
            default="none",
            ge=0,
            identity=False,
        ),
    ] = 0

    @model_validator(mode="after")
    def _ratio_of_a_buffer(self) -> Self:
        fields = type(self).model_fields
        said = [name for name in _BESIDE if getattr(self, name) != fields[name].default]
        if self.replay is None and said:
            raise ValueError(f"{said[0]} is for replay: name the folder of a buffer, or leave it out")
        if self.replay_logits and not self.replay_update:
            raise ValueError("replay_logits would do nothing: without replay_update no row comes into the buffer")
        if self.replay is not None:
            from sage_select.replay.ratio import Ratio

            try:
                Ratio.of(self.replay_ratio, self.replay_basis)
            except UsageError as error:
                raise ValueError(f"replay_ratio: {error.message}: expected {error.expected}, got {error.got}") from None
        return self


#: Settings that count beside a buffer alone.
_BESIDE: Final = ("replay_ratio", "replay_basis", "replay_shortfall", "replay_task", "replay_update", "replay_logits")


def refuse_beside_replay(config: Any) -> None:
    """Raise UsageError where a setting does not go together with a replay buffer."""
    if config.replay is None:
        if config.method.replays:
            raise UsageError(
                f"--method {config.method.name} is for rows that are replayed, and none are",
                expected="the folder of a replay buffer: --replay",
            )
        return
    if config.schedule_file is not None:
        raise UsageError(
            "--replay decides what each step consumes, and --schedule-file says it",
            got=str(config.schedule_file),
            hint="leave out one of the two; the schedule.arrow of a run with --replay names rows of its replayed.arrow",
        )
    if config.curriculum != "none":
        raise UsageError(
            f"--replay does not go with --curriculum {config.curriculum}: where rows are replayed is decided before "
            "the first step, and the order of the others is not",
            hint="put the selection in order before: `sage-select build --order`",
        )
