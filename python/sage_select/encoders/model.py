"""Vectors by a sentence-transformers model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Final

import pyarrow as pa

from sage_select.data import Dataset
from sage_select.declare.option import Option
from sage_select.encode import Embeddings, embed_texts
from sage_select.encode.blocks import content_of
from sage_select.encoders.encoder import Encoder, encoder
from sage_select.errors import DataError
from sage_select.paths import user_path
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.model_cost import model_cost
from sage_select.pipeline.run import Run
from sage_select.render.model_files import is_local
from sage_select.values.location import ModelName

__all__ = ["Model", "configured"]

#: Where a folder gives the width of its vectors.
_WIDTHS: Final = (("1_Pooling/config.json", "word_embedding_dimension"), ("config.json", "hidden_size"))


def configured(model: str, keys: Sequence[tuple[str, str]]) -> int:
    """Return the first positive number that files of a model's folder have under keys; 0 where none has."""
    for name, key in keys:
        file = user_path(model) / name
        if not file.is_file():
            continue
        try:
            value = json.loads(file.read_text(encoding="utf-8"))[key]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(value, int) and value > 0:
            return value
    return 0


@encoder("model", place=40, implied_by="model", held=True)
class Model(Encoder):
    """The vectors of a sentence-transformers model; needs the embed extra."""

    model: Annotated[
        ModelName,
        Option("a sentence-transformers model (path or repository); needs the embed extra", flag="--embed-model"),
    ]

    def encode(self, texts: pa.ChunkedArray, run: Run) -> Embeddings:
        """Return the vectors of the model."""
        with run.reporter.progress(f"embedding with {self.model}") as progress:
            blocks = run.blocks(self, lambda start, stop: content_of(texts.slice(start, stop - start)))
            return embed_texts(texts, str(self.model), blocks=blocks, progress=progress)

    def preview(self, data: Dataset, size: Size) -> Size:
        """Return the size; a folder that does not say how wide its vectors are is refused."""
        del data
        self.width(size)
        return size

    def width(self, size: Size) -> int:
        """Return the width that the configuration gives; 0 for a model that is no folder here.

        Raises
        ------
        DataError
            If it gives none.
        """
        del size
        model = str(self.model)
        if not is_local(model):
            return 0
        width = configured(model, _WIDTHS)
        if width:
            return width
        raise DataError(
            "the model's configuration gives no dimensions", where=model, expected="hidden_size in config.json"
        )

    def cost(self, size: Size) -> Cost | None:
        """Return the memory of the weights and of the vectors."""
        values = 4.0 * size.d * size.n
        return model_cost(str(self.model), 2 * values, values)

    def describe(self) -> str:
        """Return the model."""
        return f"model {self.model}"
