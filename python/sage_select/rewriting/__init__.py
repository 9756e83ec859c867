"""Rows said in other words: which of their texts may change, what in these must not, and models that write texts."""

from __future__ import annotations

from sage_select.rewriting.parts import Parts, parts_of, with_texts
from sage_select.rewriting.protected import Span, protected_spans, violation

__all__ = ["Parts", "Span", "parts_of", "protected_spans", "violation", "with_texts"]
