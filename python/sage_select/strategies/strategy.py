"""What a strategy is: its options, what it needs, and the rows that it picks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from sage_select.declare.option import Option
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.pipeline.cost import Cost, Size
from sage_select.strategies.picks import Picks
from sage_select.strategies.pool import Pool
from sage_select.strategies.request import SelectionRequest

__all__ = ["METRIC_HELP", "STRATEGIES", "Metric", "Need", "Strategy", "strategy"]

#: What rows may have to have for a member of a registry: a number, a vector, or what a model predicts of each.
Need = Literal["scores", "vectors", "predictions"]

METRIC_HELP = "how vectors are compared: cosine, dot or sqeuclidean"
#: A metric, as an option.
Metric = Annotated[Literal["cosine", "dot", "sqeuclidean"], Option(METRIC_HELP)]


class Strategy(Settings):
    """A rule that picks rows.

    Attributes
    ----------
    needs_always
        What every row has to have. A rule whose options decide overrides `needs`.
    nested
        Whether the picks of a smaller budget are the first picks of a larger one, so that `top` can serve it. A rule
        whose options decide overrides `not_nested_reason`.
    another_order
        What another order of the same rows, where these have ids, may change: which rows are picked of those that it
        names.
    evidence_of_picks
        Which of its evidence tells of the rows picked, and not of those there were to pick from: it is not that of a
        smaller budget, so that `top` leaves it out.
    after_preselected
        Whether it picks rows unlike those that are labelled already, or selected before: they are among the rows of the
        pool then, preselected, those that are no rows of the input behind all others.
    """

    needs_always: ClassVar[frozenset[Need]] = frozenset()
    nested: ClassVar[bool] = False
    another_order: ClassVar[str] = "not known"
    evidence_of_picks: ClassVar[frozenset[str]] = frozenset()
    after_preselected: ClassVar[bool] = False

    @abstractmethod
    def pick(self, request: SelectionRequest, pool: Pool) -> Picks:
        """Return the requested picks, in order, none of them preselected or excluded.

        Parameters
        ----------
        request
            How many rows, after which, without which, and within which limits.
        pool
            The rows, with what `needs` names.
        """

    def needs(self) -> frozenset[Need]:
        """Return what every row has to have."""
        return self.needs_always

    def cost(self, size: Size) -> Cost | None:
        """Return what `size.k` picks take, beside the rows and what is known of them; None where that is not known."""
        del size
        return None

    def resolved(self, *, scored: bool) -> Strategy:
        """Return the rule that this one stands for, once it is known whether there are scores.

        Raises
        ------
        UsageError
            If an option is set that this rule does not use, or something is missing.
        """
        del scored
        return self

    def resolved_because(self, resolved: Strategy) -> str:
        """Return why this rule became `resolved`, where that needs saying."""
        del resolved
        return ""

    def advice(self, *, of_words: bool) -> str:
        """Return what users should know before rows are picked, in a line; empty where there is nothing.

        Parameters
        ----------
        of_words
            Whether the scores that it uses are those of the words alone.
        """
        del of_words
        return ""

    @property
    def of_written(self) -> bool:
        """Whether the predictions that it needs are of what a model writes, and not of classes."""
        return False

    @property
    def checks_scores(self) -> bool:
        """Whether it hands every score to a kernel that refuses what is not finite."""
        return False

    def in_positions(self, position: Callable[[int, str], int]) -> Strategy:
        """Return the rule with options that name rows of the input naming places among the rows to choose from.

        Parameters
        ----------
        position
            Function from a row of the input, and what messages call it, to its place.
        """
        del position
        return self

    def not_nested_reason(self, n: int, facts: Mapping[str, Any]) -> str:
        """Return why a smaller budget would not pick the first of these rows; empty where it would.

        Parameters
        ----------
        n
            Rows that were chosen from.
        facts
            The evidence of the selection (`Picks.evidence`).
        """
        del n, facts
        return "" if self.nested else f"{self.name} promises nothing about smaller budgets"

    def not_first_reason(self, n: int, k: int, facts: Mapping[str, Any]) -> str:
        """Return why a budget of `k` would not pick the first of these rows; empty where it would.

        Parameters
        ----------
        n, facts
            As of `not_nested_reason`.
        k
            The smaller budget.
        """
        del k
        return self.not_nested_reason(n, facts)


#: All strategies, by name.
STRATEGIES: Registry[Strategy] = Registry("strategy", "sage_select.strategies", Strategy)
strategy = STRATEGIES.register
