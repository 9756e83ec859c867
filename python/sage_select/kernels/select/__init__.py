"""Selection by vectors: one file a kernel."""

from __future__ import annotations

from sage_select.kernels.select.closest import Closest, closest
from sage_select.kernels.select.d2 import d2
from sage_select.kernels.select.dpp import ridge_dpp
from sage_select.kernels.select.facility import facility_location
from sage_select.kernels.select.graph_cut import graph_cut
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.herding import herding
from sage_select.kernels.select.k_center import k_center
from sage_select.kernels.select.leaders import Led, leaders
from sage_select.kernels.select.limits import Limits
from sage_select.kernels.select.mmr import mmr
from sage_select.kernels.select.target import Matched, target_match
from sage_select.kernels.select.threshold import Filtered, threshold_filter
from sage_select.kernels.select.walk import in_order

__all__ = [
    "Closest",
    "Filtered",
    "Greedy",
    "Led",
    "Limits",
    "Matched",
    "closest",
    "d2",
    "facility_location",
    "graph_cut",
    "herding",
    "in_order",
    "k_center",
    "leaders",
    "mmr",
    "ridge_dpp",
    "target_match",
    "threshold_filter",
]
