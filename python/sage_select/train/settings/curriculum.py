"""In which order rows are trained, where that is decided while training."""

from __future__ import annotations

from typing import Annotated

from sage_select.declare import Settings
from sage_select.train.curricula import CURRICULA
from sage_select.train.settings.declared import Setting, Whole

__all__ = ["CurriculumSettings"]


class CurriculumSettings(Settings):
    """Curriculum."""

    curriculum: Annotated[
        str,
        Setting(
            "in which order rows are trained: none (that of the selection) or self_paced (in rounds, the easiest rows "
            "first, measured anew by the model before each)",
            metavar=f"[{'|'.join(CURRICULA)}]",
        ),
    ] = "none"
    rounds: Annotated[
        Whole,
        Setting("rounds of each pass over the rows", ge=2, le=1000, when={"curriculum": "self_paced"}),
    ] = 4
