"""Vectors from the words alone."""

from __future__ import annotations

from typing import Annotated, Final

import pyarrow as pa

from sage_select.declare.option import Option
from sage_select.encode import Embeddings, hash_texts
from sage_select.encoders.encoder import Encoder, encoder
from sage_select.kernels import HASHING_TABLE_BYTES, HASHING_TABLES, NGRAMS_BYTES
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run

__all__ = ["Hashing"]

#: What the distinct n-grams of a text take, 4 bytes each and 8 for those of 256 texts, for each byte of its words.
_NGRAM_BYTES: Final = 3.5


@encoder("hashing", place=10, made_of_words=True)
class Hashing(Encoder):
    """Word and character n-grams, hashed: no model, no download."""

    dimensions: Annotated[int, Option("width of the hashing encoder's vectors", ge=8, le=65_536)] = 384

    def encode(self, texts: pa.ChunkedArray, run: Run) -> Embeddings:
        """Return TF-IDF vectors; the weights of words come from all texts."""
        with run.reporter.progress("embedding") as progress:
            return hash_texts(texts, dimensions=self.dimensions, threads=run.threads, progress=progress)

    def width(self, size: Size) -> int:
        """Return the width."""
        del size
        return self.dimensions

    def cost(self, size: Size) -> Cost:
        """Return the cost of n-grams and their counts, and of vectors that are copied when checked."""
        values, words = 4.0 * size.d * size.n, size.word_bytes * size.n
        ngrams = min(NGRAMS_BYTES, _NGRAM_BYTES * words)
        # Every run of letters is hashed twice: to be counted, and to be added.
        seconds = size.seconds(text=8 * words / size.threads, copied=2 * values)
        slots = HASHING_TABLE_BYTES * min(size.threads, HASHING_TABLES)
        return Cost(16.0 * size.n + slots + values + max(values, ngrams), seconds, values)

    def describe(self) -> str:
        """Return the rule."""
        return f"hashing encoder: word and character n-grams, TF-IDF, {self.dimensions} dimensions"
