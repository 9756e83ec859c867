"""All that is known of a run before the model's weights are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sage_select.train.config import TrainConfig
from sage_select.train.fingerprint import fingerprint, identity
from sage_select.train.hardware import precision_here
from sage_select.train.preflight.report import Preflight, preflight_of
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
    settings
        All settings as a file.
    identity, fingerprint
        What the run is known by, in parts and as one digest.
    """

    rows: TrainingRows
    renderer: Renderer
    chat_template: str | None
    preflight: Preflight
    precision: Precision
    settings: str
    identity: dict[str, Any]
    fingerprint: str


def prepare(
    selection: Any, config: TrainConfig, *, stages: Stages, notice: Callable[[str], None], sources: Mapping[str, str]
) -> Prepared:
    """Read, render and tokenise a selection, and tell what there is to know of it.

    Raises
    ------
    UsageError
        For a missing selection or model, or settings that this machine cannot do.
    DataError
        If rows are damaged, none has anything to train, or more are lost than may be.
    """
    from sage_select.render.model_files import model_revision
    from sage_select.train.base_model import given_template, open_renderer
    from sage_select.train.data import tokenise
    from sage_select.train.selection import load_selection

    ordered = load_selection(selection, config)
    for text in ordered.notices:
        notice(text)
    precision = precision_here(config)
    renderer = open_renderer(config)
    with stages("tokenising") as progress:
        rows = tokenise(
            ordered,
            renderer,
            on_bad_row=config.on_bad_row,
            max_bad=config.max_bad,
            on_lost_words=config.on_lost_words,
            progress=progress,
        )
    found = preflight_of(rows, renderer, config, source=ordered.source)
    for text in (*renderer.notices, *found.lines):
        notice(text)
    found.check()
    parts = identity(
        config,
        precision=precision,
        model=model_revision(config.model),
        rows=rows.order_digest,
        tokens=rows.digest,
    )
    named = {"selection": str(selection)} if isinstance(selection, str | Path) else {}
    settings = config.to_yaml(sources, **named)
    return Prepared(rows, renderer, given_template(config), found, precision, settings, parts, fingerprint(parts))
