"""What `sage-train teacher-logits` does: a teacher is asked about every trained token of a selection, once."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.io.commit.overlap import check_overlap
from sage_select.paths import user_path
from sage_select.render.quiet import quiet_libraries
from sage_select.train.config import TrainConfig
from sage_select.train.distilling.examples import blocks_of, examples_of
from sage_select.train.distilling.growing import GrowingStream, held
from sage_select.train.distilling.stored import StoredPlan, StoredRows, bytes_per_token, schema_of
from sage_select.train.failures import resource_failures
from sage_select.train.hardware import require_training_packages
from sage_select.values.location import InputSetting

if TYPE_CHECKING:
    from sage_select.train.data import TrainingRows
    from sage_select.train.stages import Stages

__all__ = ["StoredLogits", "size_of", "teacher_logits"]

#: Bytes of an example besides those of its tokens, about.
_OF_EXAMPLE: Final = 96


@dataclass(frozen=True)
class StoredLogits:
    """A file of teacher logits.

    Attributes
    ----------
    output
        The file.
    examples, trained_tokens
        What it is of.
    bytes
        How large it is.
    cached
        Whether it was there before.
    resumed_from
        Examples that an earlier call had asked about.
    """

    output: Path
    examples: int
    trained_tokens: int
    bytes: int
    cached: bool
    resumed_from: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "output": str(self.output)}


def teacher_logits(
    selection: Any,
    output: str | Path,
    config: TrainConfig,
    *,
    k: int = 64,
    temperatures: Sequence[float] = (1.0, 2.0),
    adapter: Path | None = None,
    student: str | None = None,
    force: bool = False,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> StoredLogits:
    """Store the most likely tokens of a teacher at each trained token of a selection.

    A trained token takes 6 k bytes and 4 for each temperature. A call that is stopped, or killed, is gone on from by
    another one like it, on the same machine to the same bytes.

    Parameters
    ----------
    selection
        As `sage_select.train.train` takes it.
    output
        The file; `.arrow` as a rule. It appears when it is whole.
    config
        Its `model` is the teacher, held as it says; its settings for rows are those of training, and `batch_size` is
        how many examples are in one forward pass.
    k
        Tokens to store of each distribution.
    temperatures
        At which the file can be used: of all other tokens it holds how likely they are together, at each.
    adapter
        One that the teacher has: its folder, or that of a run.
    student
        The model by whose tokenizer and template rows are written, where that is another; its tokens have to be the
        teacher's.
    force
        Replace teacher logits of something else; no other file is ever replaced.
    stages, notice
        As in `sage_select.train.train`.

    Raises
    ------
    UsageError
        If something is no model, the tokens differ, or rows do not fit the teacher.
    DataError
        If rows are damaged, or none has anything to train.
    OutputError
        If the output is something else, or another process writes it.
    ResourceError
        If a package is missing, or memory or the disk is too small.
    """
    require_training_packages()
    target = user_path(output)
    read = {"selection": selection, "model": config.model, "teacher_adapter": adapter, "student": student}
    named = {name: value for name, value in read.items() if isinstance(value, str | Path)}
    check_overlap(target, [InputSetting(name, "file", str(value)) for name, value in named.items()], with_parts=False)
    work = _Work(target, config, k, tuple(temperatures), adapter, student, stages, notice)
    with quiet_libraries(), held(target), resource_failures(target.parent):
        return work.run(selection, force=force)


class _Work:
    """One call: what it is told, and how to talk."""

    def __init__(
        self,
        target: Path,
        config: TrainConfig,
        k: int,
        temperatures: tuple[float, ...],
        adapter: Path | None,
        student: str | None,
        stages: Stages | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        from sage_select.render.adapter_files import adapter_folder
        from sage_select.train.stages import silent_stages

        self._target, self._config, self._k, self._temperatures = target, config, k, temperatures
        self._adapter = None if adapter is None else adapter_folder(adapter)
        self._student = student or config.model
        self._stages = stages or silent_stages
        self._notice = notice or (lambda _text: None)

    def run(self, selection: Any, *, force: bool) -> StoredLogits:
        before = self._before(force=force)
        rows, plan, tokenizer = self._prepared(selection)
        stream = GrowingStream(self._target, schema_of(plan))
        trained = sum(one.trained for one in examples_of(rows))
        size = trained * bytes_per_token(plan) + len(rows.row_ids) * _OF_EXAMPLE
        if before == plan:
            stream.discard()
            return self._result(rows, trained, cached=True, resumed_from=0)
        if before is not None and not force:
            raise OutputError(
                "the output holds teacher logits of something else",
                where=str(self._target),
                got="; ".join(_differences(before, plan)),
                hint="replace it with --force, or name another file",
            )
        self._notice(
            f"{trained:,} trained tokens of {len(rows.row_ids):,} examples, {bytes_per_token(plan)} bytes each: the "
            f"file will take about {size_of(size)}"
        )
        if stream.open():
            self._notice("what an earlier call with other settings had begun is removed")
        done = stream.rows
        if done:
            self._notice(f"going on after {done:,} examples that an earlier call asked about")
        left = size * (len(rows.row_ids) - done) // max(1, len(rows.row_ids))
        free = shutil.disk_usage(self._target.parent).free
        if free < left:
            if not done:
                stream.discard()
            raise ResourceError(
                "the disk is too small for the teacher's logits",
                where=str(self._target.parent),
                expected=f"about {size_of(left)}",
                got=f"{size_of(free)} free",
                hint="store fewer tokens with --k, or write to another disk",
            )
        try:
            self._ask(rows, plan, tokenizer, stream)
        except (KeyboardInterrupt, SystemExit):
            self._notice("stopped; the same call goes on where it was")
            raise
        stream.finish()
        return self._result(rows, trained, cached=False, resumed_from=done)

    def _before(self, *, force: bool) -> StoredPlan | None:
        """Return what the file at the output is of, None where there is none."""
        from sage_select.errors import DataError

        if not self._target.exists() and not self._target.is_symlink():
            return None
        try:
            return StoredRows(self._target).plan
        except (UsageError, DataError) as error:
            raise OutputError(
                "the output is something else than teacher logits",
                where=str(self._target),
                got=error.message,
                hint="name another file with --output" + ("; --force does not replace it" if force else ""),
            ) from None

    def _prepared(self, selection: Any) -> tuple[TrainingRows, StoredPlan, Any]:
        """Return the training examples, what the file is to be known by, and the tokenizer."""
        from sage_select.render.adapter_files import adapter_digest
        from sage_select.render.model_files import load_config, load_tokenizer, model_revision
        from sage_select.train.base_model import open_renderer
        from sage_select.train.data import tokenise_as
        from sage_select.train.distilling.check import require_room
        from sage_select.train.distilling.vocabulary import known_tokens, require_same_tokens, vocabulary_digest
        from sage_select.train.hardware import device_here, precision_here
        from sage_select.train.selection import load_selection

        config = self._config
        ordered = load_selection(selection, config)
        for text in ordered.notices:
            self._notice(text)
        renderer = open_renderer(config.changed(model=self._student))
        tokenizer = load_tokenizer(config.model)
        require_same_tokens(renderer.tokenizer, tokenizer, config.model)
        with self._stages("tokenising") as progress:
            rows = tokenise_as(config, ordered, renderer, progress)
        for text in renderer.notices:
            self._notice(text)
        if rows.summary.dropped:
            self._notice(f"{len(rows.summary.dropped):,} rows have nothing to train and are left out, as in training")
        require_room(load_config(config.model), tokenizer, int(rows.lengths.max()), config.model)
        known = known_tokens(tokenizer)
        if self._k > known:
            raise UsageError(f"there are only {known:,} tokens", expected=f"--k {known} or less", got=f"--k {self._k}")
        plan = StoredPlan(
            teacher=model_revision(config.model),
            adapter=None if self._adapter is None else adapter_digest(self._adapter),
            precision=precision_here(config),
            bits=4 if config.load_in_4bit else 8 if config.load_in_8bit else None,
            tokenizer=vocabulary_digest(tokenizer),
            known=known,
            rendering=renderer.fingerprint,
            max_length=renderer.max_length,
            k=self._k,
            temperatures=self._temperatures,
            batch_size=config.batch_size,
            rows=f"{rows.order_digest}{rows.digest}",
            attention=config.attn_implementation,
            device=device_here(),
        )
        return rows, plan, tokenizer

    def _ask(self, rows: TrainingRows, plan: StoredPlan, tokenizer: Any, stream: GrowingStream) -> None:
        from sage_select.train.distilling.log_probs import LogProbs, batch_of
        from sage_select.train.distilling.teacher import frozen_model

        total = len(rows.row_ids)
        if stream.rows == total:
            return
        with self._stages("loading the teacher"):
            model = frozen_model(self._config, tokenizer, self._adapter)
            log_probs = LogProbs(
                model,
                rows.table["input_ids"][0].as_py(),
                k=plan.k,
                known=plan.known,
                temperatures=plan.temperatures,
                batch_size=plan.batch_size,
            )
        with self._stages("computing what the teacher says") as progress:
            progress(stream.rows, total)
            # Blocks are cut from the first example on, so that a call that goes on cuts them alike.
            for block in blocks_of(islice(examples_of(rows), stream.rows, None)):
                stream.append(batch_of(block, log_probs(block), plan))
                progress(stream.rows, total)

    def _result(self, rows: TrainingRows, trained: int, *, cached: bool, resumed_from: int) -> StoredLogits:
        return StoredLogits(
            output=self._target,
            examples=len(rows.row_ids),
            trained_tokens=trained,
            bytes=self._target.stat().st_size,
            cached=cached,
            resumed_from=resumed_from,
        )


def _differences(before: StoredPlan, now: StoredPlan) -> list[str]:
    then, here = before.as_dict(), now.as_dict()
    return [f"{name}: {then[name]} there, {here[name]} asked for" for name in here if then[name] != here[name]]


def size_of(number: int) -> str:
    """Return a number of bytes in words."""
    unit, name = (1e9, "GB") if number >= 1e9 else (1e6, "MB") if number >= 1e6 else (1e3, "kB")
    return f"{number / unit:,.1f} {name}"
