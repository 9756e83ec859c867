"""What a pipeline means before any row is read: defaults filled in, scheduled, explained, fingerprinted."""

from __future__ import annotations

from sage_select.pipeline.plan.explain import explain
from sage_select.pipeline.plan.fingerprint import NodeKey, content_settings, fingerprint, node_keys
from sage_select.pipeline.plan.resolve import resolve
from sage_select.pipeline.plan.schedule import schedule

__all__ = ["NodeKey", "content_settings", "explain", "fingerprint", "node_keys", "resolve", "schedule"]
