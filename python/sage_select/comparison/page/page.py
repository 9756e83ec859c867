"""The page of a comparison: the list of its sections."""

from __future__ import annotations

from sage_select.comparison.page.costs import costs
from sage_select.comparison.page.curves import curves
from sage_select.comparison.page.differences import against, differences
from sage_select.comparison.page.metrics import arms, failures, metrics
from sage_select.comparison.page.verdicts import compared, verdict_of, verdicts
from sage_select.comparison.result import Comparison
from sage_select.report.blocks import Page

__all__ = ["comparison_page"]


def comparison_page(found: Comparison) -> Page:
    """Return the page about a comparison; what it shows of steps and of rows left out is read from its folder.

    Parameters
    ----------
    found
        The comparison.
    """
    first = found.judgements[0].metric
    seeds = len(found.seeds)
    return Page(
        title="Comparison of methods",
        subtitle="Each trained on as many tokens, its own adapter evaluated on the same rows, beside its control.",
        headline=[
            (f"{len(found.arms)}", "arms"),
            (f"{found.tokens:,}", "tokens for each"),
            (f"{seeds}", "seed" if seeds == 1 else "seeds"),
            (f"{found.rows:,}", "rows evaluated on"),
        ],
        verdict=verdict_of(found),
        sections=[
            verdicts(found),
            compared(found),
            differences(found),
            against(found),
            curves(found),
            costs(found),
            metrics(found),
            *failures(found),
            arms(found),
        ],
        colophon=[
            f"Written by sage-train compare; verdicts are by {first.name}.",
            "comparison.json and comparison.arrow beside this page hold every figure.",
            "The page asks for nothing, and runs no script.",
        ],
    )
