"""Augmenters, one a file: each says rows in other words."""

from __future__ import annotations

from sage_select.augmenters.augmenter import AUGMENTERS, Augmenter, Draft, augmenter

__all__ = ["AUGMENTERS", "Augmenter", "Draft", "augmenter"]
