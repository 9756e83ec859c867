"""Auto: the rows that represent all others, without those that their scores tell to be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np

from sage_select.columns import Reason
from sage_select.errors import UsageError
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.diversity import Diversity
from sage_select.strategies.hybrid import Hybrid
from sage_select.strategies.objectives.facility import Facility
from sage_select.strategies.objectives.similarities import DENSE_LIMIT
from sage_select.strategies.out_of_line import OutOfLine, out_of_line, out_of_line_cost
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest
from sage_select.strategies.strategy import Need, Strategy, strategy

__all__ = ["Auto"]

#: The objective.
_FACILITY: Final = Facility()
#: Where each pick stands for so many rows, those that are not among as many nearest say little about a row.
_ROWS_A_PICK: Final = _FACILITY.k_nn
#: Of so few rows all pairs are looked at in any case: the nearest are no small part of them.
_FEW: Final = 4000
_NO_SCORES: Final = (
    "no scores given: rows are selected by diversity, those that represent all others; "
    "strategy 'hybrid' would use scores of the words, which serve worse"
)
_OF_WORDS: Final = "scores of the words alone do not tell right rows from wrong ones: rows are selected by diversity"
_IN_LINE: Final = "the scores show no rows that are out of line with those around them: rows are selected by diversity"


@strategy("auto", place=0, another_order="which of nearly equally good rows")
class Auto(Hybrid):
    """The rows that represent all others, those with a score out of line left out.

    Facility location: over all pairs of rows, as `diversity`, and over the 64 nearest neighbours of each row where a
    pick stands for 64 rows or more, of over 4,000, as `diversity` does above 20,000 rows. Where there are scores, rows
    that are far harder than the rows around them are not picked, but are represented like all others: as a rule their
    labels are wrong. How many are left out follows from the scores (`out_of_line`); none are where these tell nothing.
    Another objective, or an option of `hybrid`, chooses `hybrid`, and `diversity` where there are no scores.
    """

    version: ClassVar[int] = 2
    #: Whether there are scores for it; None before that is known.
    scored: ClassVar[bool | None] = None

    def resolved(self, *, scored: bool) -> Strategy:
        """Return the rule for what there is.

        Raises
        ------
        UsageError
            If an option is set that this rule does not use.
        """
        given = self._given()
        if self.scored is not None:
            return self
        if given.keys() <= {"objective", "metric"} and isinstance(self.objective, Facility):
            return _Scored(**given) if scored else _Unscored(**given)
        if scored:
            return Hybrid(**given)
        unused = sorted(name for name in given if name not in Diversity.options())
        if unused:
            raise UsageError(
                f"strategy 'diversity', the default without scores, does not use {', '.join(unused)}",
                hint="name the scores, or choose strategy 'hybrid': without scores it takes those of the words",
            )
        return Diversity(**given)

    def resolved_because(self, resolved: Strategy) -> str:
        """Return why there is no look at scores, where there are none."""
        return _NO_SCORES if isinstance(resolved, Diversity | _Unscored) else ""

    def advice(self, *, of_words: bool) -> str:
        """Return nothing: scores of the words are not used."""
        del of_words
        return ""

    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Pick by facility location, the rows out of line left out."""
        found, candidates, left_out = None, request.candidates(pool.n), np.empty(0, np.int64)
        scored = pool.difficulty is not None and self.scored is not False
        if scored and request.count and not pool.of_words:
            found = out_of_line(pool)
            found = replace(found, rows=found.rows[np.isin(found.rows, candidates)])
            # As far as enough others remain.
            left_out = request.removable(found.rows[: max(0, len(candidates) - request.expected)])
        limit = _dense_limit(pool.n, request.expected + len(request.preselected))
        greedy, facts = _FACILITY.pick(request.excluding(left_out), pool, limit)
        evidence = {"objective": _FACILITY.name, "objective_method": greedy.method, **facts}
        picks = Picks(greedy.indices, greedy.gains, ((Reason.DIVERSITY, len(greedy.indices)),), evidence)
        if found is None:
            return replace(picks, notice=_OF_WORDS) if scored and pool.of_words else picks
        return _told(picks, found, len(left_out), pool.n)

    def cost(self, size: Size) -> Cost | None:
        """Return the cost of the objective, and before it of the look for rows out of line."""
        if not isinstance(self.objective, Facility):
            # What another objective would cost, which chooses another rule.
            return (Diversity if self.scored is False else Hybrid)(**self._given()).cost(size)
        picked = _FACILITY.cost(size, _dense_limit(size.n, size.k + size.preselected))
        return picked if self.scored is False or not size.k else out_of_line_cost(size).then(picked)

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why the smallest budget would not pick the first of these rows, where it would not."""
        return self.not_first_reason(n, 1, facts)

    def not_first_reason(self, n: int, k: int, facts: Mapping[str, Any]) -> str:
        """Return why a budget of `k` would not pick the first of these rows, where it would not."""
        if facts.get("objective_method") != "graph" and k and n > _dense_limit(n, k):
            return "with a budget that small rows are compared with their nearest neighbours alone"
        if facts.get("out_of_line", 0) != facts.get("out_of_line_left_out", 0):
            return "with a smaller budget more rows that are out of line are left out"
        return ""

    def describe(self) -> str:
        """Return the objective, and what becomes of rows whose score is out of line."""
        said = f"facility ({self.metric})"
        return said if self.scored is False else f"{said}, without rows whose score is out of line"


class _Decided(Auto):
    """The rule once it is known whether there are scores."""

    def settings(self) -> dict[str, Any]:
        """Return the settings that count: any other would choose another rule."""
        return {"objective": self.objective.name, "metric": self.metric}


class _Scored(_Decided):
    """The rule where there are scores."""

    scored: ClassVar[bool | None] = True


class _Unscored(_Decided):
    """The rule where there are none."""

    scored: ClassVar[bool | None] = False

    def needs(self) -> frozenset[Need]:
        """Return what every row has to have."""
        return frozenset({"vectors"})


def _dense_limit(n: int, k: int) -> int:
    """Return up to how many rows all pairs are looked at, where `k` of `n` rows are selected."""
    return _FEW if n >= _ROWS_A_PICK * k else DENSE_LIMIT


def _told(picks: Picks, found: OutOfLine, left_out: int, n: int) -> Picks:
    """Return the picks with what was found in the scores."""
    evidence = {
        **picks.evidence,
        "out_of_line_surplus": round(found.surplus, 6),
        "out_of_line": len(found.rows),
        "out_of_line_left_out": left_out,
    }
    notice = _IN_LINE
    if len(found.rows):
        notice = (
            f"{found.surplus:.1%} more rows are far harder than those around them than are far easier, as where labels "
            f"are wrong: the {left_out / n:.0%} hardest for their place are left out, others selected by diversity"
        )
    return replace(picks, evidence=evidence, regions=found.regions, notice=notice)
