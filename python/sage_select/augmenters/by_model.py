"""Texts in the words of a model, and what users should know of that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final

import pyarrow as pa

from sage_select.augmenters.augmenter import Augmenter, Draft
from sage_select.cache import Computed, key_of, spans
from sage_select.declare.option import Option
from sage_select.pipeline.run import Run
from sage_select.rewriting.writer import Asked, Writer
from sage_select.seeds import Draws

__all__ = ["Temperature", "rewritten"]

#: How freely a model writes.
Temperature = Annotated[
    float,
    Option(
        "0 for its likeliest words; above it they are drawn, each row by its id",
        ge=0,
        le=5,
        flag="--augment-temperature",
    ),
]

#: Texts that are written, and held by a cache, at a time.
_BLOCK_TEXTS: Final = 256
#: Under which key of the metadata it stands how many texts stay as they are.
_COUNTS: Final = b"counts"


def rewritten(
    augmenter: Augmenter,
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
    augmenter
        Who has them written: what a model wrote is held for it.
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
    asked = [
        (Asked(text, Draws(drafts[row].key, f"{drafts[row].name} {fact} {place}").word() >> 1), row, place)
        for row, own in enumerate(made)
        for place, text in enumerate(own)
        if any(map(str.isalpha, text))
    ]
    # Which texts are written in one block does not depend on the order of the rows.
    asked.sort(key=lambda one: (one[0].seed, one[0].text, one[1:]))
    blocks = run.blocks(augmenter, lambda start, stop: key_of([one for one, *_ in asked[start:stop]]))
    written: list[str] = []
    too_long = endless = 0
    with run.reporter.progress(f"writing with {model}") as progress:

        def compute(start: int, stop: int) -> Computed:
            found = writer.write([one for one, *_ in asked[start:stop]], lambda done, _: progress(start + done, n))
            counts = {"too_long": found.too_long, "endless": found.endless}
            return Computed(pa.table({"text": found.texts}).replace_schema_metadata({_COUNTS: json.dumps(counts)}))

        n = len(asked)
        for table in blocks(writer.identity, spans(n, _BLOCK_TEXTS), compute):
            counts = json.loads(table.schema.metadata[_COUNTS])
            too_long, endless = too_long + counts["too_long"], endless + counts["endless"]
            written += table["text"].to_pylist()
            progress(len(written), n)
    for (_, row, place), text in zip(asked, written, strict=True):
        made[row][place] = text
    run.tell(**{fact: writer.facts})
    if too_long:
        run.reporter.notice(f"{too_long:,} of {n:,} texts are longer than {model} reads, and stay as they are")
    if endless:
        run.reporter.notice(f"{model} came to no end with {endless:,} of {n:,} texts, and these stay as they are")
    return made
