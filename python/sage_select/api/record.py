"""What a selection from Python was made from, as the plan and the digests that its manifest holds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.engine.frame import Frame
from sage_select.engine.local.inputs import setting_digest
from sage_select.ops import Dedup, Embed, Score, Select, Sink, Source
from sage_select.render import ShapeOptions
from sage_select.spec import Pipeline

__all__ = ["Record", "record_of"]

#: What stands in a plan for values that a program handed over; their digests are among the inputs.
_GIVEN: Final = "<given>"


@dataclasses.dataclass(frozen=True)
class Record:
    """A plan, and the values that the program handed over in place of files: name of the setting -> value."""

    plan: Pipeline
    values: Mapping[str, Any]

    def plan_to(self, path: str, *, rows: bool) -> Pipeline:
        """Return the plan with this output."""
        return self._with(Sink.make(path=path, rows=rows))

    def with_select(self, select: Select) -> Record:
        """Return the record of another selection, such as a smaller one, from the same."""
        mine = self.plan.step(Select)
        kept = {name: getattr(mine, name) for name in ("queries", "pin", "exclude")}
        return dataclasses.replace(self, plan=self._with(select.model_copy(update=kept)))

    def input_digests(self, frame: Frame) -> dict[str, str]:
        """Return name -> digest of everything that was read, or handed over."""
        digests = {} if frame.rows is None else {"source": frame.rows.digest}
        for setting in self.plan.inputs():
            if setting.kind != "rows" and setting.value != _GIVEN:
                digests[setting.name] = setting_digest(setting, frame.files)
        return {**digests, **{name: _digest(value) for name, value in self.values.items()}}

    def _with(self, step: Select | Sink) -> Pipeline:
        steps = (step if type(one) is type(step) else one for one in self.plan.steps)
        return self.plan.model_copy(update={"steps": tuple(steps)})


def record_of(
    frame: Frame,
    select: Select,
    dedup: Dedup | None,
    seed: int,
    options: ShapeOptions,
    source: Source,
    *,
    higher_is_harder: bool,
    given: Mapping[str, Any],
) -> Record:
    """Return the record of a selection.

    Parameters
    ----------
    frame, select, dedup, seed, options, source, higher_is_harder
        What it was made with.
    given
        Argument of `select` -> what it was: the name of a column, a path, or values.
    """
    name = frame.rows.source if frame.rows is not None else _GIVEN
    columns = {
        "path": name,
        "text_column": options.text_column,
        "prompt_column": options.prompt_column,
        "completion_column": options.completion_column,
        "template": options.template,
    }
    steps: list[Any] = [source.model_copy(update=columns), dedup or Dedup(mode="none")]
    values: dict[str, Any] = {}
    scores, vectors = given["scores"], given["embeddings"]
    if scores is not None or frame.scores is not None:
        values |= {} if scores is None or isinstance(scores, str) else {"score.file": scores}
        origin = {"column": scores} if isinstance(scores, str) else {"file": None if scores is None else _GIVEN}
        steps.append(Score.make(**origin, higher_is_harder=None if scores is None else higher_is_harder))
    if frame.matrix is not None:
        values |= {} if vectors is None or isinstance(vectors, str) else {"embed.file": vectors}
        origin = {"column": vectors} if isinstance(vectors, str) else {"file": None if vectors is None else _GIVEN}
        steps.append(Embed.make(**origin))
    marked: dict[str, str] = {}
    for setting in ("queries", "pin", "exclude", "groups", "lengths"):
        value = given[setting]
        if value is not None and not isinstance(value, str):
            values[f"select.{setting}"] = value
            marked |= {setting: _GIVEN} if setting in Select.model_fields else {}
    steps += [select.model_copy(update=marked), Sink()]
    return Record(Pipeline(seed=seed, steps=tuple(steps)), values)


def _digest(value: Any) -> str:
    """Return a digest of values, the same for the same values of the same type."""
    if isinstance(value, pa.Array | pa.ChunkedArray):
        return io.digest_table(pa.table({"values": value}))
    if not isinstance(value, np.ndarray) and (
        hasattr(value, "__arrow_c_stream__")
        or (isinstance(value, list | tuple) and value and isinstance(value[0], dict))
    ):
        return io.from_object(value).digest
    digest = hashlib.blake2b(digest_size=32)
    array = np.asarray(value) if isinstance(value, np.ndarray) else None
    if array is not None and array.dtype != object:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    else:
        digest.update(json.dumps([str(one) for one in value]).encode())
    return f"blake2b-256:{digest.hexdigest()}"
