"""The report of a selection as a page: the list of its sections."""

from __future__ import annotations

from pathlib import Path

from sage_select.display import displayed
from sage_select.pipeline.run import Reporter
from sage_select.report.blocks import Page
from sage_select.report.selection.asked import asked, fate, origins
from sage_select.report.selection.beside_random import beside_random, verdict_of
from sage_select.report.selection.distributions import distributions
from sage_select.report.selection.duplicates import duplicates
from sage_select.report.selection.examples import examples
from sage_select.report.selection.facts import Facts
from sage_select.report.selection.limits import limits
from sage_select.report.selection.space import space

__all__ = ["selection_page"]


def selection_page(
    facts: Facts, reporter: Reporter, *, embeddings: str | None = None, cache: Path | None = None
) -> Page:
    """Return the page about a selection.

    Parameters
    ----------
    facts
        The selection.
    reporter
        Who is told of progress.
    embeddings, cache
        As of `vectors.pool_vectors`.

    Raises
    ------
    SageError
        As `vectors.pool_vectors` does.
    """
    n, k = facts.read_n, facts.kept
    left = sum(count for _, count in facts.causes())
    headline = [(f"{k:,}", "rows kept"), (f"{n:,}", "rows read"), (f"{k / n:.1%}" if n else "0%", "of the input")]
    copies = sum(count for cause, count in facts.causes() if cause.reason.endswith("copy"))
    headline.append((f"{copies:,}", "copies left out") if copies else (f"{left:,}", "rows left out"))
    return Page(
        title=facts.path.name,
        subtitle=f"A selection from {displayed(facts.manifest['source']['name'])}: what was asked for and "
        "picked, and what it is like.",
        headline=headline,
        verdict=verdict_of(facts),
        sections=[
            asked(facts),
            fate(facts),
            beside_random(facts),
            *space(facts, reporter, embeddings=embeddings, cache=cache),
            distributions(facts),
            duplicates(facts),
            limits(facts),
            examples(facts),
            origins(facts),
        ],
        colophon=[
            "Written by sage-select report from the manifest, the rows and the row report of the selection.",
            "The page asks for nothing, and runs no script.",
            f"Rows: {facts.manifest['output']['digest']}.",
        ],
    )
