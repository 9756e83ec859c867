"""Vectors from a sentence-transformers model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sage_select.cache import Blocks, Computed, compute_blocks, spans
from sage_select.encode.blocks import FACTS, gathered
from sage_select.encode.embeddings import Embeddings
from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.io.guards.panics import panics_refused
from sage_select.paths import user_path
from sage_select.render.extras import release_series, require
from sage_select.render.model_files import is_local, loaded, model_content, model_revision, resolved_name
from sage_select.render.quiet import quiet_libraries
from sage_select.render.weight_files import check_encoder_folder

__all__ = ["embed_texts"]

_EXTRA: Final = "embed"
#: Texts encoded at a time, and held as vectors by a cache; the encoder sorts these by length and pads batches of them.
_BLOCK_TEXTS: Final = 4096


def embed_texts(
    texts: pa.Array | pa.ChunkedArray,
    model: str,
    *,
    device: str | None = None,
    batch_size: int = 32,
    blocks: Blocks = compute_blocks,
    progress: Callable[[int, int], None] | None = None,
) -> Embeddings:
    """Return the normalised vector of each text under a sentence-transformers model.

    A plain transformers model is taken too: its token vectors are averaged. Texts are batched by length; a batch
    that does not fit into the memory of a GPU is halved.

    Parameters
    ----------
    texts
        Strings, as `sage_select.render.plain_texts` gives them.
    model
        A folder or a repository; loaded when the first vector is computed.
    device
        A torch device; by default `cuda` where there is one, else `cpu`.
    batch_size
        Texts in a batch.
    blocks
        Gives the vectors of blocks of 4096 texts that are held, and has the others computed.
    progress
        Called with (texts done, texts) after every block.

    Raises
    ------
    UsageError
        `model` is no model.
    DataError
        Its files are damaged.
    ResourceError
        The extra is missing, or one text alone does not fit into memory.
    """
    encoder = _TextEncoder(model, device, batch_size)
    tables = blocks(
        encoder.identity,
        spans(len(texts), _BLOCK_TEXTS),
        lambda start, stop: Computed(encoder.of(texts.slice(start, stop - start))),
    )
    array, facts = gathered(tables, len(texts), progress)
    if array is None:
        array = np.empty((0, encoder.dimensions), np.float32)
    return Embeddings(
        array, model, empty_rows=facts.empty, cut_rows=facts.cut, revision=model_revision(model), notices=facts.notices
    )


class _TextEncoder:
    """The vectors of texts under a model that is loaded when it is first needed."""

    def __init__(self, model: str, device: str | None, batch_size: int) -> None:
        self._model, self._device, self._batch_size = model, device, batch_size
        self._first_batch_size = batch_size

    def identity(self) -> Mapping[str, Any] | None:
        """Return all that the vectors depend on beside the texts; None where the model's content is not known."""
        content = model_content(self._model)
        device = self._device or ("cuda" if require("torch", _EXTRA).cuda.is_available() else "cpu")
        if content is None:
            return None
        return {
            "label": self._model,
            "model": content,
            "device": device.partition(":")[0],
            "batch_size": self._first_batch_size,
            "block_texts": _BLOCK_TEXTS,
            "libraries": release_series("torch", "transformers", "sentence-transformers"),
        }

    @property
    def dimensions(self) -> int:
        """The width of the vectors."""
        return int(self._loaded[0].get_embedding_dimension())

    @cached_property
    def _loaded(self) -> tuple[Any, list[str]]:
        return _load(self._model, self._device)

    def of(self, texts: pa.Array | pa.ChunkedArray) -> pa.Table:
        """Return the vectors of some texts, and how many have no words, or are longer than the model reads."""

        def gave_up(said: str) -> DataError:
            return DataError("the model's tokenizer gave up", where=self._model, got=said)

        encoder, notices = self._loaded
        array = np.zeros((len(texts), self.dimensions), np.float32)
        window = texts.to_pylist()
        worded = [index for index, text in enumerate(window) if text and not text.isspace()]
        cut = 0
        if worded:
            spoken = [window[index] for index in worded]
            with panics_refused(gave_up):
                cut = _too_long(encoder, spoken)
            with panics_refused(gave_up, silently=False):  # which may take minutes, with a bar that moves
                vectors, self._batch_size = _encoded(encoder, spoken, self._batch_size)
            array[worded] = vectors
        blank = np.setdiff1d(np.arange(len(window)), worded)
        array[blank, 0] = 1
        column = pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), self.dimensions)
        facts = {"empty": len(blank), "cut": cut, "notices": notices}
        return pa.table({"vector": column}).replace_schema_metadata({FACTS: json.dumps(facts)})


def _load(model: str, device: str | None) -> tuple[Any, list[str]]:
    local = is_local(model)  # a name that is none is refused before what takes half a minute to load
    require("torch", _EXTRA)
    require("transformers", _EXTRA)
    with quiet_libraries():
        sentence_transformers = require("sentence_transformers", _EXTRA)
    notices = []
    if local:
        folder = user_path(model)
        if not (folder / "modules.json").is_file():
            if not (folder / "config.json").is_file():
                raise UsageError(
                    "the folder holds no model",
                    where=model,
                    expected="a folder with modules.json or config.json, or the name of a model repository",
                )
            notices.append(f"{model} is no sentence-transformers model: its token vectors are averaged")
        check_encoder_folder(folder, model)
    encoder = loaded(
        model,
        lambda: sentence_transformers.SentenceTransformer(
            resolved_name(model), device=device, trust_remote_code=False, model_kwargs={"use_safetensors": True}
        ),
        "model",
    )
    return encoder, notices


def _encoded(encoder: Any, texts: list[str], batch_size: int) -> tuple[NDArray[np.float32], int]:
    """Return the vectors and the batch size that memory allowed."""
    torch = require("torch", _EXTRA)
    while True:
        try:
            vectors = encoder.encode(
                texts,
                batch_size=batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                normalize_embeddings=True,
            )
        except torch.OutOfMemoryError:
            if batch_size == 1:
                raise ResourceError("one text does not fit into memory", hint="name cpu as the device") from None
            batch_size //= 2
            torch.cuda.empty_cache()
        else:
            return vectors.astype(np.float32, copy=False), batch_size


def _too_long(encoder: Any, texts: list[str]) -> int:
    """Return how many texts are longer than the encoder reads."""
    most = encoder.max_seq_length
    if not most or most == float("inf"):
        return 0
    # A token covers at least one byte, and a handful are added; only longer texts need to be counted in tokens.
    long = [text for text in texts if len(text.encode()) + 8 > most]
    if not long:
        return 0
    counted = encoder.tokenizer(long, add_special_tokens=True, truncation=False, verbose=False)["input_ids"]
    return sum(len(ids) > most for ids in counted)
