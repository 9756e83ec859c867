"""The stages of a pipeline, one a file."""

from __future__ import annotations

from sage_select.stages.augment import Augment
from sage_select.stages.compare import Compare
from sage_select.stages.dedup import Dedup
from sage_select.stages.embed import Embed
from sage_select.stages.holdout import Holdout
from sage_select.stages.labelled import Labelled
from sage_select.stages.mix import Mix
from sage_select.stages.order import Order
from sage_select.stages.predict import Predict
from sage_select.stages.replay import Replay
from sage_select.stages.score import Score
from sage_select.stages.select import Select
from sage_select.stages.sink import Sink
from sage_select.stages.source import Source

__all__ = [
    "Augment",
    "Compare",
    "Dedup",
    "Embed",
    "Holdout",
    "Labelled",
    "Mix",
    "Order",
    "Predict",
    "Replay",
    "Score",
    "Select",
    "Sink",
    "Source",
]
