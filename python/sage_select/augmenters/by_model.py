"""Texts in the words of a model, and what users should know of that."""

from __future__ import annotations

from collections.abc import Sequence

from sage_select.augmenters.augmenter import Draft
from sage_select.pipeline.run import Run
from sage_select.rewriting.writer import Asked, Writer
from sage_select.seeds import Draws

__all__ = ["rewritten"]


def rewritten(
    drafts: Sequence[Draft],
    texts: Sequence[Sequence[str]],
    model: str,
    prompt: str,
    temperature: float,
    fact: str,
    run: Run,
) -> list[list[str]]:
    """Return texts as a model writes them after a prompt; those without letters as they are.

    Parameters
    ----------
    drafts
        Whose texts they are: their draws are theirs.
    texts
        The texts of each.
    model, prompt, temperature
        As of `rewriting.writer.Writer`.
    fact
        What the manifest calls what pins the model.
    run
        The run.
    """
    writer = Writer(model, prompt=prompt, temperature=temperature)
    made = [list(own) for own in texts]
    places = [
        (row, place) for row, own in enumerate(made) for place, text in enumerate(own) if any(map(str.isalpha, text))
    ]
    asked = [
        Asked(made[row][place], Draws(drafts[row].key, f"{drafts[row].name} {fact} {place}").word() >> 1)
        for row, place in places
    ]
    with run.reporter.progress(f"writing with {model}") as progress:
        written = writer.write(asked, progress)
    for (row, place), text in zip(places, written.texts, strict=True):
        made[row][place] = text
    run.tell(**{fact: writer.facts})
    if written.too_long:
        run.reporter.notice(
            f"{written.too_long:,} of {len(asked):,} texts are longer than {model} reads, and stay as they are"
        )
    if written.endless:
        run.reporter.notice(
            f"{model} came to no end with {written.endless:,} of {len(asked):,} texts, and these stay as they are"
        )
    return made
