"""The labelled sets: texts with their MiniLM vectors, divided into rows to choose from and rows to test on."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benches.data import ROOT

__all__ = ["SETS", "MissingDataError", "Split", "Task", "file_of", "unit"]

Split = Literal["test", "validation"]

#: One row in so many is held out where a set is cut by hash.
_ONE_IN = 5


class MissingDataError(Exception):
    """A file that the benchmark needs is not there."""


class Task(NamedTuple):
    """Rows to choose from, and rows to test on; labels are whole numbers from 0."""

    texts: NDArray[np.object_]
    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    test_vectors: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: int

    def held_out(self, name: str) -> Task:
        """Return the same with a fifth of the rows held out, by a keyed hash, in place of the test rows."""
        out = held_out(self.texts, name)
        return Task(
            self.texts[~out],
            self.vectors[~out],
            self.labels[~out],
            self.vectors[out],
            self.labels[out],
            self.classes,
        )


def held_out(texts: NDArray[np.object_], key: str) -> NDArray[np.bool_]:
    """Return which rows a keyed hash of their text holds out: equal texts are on one side."""
    digests = (hashlib.blake2b(text.encode(), digest_size=8, key=key.encode()).digest() for text in texts)
    return np.array([int.from_bytes(digest, "little") % _ONE_IN == 0 for digest in digests])


@functools.cache
def clinc150(split: Split) -> Task:
    """Return CLINC150: 15,000 rows of 150 intents, 100 each.

    Its own validation rows come without vectors: those that `SAGE_VALIDATION_VECTORS` names are used, else validation
    rows are cut from the others.
    """
    rows = _clinc150("train")
    if split == "test":
        return rows
    own = os.environ.get("SAGE_VALIDATION_VECTORS")
    if not own:
        return rows.held_out("clinc150")
    names = np.unique(_table("clinc150/train.parquet")["intent"].to_numpy())
    labels = np.searchsorted(names, _table("clinc150/validation.parquet")["intent"].to_numpy())
    return rows._replace(test_vectors=unit(np.load(own)), test_labels=labels)


@functools.cache
def imbalanced(split: Split) -> Task:
    """Return CLINC150 imbalanced: 10,525 of its rows, 25 to 100 an intent."""
    rows = _clinc150("train_imbalanced")
    return rows if split == "test" else rows.held_out("clinc150 imbalanced")


@functools.cache
def metatool(split: Split) -> Task:
    """Return MetaTool: 16,586 queries for 199 tools, 10 to 887 a tool."""
    table = pl.read_csv(file_of("metatool/queries.csv"))
    labels = np.unique(table["Tool"].to_numpy(), return_inverse=True)[1]
    texts = table["Query"].to_numpy()
    vectors = _vectors("metatool/queries.minilm.npy")
    nothing = slice(0, 0)
    rows = Task(texts, vectors, labels, vectors[nothing], labels[nothing], int(labels.max()) + 1).held_out("metatool")
    return rows if split == "test" else rows.held_out("metatool validation")


SETS: dict[str, Callable[[Split], Task]] = {
    "CLINC150": clinc150,
    "CLINC150 imbalanced": imbalanced,
    "MetaTool": metatool,
}


def _clinc150(name: str) -> Task:
    """Return rows of CLINC150 with its test rows; the imbalanced ones are a part of all, and so are their vectors."""
    every, some, test = (_table(f"clinc150/{part}.parquet") for part in ("train", name, "test"))
    row_of = {text: row for row, text in enumerate(every["text"])}
    vectors = _vectors("clinc150/train.minilm.npy")[[row_of[text] for text in some["text"]]]
    names = np.unique(every["intent"].to_numpy())
    labels, test_labels = (np.searchsorted(names, part["intent"].to_numpy()) for part in (some, test))
    return Task(some["text"].to_numpy(), vectors, labels, _vectors("clinc150/test.minilm.npy"), test_labels, len(names))


def file_of(name: str) -> Path:
    """Return a file of the data folder."""
    folder = Path(os.environ.get("SAGE_DATA") or ROOT.parent / "shared" / "data")
    if not (folder / name).is_file():
        raise MissingDataError(f"{name} is missing (SAGE_DATA names the data folder)")
    return folder / name


def _table(name: str) -> pl.DataFrame:
    return pl.read_parquet(file_of(name))


def _vectors(name: str) -> NDArray[np.float32]:
    return unit(np.load(file_of(name)))


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return vectors at length 1."""
    rows = vectors.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
