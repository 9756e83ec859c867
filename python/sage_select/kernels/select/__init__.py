"""Selection by vectors: one file a kernel."""

from __future__ import annotations

from sage_select.kernels.select.d2 import d2
from sage_select.kernels.select.dpp import ridge_dpp
from sage_select.kernels.select.facility import facility_location
from sage_select.kernels.select.graph_cut import graph_cut
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.herding import herding
from sage_select.kernels.select.k_center import k_center
from sage_select.kernels.select.leaders import Led, leaders
from sage_select.kernels.select.mmr import mmr
from sage_select.kernels.select.target import Matched, target_match
from sage_select.kernels.select.threshold import Filtered, threshold_filter

__all__ = [
    "Filtered",
    "Greedy",
    "Led",
    "Matched",
    "d2",
    "facility_location",
    "graph_cut",
    "herding",
    "k_center",
    "leaders",
    "mmr",
    "ridge_dpp",
    "target_match",
    "threshold_filter",
]
