"""What a replay buffer is made with, and holds to for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from sage_select.declare.option import Option
from sage_select.declare.settings import Choice, Settings
from sage_select.errors import UsageError
from sage_select.replay.draws import DRAWS, DrawRule
from sage_select.replay.policies import POLICIES, Policy

__all__ = ["CAPACITY", "BufferSettings"]

#: Rows of a buffer where nobody says how many, as SAGE has it.
CAPACITY: Final = 2048
_MOST: Final = 2**31 - 1


class BufferSettings(Settings):
    """What a replay buffer is made with.

    Attributes
    ----------
    policy, draw
        Which rows stay, and which are drawn.
    capacity
        How many rows there may be.
    seed
        All draws and hashes depend on it.
    id_column
        The column whose values name rows.
    """

    policy: Annotated[Policy, Choice(POLICIES, "reservoir", "which rows stay")]
    draw: Annotated[DrawRule, Choice(DRAWS, "uniform", "which rows are drawn")]
    capacity: Annotated[int, Option("rows there may be", ge=1, le=_MOST)] = CAPACITY
    seed: Annotated[int, Option("what all draws and hashes depend on", ge=0, le=2**63 - 1)] = 0
    id_column: Annotated[str, Option("the column whose values name rows", metavar="COLUMN")] = "sage_row_id"

    def refuse_other(self, given: Mapping[str, Any], where: str) -> None:
        """Refuse settings that are given and not those that the buffer was made with.

        Raises
        ------
        UsageError
            As said, with the first that differs.
        """
        own = self.settings()
        asked = {name: value for name, value in given.items() if value is not None}
        for name in ("policy", "draw"):
            if asked.get(name, own[name]) != own[name]:
                raise _other(name, own[name], asked[name], where)
        other = type(self).make(**{**own, **asked}).settings()
        for name, value in other.items():
            if own.get(name) != value:
                raise _other(name, own.get(name), value, where)


def _other(name: str, own: Any, asked: Any, where: str) -> UsageError:
    return UsageError(
        f"the replay buffer was made with another {name}",
        where=where,
        expected=f"{own}, or nothing said",
        got=str(asked)[:80],
        hint="resize() changes the capacity; all else is settled for good" if name == "capacity" else None,
    )
