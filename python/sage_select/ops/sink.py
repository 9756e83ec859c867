"""Where the selection goes."""

from __future__ import annotations

from typing import ClassVar

from sage_select.ops.base import Op
from sage_select.ops.location import OutputPath

__all__ = ["Sink"]


class Sink(Op):
    """The output.

    Attributes
    ----------
    path
        The format follows the name: `.arrow`, `.arrows`, `.parquet`, `.jsonl`, `.jsonl.gz`, or a folder.
    rows
        Also write the row report beside it (`NAME.rows.parquet`).
    """

    name: ClassVar[str] = "sink"

    path: OutputPath = "out.arrow"
    rows: bool = True

    def describe(self) -> str:
        """Return where the output goes."""
        return self.path + (" with the row report" if self.rows else "")
