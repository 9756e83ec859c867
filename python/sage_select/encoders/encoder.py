"""What an encoder is."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.data import Dataset
from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.encode import Embeddings
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.render import JoinedExamples

__all__ = ["ENCODERS", "Encoder", "check_embeddings", "check_vectors", "encoder"]

_NO_VECTORS: Final = "did not give one vector a row"


class Encoder(Settings):
    """A rule that gives each row a vector: one of texts has `encode`, one of vectors that are there has `vectors`.

    Attributes
    ----------
    given
        Whether the vectors are there already, one for each row of the input.
    made_of_words
        Whether no other encoder makes such vectors, so that vectors of queries can only be made together with them.
    implied_by
        The option that chooses this encoder where none is named.
    takes
        What it is shown: `texts`, `rows` as they are trained, or either. Of what is `given` it says nothing.
    """

    given: ClassVar[bool] = False
    made_of_words: ClassVar[bool] = False
    takes: ClassVar[frozenset[str]] = frozenset({"texts"})

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return what is wrong with the declaration of an encoder, and what is expected."""
        if cls.given and cls.vectors is Encoder.vectors:
            return "has no method 'vectors'", "def vectors(self, data, run), as given=True says that they are there"
        if not cls.takes or cls.takes - {"texts", "rows"}:
            return f"takes {', '.join(sorted(cls.takes)) or 'nothing'}", "takes={'texts'}, {'rows'}, or both"
        if not cls.given and "rows" in cls.takes and cls.encode_rows is Encoder.encode_rows:
            return "has no method 'encode_rows'", "def encode_rows(self, rows, run), which returns Embeddings"
        if not cls.given and "texts" in cls.takes and cls.encode is Encoder.encode:
            return "has no method 'encode'", "def encode(self, texts, run), which returns Embeddings"
        return None

    def encode(self, texts: pa.ChunkedArray, run: Run) -> Embeddings:
        """Return one vector a text, float32 (n, d) of length 1: those of the rows, and after them those of queries."""
        raise NotImplementedError(f"{self.label} makes no vectors of texts")

    def encode_rows(self, rows: JoinedExamples, run: Run) -> Embeddings:
        """Return one vector a row as it is trained, as `encode` does of texts."""
        raise NotImplementedError(f"{self.label} makes no vectors of rows")

    def vectors(self, data: Dataset, run: Run) -> Any:
        """Return one vector for each row that is in: a numpy array (n, d) or an Arrow array of lists."""
        raise NotImplementedError(f"{self.label} has no vectors of its own")

    def vectors_of_queries(self, queries: io.Rows) -> Any:
        """Return the vectors of queries that are rows like those of the input."""
        raise NotImplementedError(f"{self.label} has no vectors of queries")

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size of the input with what is known of it here, as `Stage.preview` does."""
        del data
        return size

    def width(self, size: Size) -> int:
        """Return the width of the vectors; 0 where it is not known."""
        del size
        return 0

    def cost(self, size: Size) -> Cost | None:
        """Return what vectors of `size.d` numbers take until they are held as they are compared; None if not known."""
        del size
        return None


#: All encoders, by name.
ENCODERS: Registry[Encoder] = Registry("encoder", "sage_select.encoders", Encoder)
encoder = ENCODERS.register


def check_embeddings(encoded: Any, encoder: Encoder, n: int) -> None:
    """Refuse what an encoder returned, where it is not one vector for each of `n` texts.

    That no number is NaN or infinite, and no vector without a direction, is checked where vectors are compared.

    Raises
    ------
    ResourceError
        As said: a fault of the encoder.
    """
    if not isinstance(encoded, Embeddings):
        raise fault(encoder, _NO_VECTORS, expected="Embeddings(array, name=...)", got=type(encoded).__name__)
    check_vectors(encoded.array, encoder, n)


def check_vectors(vectors: Any, encoder: Encoder, n: int) -> None:
    """Refuse vectors that are not one for each of `n` rows, float16, 32 or 64, or an Arrow array of lists.

    Raises
    ------
    ResourceError
        As said: a fault of the encoder.
    """
    if isinstance(vectors, pa.Array | pa.ChunkedArray):
        if len(vectors) != n:
            raise fault(encoder, _NO_VECTORS, expected=f"{n:,} lists", got=f"{len(vectors):,}")
        return
    shape, kind = getattr(vectors, "shape", None), getattr(vectors, "dtype", type(vectors).__name__)
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or len(vectors) != n or vectors.dtype.kind != "f":
        raise fault(encoder, _NO_VECTORS, expected=f"a float32 array of shape ({n}, d)", got=f"{kind} of shape {shape}")
