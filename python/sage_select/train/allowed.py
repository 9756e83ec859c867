"""Which parts of a run may be others when it goes on, and which cannot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sage_select.errors import OutputError, UsageError, nearest
from sage_select.train.fingerprint import EVALUATED, REPLAY, ROWS, SCHEDULE, TEMPLATE, TOKENIZER, TOKENS
from sage_select.train.ledger import Step
from sage_select.train.schedule import Schedule

__all__ = ["Change", "allowed_changes", "refuse_other_steps"]

#: What `--allow-change` calls the parts that are no settings.
_NAMES: Final[Mapping[str, str]] = {
    ROWS: "rows",
    TOKENS: "tokens",
    SCHEDULE: "schedule",
    TEMPLATE: "template",
    EVALUATED: "evaluated_rows",
    REPLAY: "replay",
}
#: What follows from other parts, so that it may change with any of them.
_FOLLOWS: Final[Mapping[str, tuple[str, ...]]] = {
    TOKENS: (ROWS, TOKENIZER, TEMPLATE),
    SCHEDULE: (ROWS, "epochs", "max_steps", "batch_size", "gradient_accumulation"),
}
#: Settings whose product is the examples of a step.
_OF_A_STEP: Final = ("batch_size", "gradient_accumulation")
_SHAPE: Final = "the adapter is there already, and is of another shape or beginning"
_OTHERS: Final = "the evaluations that were made are of other rows or steps"
#: What cannot be changed -> why.
_FIXED: Final[Mapping[str, str]] = {
    "recipe": "the run was begun by a version that trains other weights by the same settings",
    **dict.fromkeys(
        ("adapter", "lora_r", "lora_target", "use_rslora", "lora_alpha", "init_lora_weights", "from_adapter"), _SHAPE
    ),
    **dict.fromkeys(("optimizer", "loraplus_ratio"), "the state of the optimizer is that of another"),
    **dict.fromkeys((EVALUATED, "eval_split", "eval_steps"), _OTHERS),
    **dict.fromkeys((REPLAY, "replay_ratio"), "what is replayed is settled when a run begins"),
    "curriculum": "the steps that were taken are of another order",
    "rounds": "rounds were decided of other sizes",
    "model": "what was trained so far is for another base model",
    "seed": "random numbers go on from those of the checkpoint, so that it would change nothing",
}
#: What decides only which weights are left, and when to stop: it may change after the last step, too.
_AFTERWARDS: Final = frozenset({"final_weights", "early_stopping"})
_ANEW: Final = "train on from its adapter in a run of its own: --from-adapter OUTPUT-DIR and another --output-dir"


@dataclass(frozen=True)
class Change:
    """A part of a run that is another from some step on."""

    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.before} before, {self.now} now"

    def as_dict(self, step: int) -> dict[str, Any]:
        """Return plain values for JSON, with the last step before the change."""
        return {"after_step": step, **asdict(self)}

    @property
    def affects_steps(self) -> bool:
        """Whether steps are taken otherwise."""
        return self.name not in _AFTERWARDS


def allowed_changes(
    before: Mapping[str, Any], now: Mapping[str, Any], allowed: Sequence[str], *, where: str
) -> list[Change]:
    """Return the parts in which a run differs from the one that it goes on from, all of them allowed.

    Parameters
    ----------
    before, now
        What both are known by.
    allowed
        Names of settings or parts, or `all`.
    where
        The folder, for messages.

    Raises
    ------
    UsageError
        If there is no part of such a name.
    OutputError
        If a part that is not allowed is another, or one that cannot be changed.
    """
    names = {name: _NAMES.get(name, name) for name in sorted({*before, *now})}
    for one in allowed:
        if one != "all" and one not in names.values():
            raise UsageError(
                f"a run has no part {one!r}",
                where="--allow-change",
                expected="settings, " + ", ".join([*_NAMES.values(), TOKENIZER, "or all"]),
                hint=nearest(one, names.values()),
            )
    found = [
        Change(names[part], before.get(part), now.get(part)) for part in names if before.get(part) != now.get(part)
    ]
    differing = {change.name for change in found}
    fixed = [f"{one} ({why})" for one in found if (why := _why_fixed(one, before, now, differing)) is not None]
    if fixed:
        raise OutputError("the run cannot go on with these changes", where=where, got="; ".join(fixed), hint=_ANEW)
    free = set(names.values()) if "all" in allowed else set(allowed)
    for part, causes in _FOLLOWS.items():
        if differing & free & {names.get(cause, cause) for cause in causes}:
            free.add(_NAMES[part])
    if refused := [one for one in found if one.name not in free]:
        raise OutputError(
            "the folder holds another run",
            where=where,
            got="; ".join(map(str, refused)),
            hint=f"allow it with --allow-change {','.join(one.name for one in refused)}, name another folder with "
            "--output-dir, or replace the run there with --force",
        )
    return found


def refuse_other_steps(taken: Iterable[Step], schedule: Schedule, row_ids: Sequence[str], *, where: str) -> None:
    """Refuse a schedule whose first steps are not those that were taken.

    Parameters
    ----------
    taken
        The steps taken.
    row_ids
        Id of each example, by its place.

    Raises
    ------
    OutputError
        Naming the first step that is another.
    """
    planned = iter(schedule)
    for step in taken:
        rows = [row_ids[place] for place in next(planned, [])]
        if rows != step.rows:
            raise OutputError(
                f"the run cannot go on with these changes: step {step.step} would have consumed other rows than it did",
                where=where,
                expected=_few(step.rows),
                got=_few(rows) if rows else "no such step",
                hint=_ANEW,
            )


def _why_fixed(change: Change, before: Mapping[str, Any], now: Mapping[str, Any], differing: set[str]) -> str | None:
    name = next((part for part, named in _NAMES.items() if named == change.name), change.name)
    if name == "final_weights" and change.now == "best":
        return "checkpoints of better weights may be gone"
    if (
        name == SCHEDULE
        and now.get(EVALUATED) is not None
        and now.get("eval_steps") is None
        and not differing & {"evaluated_rows"}
    ):
        return "evaluations would have been after other steps: --eval-steps says which"
    if now.get("curriculum") not in (None, "none"):
        if name == ROWS:
            return "rounds were decided among the rows that there were"
        if name in _OF_A_STEP and _per_step(before) != _per_step(now):
            return "the steps of rounds would have been of other sizes"
    return _FIXED.get(name)


def _per_step(settings: Mapping[str, Any]) -> int:
    """Return how many examples a step has."""
    return math.prod(int(settings[name]) for name in _OF_A_STEP)


def _few(rows: Sequence[str]) -> str:
    return ", ".join(rows[:5]) + (f", and {len(rows) - 5:,} more" if len(rows) > 5 else "")
