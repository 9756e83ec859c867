"""Greedy selection: one file an objective."""

from __future__ import annotations

from sage_select.kernels.select.dpp import ridge_dpp
from sage_select.kernels.select.facility import facility_location
from sage_select.kernels.select.graph_cut import graph_cut
from sage_select.kernels.select.greedy import Greedy
from sage_select.kernels.select.k_center import k_center
from sage_select.kernels.select.mmr import mmr

__all__ = ["Greedy", "facility_location", "graph_cut", "k_center", "mmr", "ridge_dpp"]
