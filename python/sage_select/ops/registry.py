"""The one list of ops, by the name a spec calls them."""

from __future__ import annotations

from sage_select.ops.base import Op
from sage_select.ops.dedup import Dedup
from sage_select.ops.embed import Embed
from sage_select.ops.score import Score
from sage_select.ops.select import Select
from sage_select.ops.sink import Sink
from sage_select.ops.source import Source

__all__ = ["OPS"]

#: In the order in which the steps of a pipeline stand.
OPS: dict[str, type[Op]] = {op.name: op for op in (Source, Dedup, Score, Embed, Select, Sink)}
