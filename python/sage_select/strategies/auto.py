"""Auto: the rule that the scores at hand support."""

from __future__ import annotations

from typing import ClassVar, Final

from sage_select.errors import UsageError
from sage_select.strategies.diversity import Diversity
from sage_select.strategies.hybrid import Hybrid
from sage_select.strategies.strategy import Strategy, strategy

__all__ = ["Auto"]

#: Why there is no score part.
_NO_SCORES: Final = (
    "no scores given: rows are selected by diversity, as scores of the words alone do worse than none; "
    "strategy 'hybrid' uses them all the same"
)


@strategy("auto", place=0, another_order="what it changes in the rule that is chosen")
class Auto(Hybrid):
    """Hybrid where there are scores, diversity where there are none."""

    version: ClassVar[int] = 1

    def resolved(self, *, scored: bool) -> Strategy:
        """Return the rule for what there is.

        Raises
        ------
        UsageError
            If an option is set that this rule does not use.
        """
        given = self._given()
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
        """Return why there is no score part, where there is none."""
        return _NO_SCORES if isinstance(resolved, Diversity) else ""
