"""Entries by which other trainers read a selection as it was planned: one file a trainer, in `targets`."""

from __future__ import annotations

from sage_select.export.selected import Selected, select_for_export
from sage_select.export.target import TARGETS, Entry, Target, export

__all__ = ["TARGETS", "Entry", "Selected", "Target", "export", "select_for_export"]
