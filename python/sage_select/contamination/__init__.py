"""Held-out rows among rows to train on: one rule, by which the stage `holdout` drops rows and `sage-train` names them.

Two rows are the same where they say the same, or where one has most of the phrases of words of the other, and of those
of its answers. A row that was made of another, by augmentation, stands for that as well.
"""

from __future__ import annotations

from sage_select.contamination.compared import ComparedRows
from sage_select.contamination.held_out import NEAR_SHARE, HeldOutRows, named_alike
from sage_select.contamination.kinship import Origins
from sage_select.contamination.phrases import PHRASE_WORDS, PhraseIndex, PhraseSets

__all__ = [
    "NEAR_SHARE",
    "PHRASE_WORDS",
    "ComparedRows",
    "HeldOutRows",
    "Origins",
    "PhraseIndex",
    "PhraseSets",
    "named_alike",
]
