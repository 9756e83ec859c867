"""What a teacher said, as `sage-train teacher-logits` stores it: the most likely tokens, and how likely all others are.

The file is a stream of Arrow with a row for each training example: `row_id` and `example` (which of the examples of
that row), `tokens` (the digest of its tokens and labels), and, one after the other for its n trained tokens, `ids`
(int32, n x k, the most likely first), `log_probs` (float16, n x k, at temperature 1) and `tails` (float32,
n x temperatures: the probability of all other tokens).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError, UsageError
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path
from sage_select.train.distilling.examples import TokenisedExample, examples_of
from sage_select.train.distilling.vocabulary import vocabulary_digest

if TYPE_CHECKING:
    from sage_select.train.methods import Material
    from sage_select.train.methods.distillation import Distillation

__all__ = ["StoredPlan", "StoredRows", "bytes_per_token", "check_stored", "open_rows", "schema_of"]

_MARK: Final = b"sage_teacher_logits"
_VERSION: Final = 1
_COLUMNS: Final = (
    ("row_id", pa.string()),
    ("example", pa.int32()),
    ("tokens", pa.binary(16)),
    ("ids", pa.large_list(pa.int32())),
    ("log_probs", pa.large_list(pa.float16())),
    ("tails", pa.large_list(pa.float32())),
)


@dataclass(frozen=True)
class StoredPlan:
    """What such a file is known by, and says of itself.

    Parameters
    ----------
    teacher, adapter
        Digest or revision of the model, and of the adapter that it has, or None.
    precision, bits
        What it computed in, and the bits a weight that it was held in, or None.
    tokenizer, known
        Digest of the tokens and their numbers, and how many there are: the probabilities are over these.
    rendering, max_length
        Digest of what else decides the tokens of a row (template, policy for long rows, tokenizer), and the longest.
    k
        Tokens that are stored of each distribution.
    temperatures
        At which the tails are stored, and which it can be used at.
    batch_size
        Examples in one forward pass, which rounding depends on.
    rows
        Digest of the examples, in their order.
    attention, device
        How attention was computed, where that was said, and where.
    """

    teacher: str
    adapter: str | None
    precision: str
    bits: int | None
    tokenizer: str
    known: int
    rendering: str
    max_length: int
    k: int
    temperatures: tuple[float, ...]
    batch_size: int
    rows: str
    attention: str | None
    device: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {"version": _VERSION, **asdict(self), "temperatures": list(self.temperatures)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> StoredPlan:
        """Return the value that these make.

        Raises
        ------
        ValueError, KeyError, TypeError
            If they are not those of such a file.
        """
        if values["version"] != _VERSION:
            raise ValueError(f"version {values['version']}")
        own = {one.name: values[one.name] for one in fields(cls)}
        return cls(**{**own, "temperatures": tuple(map(float, own["temperatures"]))})


def schema_of(plan: StoredPlan) -> pa.Schema:
    """Return the schema of a file, its plan in the metadata."""
    return pa.schema(list(_COLUMNS), metadata={_MARK: json.dumps(plan.as_dict(), sort_keys=True)})


def bytes_per_token(plan: StoredPlan) -> int:
    """Return the bytes that a trained token takes."""
    return 6 * plan.k + 4 * len(plan.temperatures)


class StoredRows:
    """What a file holds, read through the mapped memory of the file.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    UsageError
        If it is no such file.
    DataError
        If it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise UsageError("there is no such file of teacher logits", where=str(path), hint=_MADE_BY)
        try:
            with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
                metadata = stream.schema.metadata or {}
                if _MARK not in metadata:
                    raise UsageError("the file holds no teacher logits", where=str(path), hint=_MADE_BY)
                self.plan = StoredPlan.of(json.loads(metadata[_MARK]))
                if stream.schema != pa.schema(list(_COLUMNS)):
                    raise ValueError("other columns")
                self._batches = list(stream)
            self._places = {key: place for place, key in self._keys()}
        except (pa.ArrowInvalid, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, pa.ArrowInvalid) and not _begins_as_arrow(path):
                raise UsageError("the file holds no teacher logits", where=str(path), hint=_MADE_BY) from None
            said = str(error).partition("\n")[0]
            raise DataError("the file of teacher logits is damaged", where=str(path), got=said, hint=_MADE_BY) from None

    def __len__(self) -> int:
        return len(self._places)

    def _keys(self) -> Iterator[tuple[tuple[int, int], tuple[str, int]]]:
        for number, batch in enumerate(self._batches):
            names = batch["row_id"].to_pylist(), batch["example"].to_pylist()
            for at, key in enumerate(zip(*names, strict=True)):
                yield (number, at), key

    def place(self, example: TokenisedExample) -> tuple[int, int] | None:
        """Return where an example lies: the number of its batch, and its own in it; None where it is not there."""
        return self._places.get((example.row_id, example.number))

    def tokens(self, place: tuple[int, int]) -> bytes:
        """Return the digest of the tokens of an example."""
        digest: bytes = self._batches[place[0]]["tokens"][place[1]].as_py()
        return digest

    def values(self, place: tuple[int, int]) -> tuple[np.ndarray[Any, Any], ...]:
        """Return ids and log-probabilities, (n, k), and the tails, (n, temperatures), of an example."""
        batch, at = self._batches[place[0]], place[1]
        widths = {"ids": self.plan.k, "log_probs": self.plan.k, "tails": len(self.plan.temperatures)}
        return tuple(_slice(batch[name], at).reshape(-1, width) for name, width in widths.items())


_MADE_BY: Final = "make one with `sage-train teacher-logits --selection ... --model TEACHER --output FILE`"


def _begins_as_arrow(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\xff\xff\xff\xff"


def _slice(lists: pa.LargeListArray, at: int) -> np.ndarray[Any, Any]:
    """Return one list of an array, over the same memory."""
    start, stop = (lists.offsets[one].as_py() for one in (at, at + 1))
    values: np.ndarray[Any, Any] = lists.values.slice(start, stop - start).to_numpy()
    return values


def open_rows(path: str | Path) -> StoredRows:
    """Return what a file holds; it raises as `StoredRows` does."""
    return StoredRows(user_path(path))


def check_stored(settings: Distillation, material: Material) -> str:
    """Return the digest of a file, after a check that it was made of these rows.

    Raises
    ------
    UsageError
        If it is no such file, the tokenizer has other tokens, the temperature is none of the file's, or a row has other
        tokens or is missing, where that is an error, which is named.
    DataError
        If it is damaged.
    """
    stored = open_rows(settings.teacher_logits or "")
    plan, where = stored.plan, str(stored.path)
    now = vocabulary_digest(material.renderer.tokenizer)
    if plan.tokenizer != now:
        raise UsageError(
            "the teacher's tokenizer has other tokens than the student's",
            where=where,
            expected=f"tokenizer {now}",
            got=f"tokenizer {plan.tokenizer}",
            hint="take a teacher of the same family",
        )
    if settings.distillation_temperature not in plan.temperatures:
        raise UsageError(
            "the file holds nothing for this temperature",
            where=where,
            expected=f"--distillation-temperature {' or '.join(f'{one:g}' for one in plan.temperatures)}",
            got=f"{settings.distillation_temperature:g}",
            hint=f"store it too: sage-train teacher-logits --temperature {settings.distillation_temperature:g}",
        )
    missing: list[str] = []
    other: list[str] = []
    for example in examples_of(material.rows):
        place = stored.place(example)
        if place is None:
            missing.append(example.row_id)
        elif stored.tokens(place) != example.digest:
            other.append(example.row_id)
        elif {len(one) for one in stored.values(place)} != {example.trained}:
            raise DataError("the file of teacher logits is damaged", where=where, got=f"row {example.row_id!r}")
    every = len(material.rows.row_ids)
    if other or (missing and (settings.untaught == "error" or len(missing) == every)):
        raise _other_rows(stored, material, missing, other)
    if missing:
        material.notice(f"{len(missing):,} of {every:,} examples have no teacher: they are trained on their own tokens")
    return digest_files([stored.path])


def _other_rows(stored: StoredRows, material: Material, missing: Sequence[str], other: Sequence[str]) -> UsageError:
    where = str(stored.path)
    if not other:
        return UsageError(
            f"the file holds nothing of {len(missing):,} of {len(material.rows.row_ids):,} examples",
            where=where,
            got=f"the first is of row {missing[0]!r}",
            hint="make it of this selection, or of one that has all of its rows; or train such rows plainly: "
            "--untaught plain",
        )
    told = {
        "the longest row": (stored.plan.max_length, material.renderer.max_length),
        "the tokenizer, the template or how it is used": (stored.plan.rendering, material.renderer.fingerprint),
    }
    differ = [f"{name}: {theirs} there, {ours} here" for name, (theirs, ours) in told.items() if theirs != ours]
    return UsageError(
        f"{len(other):,} examples have other tokens than the teacher was asked about",
        where=where,
        got=f"the first is of row {other[0]!r}; {'; '.join(differ) or 'the rows themselves differ'}",
        hint="give both commands the same options for rows, and teacher-logits the student with --student",
    )
