"""What a pipeline means before any row is read: defaults filled in, explained, fingerprinted."""

from __future__ import annotations

from sage_select.plan.explain import explain
from sage_select.plan.fingerprint import fingerprint
from sage_select.plan.resolve import refuse_unused_vectors, resolve
from sage_select.plan.working_order import Part, working_order

__all__ = ["Part", "explain", "fingerprint", "refuse_unused_vectors", "resolve", "working_order"]
