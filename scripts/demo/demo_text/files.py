"""Files that are the same bytes whenever they are written."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["write_json", "write_jsonl_gz"]


def write_jsonl_gz(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write `rows` as gzipped JSON lines, without a time stamp or a file name inside."""
    text = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
