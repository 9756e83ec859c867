"""All that is known of a run before the model's weights are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_select.paths import user_path
from sage_select.render.adapter_files import adapter_digest, adapter_folder
from sage_select.train.config import TrainConfig
from sage_select.train.fingerprint import fingerprint, identity
from sage_select.train.from_adapter import base_of_run
from sage_select.train.hardware import device_here, precision_here
from sage_select.train.methods import Material
from sage_select.train.pacing import notices_of
from sage_select.train.preflight.report import Preflight, preflight_of
from sage_select.train.replaying import Replay, known_rows, replay_of
from sage_select.train.replaying.model_logits import refuse_too_many
from sage_select.train.schedule import Schedule
from sage_select.train.schedule_file import read_schedule
from sage_select.train.settings.model import Precision
from sage_select.train.stages import Stages

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer
    from sage_select.train.data import TrainingRows

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A run that could begin.

    Attributes
    ----------
    rows, renderer, chat_template
        The tokenised rows, those that are replayed behind those of the selection, by what they were tokenised, and the
        template in place of the model's own, if one is given.
    preflight
        What would be learned, and from what.
    precision
        The resolved one.
    material
        What the training method is handed of all that.
    settings
        All settings as a file.
    schedule, schedule_digest
        The examples that each step consumes, and what names them. Of a curriculum that is decided while training it is
        the outline, `Schedule.of`.
    identity, fingerprint
        What the run is known by, in parts and as one digest.
    held_out
        Rows to evaluate during training, tokenised; None where there are none.
    replay
        What is replayed; None where no buffer is named.
    about
        What else is to be known of it, also where it does not end.
    """

    rows: TrainingRows
    renderer: Renderer
    chat_template: str | None
    preflight: Preflight
    precision: Precision
    material: Material
    settings: str
    schedule: Schedule
    schedule_digest: str
    identity: dict[str, Any]
    fingerprint: str
    held_out: TrainingRows | None
    replay: Replay | None
    about: dict[str, Any]


def prepare(
    selection: Any,
    config: TrainConfig,
    eval_data: Any = None,
    *,
    stages: Stages,
    notice: Callable[[str], None],
    sources: Mapping[str, str],
    check: bool = True,
    processes: int = 1,
    recorded: Path | None = None,
    agreed: Callable[[Any], Any] = lambda value: value,
) -> Prepared:
    """Read, render and tokenise a selection, and tell what there is to know of it.

    Parameters
    ----------
    selection, config, eval_data, stages, notice, sources
        As `train` takes them.
    check
        Whether rows are refused of which more is lost than the settings allow.
    processes
        Those that share the forward passes of each step.
    recorded
        What the run of the folder replays, if there is one that goes on.
    agreed
        Gives all processes the value of the first.

    Raises
    ------
    UsageError
        For a missing selection or model, or settings that this machine cannot do, or that need held-out rows.
    DataError
        If rows are damaged, none has anything to train, or more are lost than may be.
    """
    from sage_select.render.model_files import model_revision
    from sage_select.train.base_model import given_template, open_renderer
    from sage_select.train.data import tokenise_as
    from sage_select.train.evaluated_rows import evaluated_rows, tokenise_held_out, without_replayed
    from sage_select.train.selection import load_selection

    ordered = load_selection(selection, config)
    for text in ordered.notices:
        notice(text)
    everything = ordered = ordered if config.replay is None else known_rows(ordered)
    ordered, apart = evaluated_rows(ordered, config, eval_data, notice)
    precision, device = precision_here(config), device_here()
    renderer = open_renderer(config)
    with stages("tokenising") as progress:
        new = rows = tokenise_as(config, ordered, renderer, progress)
    found = preflight_of(new, renderer, config, source=ordered.source)
    for text in (*renderer.notices, *found.lines):
        notice(text)
    if check:
        found.check()
    replay = None
    if config.replay is not None:
        refuse_too_many(config, renderer.tokenizer)
        with stages("tokenising rows to replay") as progress:
            tokenise = partial(tokenise_as, config, renderer=renderer, progress=progress, none_is_fine=True)
            replay = replay_of(
                config, everything, ordered, new, tokenise, recorded=recorded, agreed=agreed, notice=notice
            )
        rows, apart = replay.rows, without_replayed(apart, replay, notice)
    held_out = None if apart is None else tokenise_held_out(apart, renderer, config, stages, notice)
    material = Material(config, rows, renderer, precision, notice, None if replay is None else replay.logits)
    schedule = (
        replay.schedule
        if replay is not None
        else Schedule.of(rows, config)
        if config.schedule_file is None
        else read_schedule(config.schedule_file, rows, ordered, config, notice)
    )
    for text in notices_of(schedule, rows, config):
        notice(text)
    schedule_digest = schedule.digest(rows.order_digest)
    revision, adapter = model_revision(config.model), None
    if config.from_adapter is not None:
        source = adapter_folder(config.from_adapter)
        adapter, base = adapter_digest(source), base_of_run(source)
        if base not in (None, revision):
            notice(f"the adapter in {source} was trained on another base model than {config.model}")
    parts = identity(
        config,
        precision=precision,
        model=revision,
        rows=new.order_digest,
        tokens=new.digest,
        schedule=schedule_digest,
        tokenizer=renderer.tokenizer_fingerprint,
        template=renderer.template_fingerprint,
        device=device,
        adapter=adapter,
        processes=processes,
        evaluated=None if held_out is None else f"{held_out.order_digest} {held_out.digest}",
        replay=None if replay is None else replay.identity,
        method=config.method.content(material),
    )
    given = {"selection": selection, "eval_data": eval_data}
    named = {name: str(path) for name, path in given.items() if isinstance(path, str | Path)}
    return Prepared(
        rows=rows,
        renderer=renderer,
        chat_template=given_template(config),
        preflight=found,
        precision=precision,
        material=material,
        settings=config.to_yaml(sources, **named),
        schedule=schedule,
        schedule_digest=schedule_digest,
        identity=parts,
        fingerprint=fingerprint(parts),
        held_out=held_out,
        replay=replay,
        about={
            "model": config.model,
            "selection": named.get("selection", "rows in memory"),
            "scored_by": _scored_by(ordered.manifest),
            "from_adapter": None if config.from_adapter is None else str(config.from_adapter),
            "preflight": found.as_dict(),
            "replay": None
            if replay is None
            else {"buffer": str(user_path(config.replay or "").absolute()), **replay.facts},
            "held_out": None if held_out is None else held_out.summary.as_dict(),
        },
    )


def _scored_by(manifest: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the model by whose scores the rows were selected, which may be a smaller one; None where none was."""
    scored: Mapping[str, Any] | None = ((manifest or {}).get("evidence") or {}).get("score_model")
    return None if scored is None else {name: scored.get(name) for name in ("model", "revision", "adapter")}
