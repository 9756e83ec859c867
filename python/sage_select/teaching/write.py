"""What `sage-train teacher-outputs` does: a teacher answers each row of a selection anew, and its answers are trained.

Distillation on the level of sequences (Kim and Rush 2016, arXiv 1606.07947): a student that learns the likeliest answer
of a teacher learns the mode of what the teacher would say, and needs neither its tokens nor its probabilities.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sage_select import io
from sage_select.display import counted
from sage_select.errors import DataError, OutputError, UsageError
from sage_select.io.commit.names import OutputNames
from sage_select.io.commit.overlap import check_overlap
from sage_select.io.commit.protocol import recover
from sage_select.io.output.target import check_target
from sage_select.paths import user_path
from sage_select.render import Conversation, to_example
from sage_select.render.extras import release_series
from sage_select.render.quiet import quiet_libraries
from sage_select.seeds import Draws, stage_key
from sage_select.teaching.report import counts_of, dropped_rows, report_of
from sage_select.teaching.result import TaughtRows
from sage_select.train.config import TrainConfig
from sage_select.train.distilling.growing import GrowingStream, held
from sage_select.train.failures import resource_failures
from sage_select.train.hardware import require_training_packages
from sage_select.train.row_summary import DroppedRow, counts_by_reason
from sage_select.values.location import InputSetting

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer
    from sage_select.teaching.prompts import Prompts
    from sage_select.train.selection import OrderedRows
    from sage_select.train.stages import Stages

__all__ = ["MOST_NEW_TOKENS", "teacher_outputs"]

#: Tokens of an answer at most, where nothing else is said.
MOST_NEW_TOKENS: Final = 512
#: Raised where the same teacher, rows and settings begin to give other rows.
_VERSION: Final = 1
#: The key of a manifest that tells of the teacher, and of the metadata of what is not whole yet.
_MARK: Final = "teacher_outputs"
#: What is written of each answer before all are there, in the order in which they are asked for: the tokens, and
#: whether they end.
_COLUMNS: Final = pa.schema([("tokens", pa.list_(pa.int32())), ("ended", pa.bool_())])


def teacher_outputs(
    selection: Any,
    output: str | Path,
    config: TrainConfig,
    *,
    max_new_tokens: int = MOST_NEW_TOKENS,
    temperature: float = 0.0,
    seed: int = 0,
    adapter: Path | None = None,
    force: bool = False,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> TaughtRows:
    """Have a teacher answer each row of a selection, and write the rows with its answers.

    Of a row the last trained turn of the assistant is replaced, given the row's own turns before it; all else stays,
    earlier answers among it. Were all of them replaced, users would answer to what nobody said to them, and later
    answers would rest on it. A row is dropped, and counted, where the teacher comes to no end, says nothing, or what it
    says is no message that the chat template writes as the teacher did (`sage_select.teaching.reading`).

    The output has the manifest of an output of ours, and a row report that names each row of the selection with what
    became of it and what the teacher wrote. A call that is stopped, or killed, is gone on from by another one like it,
    on the same machine to the same bytes.

    Parameters
    ----------
    selection
        As `sage_select.train.train` takes it; not rows of plain text.
    output
        The file; the end of its name is the format, `.arrow` as a rule.
    config
        Its `model` is the teacher, held as it says; `batch_size` is how many answers are written at a time,
        `max_dropped` the largest share of rows that may be dropped.
    max_new_tokens
        Tokens of an answer at most.
    temperature
        0 for the likeliest token each time; above it tokens are drawn, of the likeliest that have 95 % in all.
    seed
        Of the draws, which are those of each row by its id, whatever other rows there are.
    adapter
        One that the teacher has: its folder, or that of a run.
    force
        Replace teacher outputs of something else; no other file is ever replaced.
    stages, notice
        As in `sage_select.train.train`.

    Raises
    ------
    UsageError
        If something is no model, rows are plain texts, or the teacher has no token to end a turn with.
    DataError
        If rows are damaged, more than `max_dropped` of them are dropped, or all are.
    OutputError
        If the output is something else, or another process writes it.
    ResourceError
        If a package is missing, or memory or the disk is too small.
    """
    require_training_packages()
    target = user_path(output)
    read = {"selection": selection, "model": config.model, "teacher_adapter": adapter}
    named = {name: value for name, value in read.items() if isinstance(value, str | Path)}
    check_overlap(target, [InputSetting(name, "file", str(value)) for name, value in named.items()])
    work = _Work(target, config, max_new_tokens, temperature, seed, adapter, stages, notice)
    with quiet_libraries(), resource_failures(target.parent):
        return work.run(selection, force=force)


class _Work:
    """One call: what it is told, and how to talk."""

    def __init__(
        self,
        target: Path,
        config: TrainConfig,
        max_new_tokens: int,
        temperature: float,
        seed: int,
        adapter: Path | None,
        stages: Stages | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        from sage_select.render.adapter_files import adapter_folder
        from sage_select.train.stages import silent_stages

        self._target, self._config, self._most = target, config, max_new_tokens
        self._temperature, self._seed = temperature, seed
        self._adapter = None if adapter is None else adapter_folder(adapter)
        self._form = io.output_format(target)
        self._stages = stages or silent_stages
        self._notice = notice or (lambda _text: None)

    def run(self, selection: Any, *, force: bool) -> TaughtRows:
        with held(self._target):
            pass  # whether the folder can be written, and nobody else writes here
        recover(self._target)
        before = self._before(force=force)
        rows, renderer, prompts = self._prepared(selection)
        self._check(rows, prompts.dropped)
        plan = self._plan(renderer, prompts)
        known = _digest([plan, rows.rows.digest, rows.shape.to_dict()])
        if io.existing(self._target, known, with_report=True):
            with held(self._target):
                GrowingStream(self._target, _schema(plan)).discard()
            report = pq.read_table(OutputNames(self._target).row_report)
            self._check(rows, dropped_rows(report))
            return self._result(report, cached=True, resumed_from=0)
        if before is not None and not force:
            raise OutputError(
                "the output holds teacher outputs of something else",
                where=str(self._target),
                got="; ".join(_differences(before, plan)) or "other rows",
                hint="replace it with --force, or name another file",
            )
        stream = GrowingStream(self._target, _schema(plan))
        with held(self._target):
            if stream.open():
                self._notice("what an earlier call with other settings had begun is removed")
            done = stream.rows
            if done:
                self._notice(f"going on after {counted(done, 'answer')} that an earlier call asked for")
            try:
                self._ask(rows, renderer, prompts, stream)
            except (KeyboardInterrupt, SystemExit):
                self._notice("stopped; the same call goes on where it was")
                raise
            answers = stream.table()
        # Writing holds the place of the output itself.
        report = self._write(rows, renderer, prompts, answers, plan, known, force=force)
        with held(self._target):
            stream.discard()
        return self._result(report, cached=False, resumed_from=done)

    def _before(self, *, force: bool) -> Mapping[str, Any] | None:
        """Return what the manifest at the output says of its teacher, None where there is nothing."""
        names = OutputNames(self._target)
        manifest = io.read_manifest(self._target)
        if manifest is not None and _MARK in manifest:
            plan: Mapping[str, Any] = manifest[_MARK]
            check_target(names, self._form, force=True)
            return plan
        if self._target.exists() or self._target.is_symlink() or manifest is not None:
            raise OutputError(
                "the output is something else than teacher outputs",
                where=str(self._target),
                hint="name another file with --output" + ("; --force does not replace it" if force else ""),
            )
        check_target(names, self._form, force=False)
        return None

    def _prepared(self, selection: Any) -> tuple[OrderedRows, Renderer, Prompts]:
        """Return the rows, how they are written for the teacher, and what it is asked."""
        from sage_select.render.model_files import load_config
        from sage_select.render.truncate import context_length
        from sage_select.teaching.prompts import prompts_of
        from sage_select.train.base_model import open_renderer
        from sage_select.train.selection import load_selection

        rows = load_selection(selection, self._config)
        for text in rows.notices:
            self._notice(text)
        if rows.shape.is_text:
            raise UsageError(
                "rows of plain text have no answer that a teacher could give",
                where=rows.source,
                expected="conversations, or a prompt and its completion",
                got=f"rows of the shape {rows.shape.name}",
                hint="name the columns with --prompt-column and --completion-column",
            )
        if not len(rows):
            raise DataError("the selection holds no rows", where=rows.source, hint="select with a larger budget")
        renderer = open_renderer(self._config)
        context = context_length(load_config(self._config.model), renderer.tokenizer)
        if context is not None and context <= self._most:
            raise UsageError(
                f"answers of {self._most:,} tokens leave no room for a prompt",
                where=self._config.model,
                expected=f"fewer than the {context:,} tokens that the teacher reads",
                hint="lower --max-new-tokens",
            )
        room = None if context is None else context - self._most
        with self._stages("writing prompts") as progress:
            prompts = prompts_of(rows, renderer, self._config, room=room, progress=progress)
        for text in renderer.notices:
            self._notice(text)
        return rows, renderer, prompts

    def _plan(self, renderer: Renderer, prompts: Prompts) -> dict[str, Any]:
        """Return all that the answers depend on."""
        from sage_select.render.adapter_files import adapter_digest
        from sage_select.render.model_files import model_revision
        from sage_select.train.hardware import device_here, precision_here

        config = self._config
        return {
            "version": _VERSION,
            "teacher": model_revision(config.model),
            "adapter": None if self._adapter is None else adapter_digest(self._adapter),
            "precision": precision_here(config),
            "bits": 4 if config.load_in_4bit else 8 if config.load_in_8bit else None,
            "attention": config.attn_implementation,
            "device": device_here(),
            "libraries": release_series("torch", "transformers"),
            "rendering": renderer.fingerprint,
            "prompts": prompts.digest,
            "ends": sorted(prompts.ends),
            "inside": _digest(sorted(prompts.inside)),
            "batch_size": config.batch_size,
            "max_new_tokens": self._most,
            "temperature": self._temperature,
            "seed": self._seed if self._temperature else None,
        }

    def _ask(self, rows: OrderedRows, renderer: Renderer, prompts: Prompts, stream: GrowingStream) -> None:
        """Have the teacher write its answers, batch by batch."""
        asked = prompts.in_batches
        if stream.rows == len(asked):
            return
        from sage_select.teaching.teacher import Teacher

        with self._stages("loading the teacher"):
            teacher = Teacher(self._config, renderer.tokenizer, self._adapter, prompts)
        key = stage_key(self._seed, "teacher outputs")
        endless = stream.table()["ended"].to_pylist().count(False)
        with self._stages("the teacher answers") as progress:
            progress(stream.rows, len(asked))
            for start in range(stream.rows, len(asked), self._config.batch_size):
                batch = asked[start : start + self._config.batch_size]
                seeds = [Draws(key, one.row_id).word() >> 1 for one in batch]
                found = teacher.answers(batch, self._most, self._temperature, seeds)
                columns = [
                    pa.array(part, kind) for part, kind in zip(zip(*found, strict=True), _COLUMNS.types, strict=True)
                ]
                stream.append(pa.record_batch(columns, schema=_COLUMNS))
                endless += sum(not ended for _, ended in found)
                self._check(rows, prompts.dropped, endless)
                progress(stream.rows, len(asked), f"{endless:,} without an end" if endless else "")

    def _write(
        self,
        rows: OrderedRows,
        renderer: Renderer,
        prompts: Prompts,
        answers: pa.Table,
        plan: Mapping[str, Any],
        known: str,
        *,
        force: bool,
    ) -> pa.Table:
        """Read the answers back, and write the rows; return the row report."""
        from sage_select.teaching.reading import ENDLESS, Reading
        from sage_select.teaching.rows import holds_messages, taught_rows

        written = zip(*(one.to_pylist() for one in answers.columns), strict=True)
        found = {one.number: answer for one, answer in zip(prompts.in_batches, written, strict=True)}
        asked = {one.number: one for one in prompts.asked}
        reasons: dict[int, str] = {one.row: one.reason for one in prompts.dropped}
        kept: list[int] = []
        messages: list[tuple[int, dict[str, Any]]] = []
        stops = prompts.ends.union(ids[-1] for ids, ended in found.values() if ended)
        reading = Reading(renderer, prompts.reader, stops)
        with self._stages("reading the answers") as progress:
            for place, row in enumerate(rows):
                if row.number in asked:
                    ids, ended = found[row.number]
                    example = to_example(row.values, rows.shape, row.where)
                    if not isinstance(example, Conversation):
                        raise RuntimeError("plain texts have no answers")
                    holds = holds_messages(row.values, rows.shape)
                    one = asked[row.number]
                    said = reading.read(example, one, ids, holds_calls=holds) if ended else ENDLESS
                    if isinstance(said, str):
                        reasons[row.number] = f"{said} within {self._most:,} tokens" if not ended else said
                    else:
                        kept.append(place)
                        messages.append((one.message - len(example.messages), said))
                progress(place + 1, len(rows))
        report = report_of(rows, prompts, found, reasons, renderer.tokenizer)
        dropped = dropped_rows(report)
        self._check(rows, dropped)
        if not kept:
            raise DataError(
                "no row has an answer of the teacher that can be trained",
                where=rows.source,
                got=counts_by_reason(dropped),
                hint="raise --max-new-tokens, or ask a teacher that was tuned to answer",
            )
        if dropped:
            self._notice(f"dropped: {counted(len(dropped), 'row')} of {len(rows):,}: {counts_by_reason(dropped)}")
        with self._stages("writing"):
            table, shape = taught_rows(rows, np.array(kept, np.int64), messages)
            manifest = {
                "fingerprint": known,
                "shape": shape.to_dict(),
                _MARK: plan,
                "of": {"selection": rows.source, "digest": rows.rows.digest},
                "rows": {"in": len(rows), "kept": len(kept), "dropped": counts_of(dropped)},
            }
            io.write(table, self._target, manifest, row_report=report, force=force)
        return report

    def _check(self, rows: OrderedRows, dropped: Sequence[DroppedRow], endless: int = 0) -> None:
        """Refuse to go on where more rows are dropped than may be."""
        most, count = self._config.max_dropped, len(dropped) + endless
        if most is None or count <= most * len(rows):
            return
        said = [counts_by_reason(dropped)] if dropped else []
        if endless:
            said.append(f"{endless:,} x the teacher does not come to an end within {self._most:,} tokens")
        raise DataError(
            f"{count:,} of {counted(len(rows), 'row')} have no answer of the teacher that can be trained, more than "
            f"--max-dropped {100 * most:g}%",
            where=rows.source,
            got="; ".join(said),
            hint="raise --max-new-tokens, or allow more with --max-dropped: the call goes on where it was",
        )

    def _result(self, report: pa.Table, *, cached: bool, resumed_from: int) -> TaughtRows:
        kept = report.filter(report["kept"])
        return TaughtRows(
            output=self._target,
            rows_in=report.num_rows,
            rows=kept.num_rows,
            dropped=dropped_rows(report),
            tokens=sum(kept["tokens"].to_pylist()),
            cached=cached,
            resumed_from=resumed_from,
        )


def _schema(plan: Mapping[str, Any]) -> pa.Schema:
    """Return the schema of what is not whole yet, what it depends on in its metadata."""
    return _COLUMNS.with_metadata({_MARK: json.dumps(plan, sort_keys=True)})


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {before.get(name)} there, {one} asked for" for name, one in now.items() if before.get(name) != one
    ]
