"""All that is known of a run before the model's weights are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_select.train.adapter_files import adapter_digest, adapter_folder, base_of_run
from sage_select.train.config import TrainConfig
from sage_select.train.fingerprint import fingerprint, identity
from sage_select.train.hardware import device_here, precision_here
from sage_select.train.methods import Material
from sage_select.train.pacing import notices_of
from sage_select.train.preflight.report import Preflight, preflight_of
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
        The tokenised rows, by what they were tokenised, and the template in place of the model's own, if one is given.
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
) -> Prepared:
    """Read, render and tokenise a selection, and tell what there is to know of it.

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
    from sage_select.train.evaluated_rows import evaluated_rows, tokenise_held_out
    from sage_select.train.selection import load_selection

    ordered = load_selection(selection, config)
    for text in ordered.notices:
        notice(text)
    ordered, apart = evaluated_rows(ordered, config, eval_data, notice)
    precision, device = precision_here(config), device_here()
    renderer = open_renderer(config)
    with stages("tokenising") as progress:
        rows = tokenise_as(config, ordered, renderer, progress)
    found = preflight_of(rows, renderer, config, source=ordered.source)
    for text in (*renderer.notices, *found.lines):
        notice(text)
    if check:
        found.check()
    held_out = None if apart is None else tokenise_held_out(apart, renderer, config, stages, notice)
    material = Material(config, rows, renderer, precision, notice)
    schedule = (
        Schedule.of(rows, config)
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
        rows=rows.order_digest,
        tokens=rows.digest,
        schedule=schedule_digest,
        tokenizer=renderer.tokenizer_fingerprint,
        template=renderer.template_fingerprint,
        device=device,
        adapter=adapter,
        processes=processes,
        evaluated=None if held_out is None else f"{held_out.order_digest} {held_out.digest}",
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
        about={
            "model": config.model,
            "selection": named.get("selection", "rows in memory"),
            "from_adapter": None if config.from_adapter is None else str(config.from_adapter),
            "preflight": found.as_dict(),
            "held_out": None if held_out is None else held_out.summary.as_dict(),
        },
    )
