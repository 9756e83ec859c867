"""What a pipeline may say: stages as frozen values, their options, and the registries that hold what there is."""

from __future__ import annotations

from sage_select.declare.option import Option
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Choice, Settings
from sage_select.pipeline.cost import Cost, Size, in_turn
from sage_select.pipeline.pipeline import Pipeline
from sage_select.pipeline.run import Reporter, Run
from sage_select.pipeline.stage import STAGES, Stage, stage
from sage_select.values.location import FilePath

__all__ = [
    "STAGES",
    "Choice",
    "Cost",
    "FilePath",
    "Option",
    "Pipeline",
    "Registry",
    "Reporter",
    "Run",
    "Settings",
    "Size",
    "Stage",
    "in_turn",
    "stage",
]
