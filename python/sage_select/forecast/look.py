"""From a resolved plan to its workload: a look at the files that it names, without reading them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from sage_select import demo, io
from sage_select.engine.base import Silence
from sage_select.engine.local.bad_rows import bad_rows_of, frame_of_usable, good_rows, refuse_bad_rows
from sage_select.engine.local.embed import embed_rows
from sage_select.engine.local.limits import limit_rows
from sage_select.engine.local.queries import with_query_rows
from sage_select.engine.local.score import score_rows
from sage_select.engine.local.select import check_limits
from sage_select.engine.local.source import frame_of, shape_options
from sage_select.errors import DataError, UsageError
from sage_select.forecast.workload import Model, Table, Vectors, Workload
from sage_select.kernels.call import resolve_threads
from sage_select.ops import Dedup, Embed, Score, Select, Source
from sage_select.paths import user_path
from sage_select.render import canonical_json, detect_shape, plain_texts
from sage_select.render.model_files import is_local
from sage_select.spec import Pipeline

__all__ = ["look"]

#: Dimensions of a model that is not here: those of encoders of the size of BERT base.
_ASSUMED_DIMENSIONS: Final = 768
#: Bytes a character up to which words are taken as ASCII.
_PLAIN: Final = 1.1


def look(plan: Pipeline, threads: int | None, *, verify: bool = True) -> Workload:
    """Return what a plan will work on.

    Rows are refused by the code of the build: of a small input, which is read in whole, as it refuses them; of a larger
    one where those that were looked at are enough to know that it will.

    Raises
    ------
    UsageError
        Where a file or column that the plan names is not there, or the budget is more than there is.
    DataError
        Where what was looked at would be refused.
    ResourceError
        Where a file may not be read.
    """
    source = plan.step(Source)
    found = io.survey(
        demo.rows_path() if source.demo else source.path or [],
        verify=verify,
        text=io.TextOptions(source.encoding, source.delimiter),
    )
    found = _usable(found, plan)
    rows, exact, origin = found.rows, found.exact, found.origin
    score, embed = plan.find(Score), plan.find(Embed)
    score_item = 0
    # Files of numbers have one for each row: their headers tell the rows of a text that was not read.
    if score is not None and score.file is not None:
        header = io.npy_header(score.file, rows=rows if exact else None, kind="scores")
        score_item, rows, exact, origin = header.item_bytes, header.rows, True, _as_header(origin, exact, score.file)
    if embed is not None and embed.file is not None:
        header = io.npy_header(embed.file, rows=rows if exact else None, kind="embeddings")
        rows, exact, origin = header.rows, True, _as_header(origin, exact, embed.file)
    if score is not None and score.column is not None:
        io.numeric_column(found.sample, score.column)
    select = plan.step(Select)
    select.budget.rows(rows, clamp=select.clamp or not exact)
    return Workload(
        plan=plan,
        rows=rows,
        exact=exact,
        origin=origin,
        table=_table(found, source, rows),
        vectors=None if embed is None else _vectors(embed, found),
        score_item=score_item,
        score_model=None if score is None or score.model is None else _model(score.model),
        threads=min(resolve_threads(threads), os.cpu_count() or 1),
    )


def _usable(found: io.Survey, plan: Pipeline) -> io.Survey:
    """Return what was found with a sample of rows that can be used."""
    sample, source = found.sample, plan.step(Source)
    if found.whole:
        rows = _refused_or_rows(sample, plan)
    else:
        bad, _ = bad_rows_of(sample, shape_options(source), Silence())
        refuse_bad_rows(bad, found.looked_at, f"{sample.source}, rows looked at", source, found.rows)
        rows = sample.only(good_rows(sample.table.num_rows, bad))
    return replace(found, sample=rows)


def _refused_or_rows(rows: io.Rows, plan: Pipeline) -> io.Rows:
    """Return the rows that a build would work on, or raise what it would raise before it makes scores or vectors."""
    talk, source, select = Silence(), plan.step(Source), plan.step(Select)
    score, embed = plan.find(Score), plan.find(Embed)
    options = shape_options(source)
    frame = frame_of_usable(
        rows,
        options,
        source,
        talk,
        lambda good, said: frame_of(
            good, options, source.id_column, said=said, dedup=plan.find(Dedup), queries=select.query_column
        ),
    )
    if select.tokenizer is None:
        frame = with_query_rows(limit_rows(frame, select, talk), select)
        check_limits(frame, select, plan.seed)
    if score is not None and score.given:
        score_rows(frame, score, talk)
    if embed is not None and embed.given:
        embed_rows(frame, embed, select.metric, talk, None)
    return frame.rows or rows


def _as_header(origin: str, exact: bool, file: str) -> str:
    return origin if exact else f"from the header of {file}"


def _table(found: io.Survey, source: Source, rows: int) -> Table:
    sample = found.sample.table
    shape = detect_shape(sample.schema, shape_options(source))
    if source.id_column is not None:
        io.require_column(found.sample, source.id_column)
    named = source.id_column is not None or "sage_row_id" in sample.column_names
    words = plain_texts(sample, shape, where=found.sample.where)
    canonical = 0 if named else canonical_json(sample, shape.columns, where=found.sample.where).nbytes
    # As the table is to the sample, so are the words and the canonical JSON of its rows.
    growth = found.table_bytes / max(1, sample.nbytes)
    return Table(
        format=found.format,
        packed=found.packed,
        file=found.file_bytes / rows,
        text=found.text_bytes / rows,
        held=found.table_bytes / rows,
        mapped=found.mapped,
        canonical=canonical * growth / rows,
        words=words.nbytes * growth / rows,
        plain_words=_are_plain(words),
    )


def _are_plain(words: pa.ChunkedArray) -> bool:
    """Whether nearly all characters are ASCII: the speed at which words of other scripts are found differs too much."""
    characters, size = (pc.sum(measured).as_py() or 0 for measured in (pc.utf8_length(words), pc.binary_length(words)))
    return bool(size <= _PLAIN * characters)


def _vectors(embed: Embed, found: io.Survey) -> Vectors:
    if embed.file is not None:
        header = io.npy_header(embed.file, rows=None, kind="embeddings")
        return Vectors("file", header.width, f"header of {embed.file}", header.item_bytes, header.copied)
    if embed.column is not None:
        kind = io.embedding_column(found.sample, embed.column).type
        return Vectors("column", kind.list_size, f"column {embed.column!r}", kind.value_type.bit_width // 8)
    if embed.model is None:
        return Vectors("hashing", embed.dimensions, "hashing encoder")
    dimensions = _dimensions_of(embed.model)
    said = f"configuration of {embed.model}"
    if dimensions is None:
        dimensions, said = _ASSUMED_DIMENSIONS, f"assumed: the configuration of {embed.model} is not here"
    return Vectors("model", dimensions, said, model=_model(embed.model))


def _model(name: str) -> Model:
    if not is_local(name):
        return Model(name, None)
    weights = [file.stat().st_size for file in user_path(name).rglob("*.safetensors")]
    if not weights:
        raise UsageError("the folder holds no model", where=name, expected="*.safetensors")
    return Model(name, sum(weights))


def _dimensions_of(model: str) -> int | None:
    """Return the dimensions that a model's configuration gives, or None where the model is not here."""
    if not is_local(model):
        return None
    folder = user_path(model)
    for name, key in (("1_Pooling/config.json", "word_embedding_dimension"), ("config.json", "hidden_size")):
        file = folder / name
        if not file.is_file():
            continue
        try:
            value = json.loads(file.read_text(encoding="utf-8"))[key]
        except (ValueError, KeyError, TypeError):
            continue
        if isinstance(value, int) and value > 0:
            return value
    raise DataError("the model's configuration gives no dimensions", where=model, expected="hidden_size in config.json")
