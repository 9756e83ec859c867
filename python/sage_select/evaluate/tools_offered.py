"""Rows of a prompt and the name of a tool, as turns that call it, with the tools that they offer (MetaTool)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sage_select import io
from sage_select.errors import DataError, ResourceError, UsageError, nearest
from sage_select.paths import user_path
from sage_select.render import Conversation, to_example
from sage_select.render.messages import normalise_tools
from sage_select.render.shape import detect_shape
from sage_select.train.selection import OrderedRows

__all__ = ["read_tools", "with_tools"]


def read_tools(path: str | Path) -> dict[str, dict[str, Any]]:
    """Return the tools of a JSON file by name: a list of schemas, or an object of names and descriptions.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is no JSON, holds no tool, or one twice.
    """
    try:
        content = json.loads(user_path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError("there is no such file of tools", where=str(path)) from None
    except (ValueError, RecursionError) as error:
        raise DataError("the tools are no JSON", where=str(path), got=str(error)) from None
    except OSError as error:
        raise ResourceError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if isinstance(content, dict) and all(isinstance(one, str) for one in content.values()):
        empty = {"type": "object", "properties": {}}
        content = [{"name": name, "description": said, "parameters": empty} for name, said in content.items()]
    tools = normalise_tools(content, "tools", None)
    found = {str(tool["function"]["name"]): tool for tool in tools}
    if not tools:
        raise DataError(
            "the file holds no tool", where=str(path), expected='a list of schemas, or {"name": "what it does"}'
        )
    if len(found) < len(tools):
        raise DataError("a tool is there twice", where=str(path))
    return found


def with_tools(rows: OrderedRows, tools: Mapping[str, Mapping[str, Any]], offered: int, source: str) -> OrderedRows:
    """Return rows whose answer is the name of a tool as conversations that end in a call of it.

    Parameters
    ----------
    rows
        Rows of two parts.
    tools
        By name.
    offered
        How many of them a row offers: the right one, and others with the smallest keyed hashes of the row's id and
        their names, all in an order by another such hash, so that neither place nor order tells which is right.
    source
        The file of the tools, for messages.

    Raises
    ------
    UsageError
        If the rows are of another shape.
    DataError
        If the answer of a row is no such tool.
    """
    made = []
    for row in rows:
        example = to_example(row.values, rows.shape, row.where)
        messages = example.messages if isinstance(example, Conversation) else []
        last = messages[-1] if messages else {"role": ""}
        if last["role"] != "assistant" or last.get("tool_calls"):
            raise UsageError(
                "--tools is for rows of a prompt and the name of a tool",
                where=rows.source,
                expected="--prompt-column and --completion-column, such as Query and Tool",
                got=f"rows that are read as {rows.shape.name}",
            )
        name = str(last["content"]).strip()
        if name not in tools:
            raise DataError(
                "the answer is the name of no tool", where=row.where, got=name[:80], hint=nearest(name, tools) or source
            )
        call = {"type": "function", "function": {"name": name, "arguments": {}}}
        turns = [*messages[:-1], {"role": "assistant", "content": "", "tool_calls": [call]}]
        names = _offered(row.row_id, name, list(tools), offered)
        made.append(
            {
                "messages": json.dumps(turns, ensure_ascii=False),
                "tools": json.dumps([tools[one] for one in names], ensure_ascii=False),
            }
        )
    columns = {name: pa.array([one[name] for one in made], pa.string()) for name in ("messages", "tools")}
    if "sage_row_id" in rows.rows.table.column_names:
        columns["sage_row_id"] = pa.array(rows.row_ids(), pa.string())
    read = replace(io.from_object(pa.table(columns)), source=rows.source, digest=rows.rows.digest)
    order = np.arange(len(made), dtype=np.int64)
    return replace(rows, rows=read, order=order, shape=detect_shape(read.table.schema), manifest=None)


def _offered(row_id: str, right: str, names: Sequence[str], count: int) -> list[str]:
    others = sorted((name for name in names if name != right), key=lambda name: _key(b"offered", row_id, name))
    return sorted([right, *others[: count - 1]], key=lambda name: _key(b"place", row_id, name))


def _key(what: bytes, row_id: str, name: str) -> bytes:
    return hashlib.blake2b(f"{row_id}\n{name}".encode(), digest_size=16, key=what).digest()
