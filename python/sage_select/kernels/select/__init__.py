"""Selection by vectors: one file a kernel."""

from __future__ import annotations

from sage_select.kernels.select.badge import badge
from sage_select.kernels.select.d2 import d2
from sage_select.kernels.select.dpp import ridge_dpp
from sage_select.kernels.select.facility import facility_location
from sage_select.kernels.select.graph_cut import graph_cut
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.herding import herding
from sage_select.kernels.select.k_center import k_center
from sage_select.kernels.select.limits import Limits
from sage_select.kernels.select.mmr import mmr
from sage_select.kernels.select.near_duplicates import NearDuplicates, near_duplicates
from sage_select.kernels.select.nearest_members import MEMBERS_COPIED, NearestMembers, nearest_members
from sage_select.kernels.select.request import Request
from sage_select.kernels.select.take_admissible import take_admissible
from sage_select.kernels.select.target import Matched, target_match
from sage_select.kernels.select.threshold import Filtered, threshold_filter

__all__ = [
    "MEMBERS_COPIED",
    "Filtered",
    "Greedy",
    "Limits",
    "Matched",
    "NearDuplicates",
    "NearestMembers",
    "Request",
    "badge",
    "d2",
    "facility_location",
    "graph_cut",
    "herding",
    "k_center",
    "mmr",
    "near_duplicates",
    "nearest_members",
    "ridge_dpp",
    "take_admissible",
    "target_match",
    "threshold_filter",
]
