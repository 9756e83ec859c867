"""JSON objects that hold the digest of all that follows it, so that no byte of them changes unseen.

`tail -n +4 FILE | b2sum -l 256` prints that digest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sage_select.io.tables.digest import digest_bytes

__all__ = ["is_as_written", "sealed_text"]


def sealed_text(content: Mapping[str, Any], version: int) -> str:
    """Return an object as text, the format version and the digest of all that follows first."""
    rest = {name: value for name, value in content.items() if name not in ("format_version", "digest")}
    text = json.dumps(rest, indent=2, ensure_ascii=False, allow_nan=False).removeprefix("{\n") + "\n"
    digest = digest_bytes(text.encode())
    return f'{{\n  "format_version": {version},\n  "digest": "{digest}",\n{text}'


def is_as_written(data: bytes, version: int) -> bool:
    """Tell whether bytes are those of `sealed_text` for this version."""
    head = re.match(
        rf'\{{\n  "format_version": {version},\n  "digest": "(blake2b-256:[0-9a-f]{{64}})",\n'.encode(), data
    )
    return head is not None and digest_bytes(data[head.end() :]) == head[1].decode()
