"""One call from a selection to a finished output folder: what `sage-train` does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sage_select.errors import OutputError
from sage_select.render.quiet import quiet_libraries
from sage_select.train.allowed import Change, allowed_changes, refuse_other_steps
from sage_select.train.checkpoints import Checkpoint, list_checkpoints, newest_complete, read_seal, seal
from sage_select.train.config import TrainConfig
from sage_select.train.failures import resource_failures
from sage_select.train.from_adapter import with_adapter
from sage_select.train.hardware import device_here, require_training_packages
from sage_select.train.kinds import KINDS
from sage_select.train.launchers import started_processes
from sage_select.train.ledger import losses_at_both_ends, read_steps
from sage_select.train.plan import plan_of, recorded_schedule
from sage_select.train.prepare import Prepared, prepare
from sage_select.train.processes import Processes
from sage_select.train.prolong import prolongs
from sage_select.train.replaced import LOSSES_NAME, REPLAYED_NAME, SCHEDULE_NAME
from sage_select.train.replaying.buffer import check_writable, refuse_in_one_another
from sage_select.train.replaying.ending import with_update
from sage_select.train.replaying.model_logits import ModelLogits, trained_model
from sage_select.train.reporters import require_reporters
from sage_select.train.result import TrainResult
from sage_select.train.run_folder import Found, RunFolder, no_run_to_resume
from sage_select.train.stages import Stages, silent_stages

if TYPE_CHECKING:
    from sage_select.train.adapter import Trainee
    from sage_select.train.loop import Trained
    from sage_select.train.plan import Plan

__all__ = ["train"]


def train(
    selection: Any,
    config: TrainConfig,
    *,
    eval_data: Any = None,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
    sources: Mapping[str, str] | None = None,
) -> TrainResult:
    """Train an adapter, or a whole model, on a selection, row for row in its order.

    Parameters
    ----------
    selection
        Path of a file written by `sage-select build` or of any table that it can read, or rows in memory: an
        object with `__arrow_c_stream__`, such as a `Selection`, or a list of dicts.
    config
        The settings.
    eval_data
        Rows to evaluate during training, as a selection is given, but for those that repeat rows of the selection.
    stages
        Told what is going on: `with stages("tokenising") as progress: progress(done, total)`; a step of
        training adds its loss as a third argument.
    notice
        Called with each notice as it arises; all of them are in the result too.
    sources
        Setting -> who said it, for the settings that are saved with the run.

    Returns
    -------
    TrainResult
        Where everything lies, the counts and the losses. If `config.output_dir` holds the same finished run,
        nothing is done and `cached` is True.

    Raises
    ------
    UsageError
        For a missing selection or model, settings that this machine cannot do, or a launch as one of several processes.
    DataError
        If rows are damaged, none has anything to train, or the loss stops being a number.
    OutputError
        If the output folder holds another run, or one that is not finished, or is in use.
    ResourceError
        If a package is missing, or memory or the disk runs out.
    KeyboardInterrupt
        On Ctrl-C, after a checkpoint from which `resume` continues.
    """
    require_training_packages()
    require_reporters(config.report_to)
    with started_processes() as (processes, told):
        run = _Run(config, stages or silent_stages, notice, sources or {}, processes)
        return run.run(selection, eval_data, told if processes.is_first else ())


class _Run:
    """The state of one call of `train`: settings, and how to talk."""

    def __init__(
        self,
        config: TrainConfig,
        stages: Stages,
        notice: Callable[[str], None] | None,
        sources: Mapping[str, str],
        processes: Processes,
    ) -> None:
        self._processes = processes
        self._config = with_adapter(config)
        self._sources = sources
        self._stages = stages
        self._told = notice
        self._notices: list[str] = []
        #: What was changed in the run when it went on, now or earlier.
        self._changed: list[dict[str, Any]] = []

    def run(self, selection: Any, eval_data: Any, told: Sequence[str]) -> TrainResult:
        for text in told:
            self._notice(text)
        folder = RunFolder(self._config.output_dir, KINDS[self._config.adapter])
        path, eval_path = (one if isinstance(one, str | Path) else None for one in (selection, eval_data))
        folder.refuse_inputs(
            {
                "selection": path,
                "eval_data": eval_path,
                "model": self._config.model,
                "chat_template": self._config.chat_template,
                "from_adapter": self._config.from_adapter,
                "schedule_file": self._config.schedule_file,
                "replay": self._config.replay,
                **{one.name: one.value for one in self._config.method.inputs()},
            }
        )
        if self._config.replay is not None:
            refuse_in_one_another(self._config.replay, folder.path)
        with quiet_libraries():
            self._processes.join(has_gpu=device_here() == "cuda")
            recorded = None
            if self._config.replay is not None:
                here = self._processes.is_first and not self._config.force
                recorded = self._processes.from_first(folder.replayed() if here else None)
            prepared = prepare(
                selection,
                self._config,
                eval_data,
                stages=self._stages,
                notice=self._notice,
                sources=self._sources,
                processes=self._processes.count,
                recorded=recorded,
                agreed=self._processes.from_first,
            )
            # Of several processes the first alone holds the folder, and says how to go on.
            with folder.locked() if self._processes.is_first else nullcontext(), resource_failures(folder.path):
                claimed = self._claim(folder, prepared) if self._processes.is_first else None
                claimed = self._processes.from_first(claimed)
                if isinstance(claimed, TrainResult):
                    return claimed
                if claimed is None and recorded is None:
                    self._check_buffer()
                return self._train(folder, prepared, claimed)

    def _check_buffer(self) -> None:
        """Find out before the run whether its rows can be offered to the buffer after it."""
        config = self._config
        if self._processes.is_first and config.replay is not None and config.replay_update:
            check_writable(config.replay)

    def _notice(self, text: str) -> None:
        self._notices.append(text)
        if self._told is not None:
            self._told(text)

    def _claim(self, folder: RunFolder, prepared: Prepared) -> Checkpoint | TrainResult | None:
        """Return the finished run if it is there, else the checkpoint to start from (None: from the beginning)."""
        config, found = self._config, folder.found()
        if found is None or config.force:
            if config.resume:
                raise no_run_to_resume(folder.path)
            return None
        if found.result is None and not config.resume and not list_checkpoints(folder.checkpoints):
            self._notice("an earlier run in the output folder ended before its first checkpoint and is replaced")
            return None
        changes, goes_on = self._changes(folder, found, prepared)
        if found.result is not None and not goes_on:
            if folder.adapter_digest() == found.result.adapter_digest:
                tokenizer = prepared.renderer.tokenizer
                model = partial(trained_model, config, tokenizer, folder.weights)
                return replace(self._offered(folder, prepared, found.result, model), cached=True)
            self._notice("the adapter of the finished run is missing or was changed")
        if not config.resume:
            raise OutputError(
                "the folder holds this run, but it is not finished",
                where=str(folder.path),
                hint="continue it with --resume, replace it with --force, or name another folder with --output-dir",
            )
        checkpoint, torn = newest_complete(folder.checkpoints)
        for one in torn:
            self._notice(f"checkpoint {one.step} is not complete and was deleted")
            shutil.rmtree(one.folder)
        if checkpoint is None:
            self._notice("there is no complete checkpoint; the run starts from its first step")
        elif read_seal(checkpoint.folder) not in (prepared.identity, *([found.identity] if goes_on else [])):
            raise OutputError(
                "the newest checkpoint is of another run",
                where=str(checkpoint.folder),
                hint="replace the run with --force, or name another folder with --output-dir",
            )
        after = 0 if checkpoint is None else checkpoint.step
        if changes:
            steps = islice(read_steps(folder.ledger), after) if folder.ledger.is_file() else ()
            schedule = recorded_schedule(prepared.schedule, prepared.rows, config, folder.rounds, checkpoint)
            refuse_other_steps(steps, schedule, prepared.rows.row_ids, where=str(folder.path))
            if after >= prepared.schedule.steps and any(change.affects_steps for change in changes):
                raise OutputError(
                    "the last step has been taken, so that these changes would do nothing",
                    where=str(folder.path),
                    got="; ".join(map(str, changes)),
                    hint="leave them out, or take more steps: --max-steps with --allow-change max_steps",
                )
        for change in changes:
            self._notice(f"changed after step {after:,}: {change}")
        self._changed = [*found.about.get("changes", ()), *(change.as_dict(after) for change in changes)]
        return checkpoint

    def _changes(self, folder: RunFolder, found: Found, prepared: Prepared) -> tuple[list[Change], bool]:
        """Return what is another than before, all of it allowed, and whether the run goes on as another."""
        config, where = self._config, str(folder.path)
        if config.allow_change:
            changes = allowed_changes(found.identity, prepared.identity, config.allow_change, where=where)
            return changes, bool(changes)
        if config.resume and prolongs(found, prepared.identity, prepared.rows, config):
            return [], True
        folder.refuse_unless_same(found, prepared.identity)
        return [], False

    def _train(self, folder: RunFolder, prepared: Prepared, checkpoint: Checkpoint | None) -> TrainResult:
        from sage_select.train.adapter import count_parameters, make_trainee
        from sage_select.train.base_model import load_base_model
        from sage_select.train.loop import can_recompute, run_loop
        from sage_select.train.schedule_file import write_schedule
        from sage_select.train.separation import layout_rule

        config, rows, tokenizer = self._config, prepared.rows, prepared.renderer.tokenizer
        with self._stages("loading the model"):
            model = load_base_model(config, prepared.precision, tokenizer)
            trainee = make_trainee(model, config, rows)
        model, notices, parameters = trainee.model, [*trainee.notices], count_parameters(trainee.model)
        plan = plan_of(
            prepared.schedule,
            layout_rule(model, rows, config),
            rows=rows,
            config=config,
            path=folder.rounds,
            checkpoint=checkpoint,
            written=self._processes.is_first,
            grown=lambda: write_plan(),
        )
        if config.gradient_checkpointing and not can_recompute(model, config):
            notices.append("the model keeps its activations: its class has no gradient checkpointing")
        for text in notices:
            self._notice(text)
        begun = False

        def write_plan() -> None:
            if self._processes.is_first:
                folder.put_file(
                    SCHEDULE_NAME, lambda path: write_schedule(path, plan.schedule, plan.layout, rows, config.seed)
                )

        def begin() -> None:
            nonlocal begun
            begun = True
            if not self._processes.is_first:
                return
            # Of a run that is prolonged or changed.
            for one in list_checkpoints(folder.checkpoints) if checkpoint is not None else ():
                if read_seal(one.folder) not in (None, prepared.identity):
                    seal(one.folder, prepared.identity)
            about = {**prepared.about, "parameters": parameters, "changes": self._changed}
            folder.start(prepared.identity, prepared.settings, about, anew=checkpoint is None)
            if prepared.replay is not None:
                folder.put_file(REPLAYED_NAME, prepared.replay.write)
            write_plan()

        try:
            with self._stages("training") as progress:
                trained = run_loop(
                    model=model,
                    material=prepared.material,
                    held_out=prepared.held_out,
                    plan=plan,
                    identity=prepared.identity,
                    folder=folder,
                    begin=begin,
                    checkpoint=checkpoint,
                    progress=progress,
                    processes=self._processes,
                )
        except (KeyboardInterrupt, SystemExit):
            self._notice(
                "stopped; --resume continues from the newest checkpoint"
                if begun or checkpoint is not None
                else "stopped before the first step was taken; the output folder is as it was"
            )
            raise
        finally:
            # Set aside still only where the first step could not be recorded.
            if self._processes.is_first:
                folder.replaced.restore()
        result = None
        if self._processes.is_first:
            result = self._finish(folder, prepared, checkpoint, trainee, trained, plan, parameters)
        return cast("TrainResult", self._processes.from_first(result))

    def _finish(
        self,
        folder: RunFolder,
        prepared: Prepared,
        checkpoint: Checkpoint | None,
        trainee: Trainee,
        trained: Trained,
        plan: Plan,
        parameters: dict[str, int],
    ) -> TrainResult:
        """Prove that the run took its schedule, and write what it made."""
        from sage_select.train.adapter import save_trained
        from sage_select.train.losses_file import write_losses
        from sage_select.train.saved_tokenizer import save_tokenizer
        from sage_select.train.schedule_summary import ScheduleSummary

        config, rows = self._config, prepared.rows
        steps = list(read_steps(folder.ledger))
        proved = plan.proved()
        taken, laid = proved.first(trained.steps), plan.layout.first(trained.steps)
        taken.verify((step.rows for step in steps), rows.row_ids)
        folder.put_file(LOSSES_NAME, lambda path: write_losses(path, steps, taken, rows.row_ids))
        with folder.new_weights() as temporary:
            save_trained(replace(trainee, model=trained.model), temporary)
            for text in save_tokenizer(
                prepared.renderer,
                trained.model,
                temporary,
                source=config.model,
                chat_template=prepared.chat_template,
            ):
                self._notice(text)
        loss_first, loss_last = losses_at_both_ends(steps)
        result = TrainResult(
            output_dir=folder.path,
            adapter_digest=folder.adapter_digest() or "",
            cached=False,
            resumed_from=checkpoint.step if checkpoint else 0,
            steps=trained.steps,
            loss_first=loss_first,
            loss_last=loss_last,
            rows=rows.summary.as_dict(),
            schedule=ScheduleSummary.of(taken, laid, proved.digest(rows.order_digest)).as_dict(),
            precision=prepared.precision,
            device=str(trained.model.device),
            fingerprint=prepared.fingerprint,
            adapter=config.adapter,
            parameters=parameters,
            notices=tuple(self._notices),
            held_out=trained.held_out,
            replay=prepared.about["replay"],
            method=config.method.name,
            loss_of=config.method.loss_of(),
        )
        folder.finish(prepared.identity, result)
        return self._offered(folder, prepared, result, lambda: trained.model)

    def _offered(
        self, folder: RunFolder, prepared: Prepared, result: TrainResult, model: Callable[[], Any]
    ) -> TrainResult:
        """Return the result of a finished run, of that model, once its rows were offered to the buffer, if any."""
        config, replay, ask = self._config, prepared.replay, None
        if replay is not None and config.replay_logits:
            ask = ModelLogits(config, replay.new, prepared.renderer.tokenizer, model, self._stages)
        return with_update(result, folder, prepared.identity, config, replay, self._notice, ask)
