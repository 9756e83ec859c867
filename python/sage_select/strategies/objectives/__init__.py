"""Objectives of diversity, one a file, and the list of them by name."""

from __future__ import annotations

from sage_select.strategies.objectives.base import Objective
from sage_select.strategies.objectives.d2 import d2
from sage_select.strategies.objectives.dpp import dpp
from sage_select.strategies.objectives.facility import facility
from sage_select.strategies.objectives.graph_cut import graph_cut
from sage_select.strategies.objectives.herding import herding
from sage_select.strategies.objectives.kcenter import kcenter
from sage_select.strategies.objectives.kmeans import kmeans
from sage_select.strategies.objectives.mmr import mmr

__all__ = ["OBJECTIVES"]

OBJECTIVES: dict[str, Objective] = {
    "facility": facility,
    "graph_cut": graph_cut,
    "kcenter": kcenter,
    "mmr": mmr,
    "dpp": dpp,
    "herding": herding,
    "d2": d2,
    "kmeans": kmeans,
}
