"""A selection as another program will read it: its file, its shape, and how its turns are spelt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from sage_select.errors import DataError, UsageError, Where
from sage_select.io import decode_rows, output_format
from sage_select.io.formats.encode import OutputFormat
from sage_select.paths import user_path
from sage_select.render import Shape
from sage_select.render.messages import CALL_ROLES, ROLES
from sage_select.render.values import json_paths
from sage_select.train.selection import OrderedRows, read_selection

__all__ = ["Selected", "Turns", "select_for_export"]

#: Formats whose objects are written as objects, not as JSON text.
_AS_OBJECTS: Final = (OutputFormat.JSONL, OutputFormat.JSONL_GZIP)
#: Members of a message that call tools.
_CALLS: Final = ("tool_calls", "tool_call", "function_call")


@dataclass
class Turns:
    """How the turns of conversations are spelt.

    Attributes
    ----------
    role_keys, content_keys
        The members that hold who speaks, and what is said, with how many turns have them.
    roles
        Names of speakers -> how many turns are theirs.
    others
        Other members that hold something -> how many turns have them.
    calls
        The first row in which a turn calls tools by a member of its own; None where none does.
    no_text
        The first row in which a turn says something that is no text, such as a list of parts; None where none does.
    """

    role_keys: Counter[str] = field(default_factory=Counter)
    content_keys: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    calls: Where | None = None
    no_text: Where | None = None

    def add(self, message: Any, where: Where) -> None:
        """Count a turn."""
        if not isinstance(message, Mapping):
            raise DataError("a turn is no object", where=where, hint="sage-train reads turns that are JSON text")
        present = {name: value for name, value in message.items() if value is not None}
        role, content = ("role" if "role" in present else "from"), ("content" if "content" in present else "value")
        self.role_keys[role] += 1
        self.roles[str(present.get(role))] += 1
        if content in present:
            self.content_keys[content] += 1
            if not isinstance(present[content], str):
                self.no_text = self.no_text or where
        if any(present.get(name) for name in _CALLS):
            self.calls = self.calls or where
        self.others.update(name for name, value in present.items() if name not in (role, content) and value != [])

    def speakers(self, role: str) -> list[str]:
        """Return the names that speakers of a role have, as `role_of` calls it."""
        return [name for name in self.roles if role_of(name) == role]


def role_of(name: str) -> str | None:
    """Return the role of a name of a speaker: system, user, assistant, tool, or `call` where its turns only call tools.

    None where it is unknown.
    """
    spelt = name.strip().lower()
    return "call" if spelt in CALL_ROLES else ROLES.get(spelt)


@dataclass(frozen=True)
class Selected:
    """A selection to be read by another trainer.

    Attributes
    ----------
    path
        Where it lies, in full.
    form
        Its format.
    rows
        The rows in training order, which is that of the file.
    """

    path: Path
    form: OutputFormat
    rows: OrderedRows

    @property
    def shape(self) -> Shape:
        """How a row is read."""
        return self.rows.shape

    @property
    def name(self) -> str:
        """The name of the file without its end."""
        return self.path.name.removesuffix(self.form.value)

    def values(self) -> Iterator[tuple[Where, dict[str, Any]]]:
        """Yield the columns that the shape reads of each row, as a JSON line would hold them."""
        table = self.rows.rows.table.select(list(self.shape.columns))
        for number, row in enumerate(decode_rows(table)):
            yield self.rows.rows.where(number), row

    def json_text(self, column: str) -> list[tuple[str, ...]]:
        """Return where JSON text stands for objects in a column of the file: `("tools",)`, or further in."""
        return [] if self.form in _AS_OBJECTS else list(json_paths(self.rows.rows.table.schema, (column,)))

    def is_text(self, column: str) -> bool:
        """Tell whether a column of the file is text, as the rows have it or in place of objects."""
        schema = self.rows.rows.table.schema
        in_place = (column,) in json_paths(schema, (column,))
        return pa.types.is_string(schema.field(column).type) and not (in_place and self.form in _AS_OBJECTS)

    @cached_property
    def turns(self) -> Turns:
        """How the turns of conversations are spelt.

        Raises
        ------
        DataError
            If something among them is no turn.
        """
        found, column = Turns(), self.shape.fields["messages"]
        for where, row in self.values():
            for message in row[column] or ():
                found.add(message, where)
        return found

    def refuse_other_than_text(self, who: str) -> None:
        """Refuse two-part rows with a part that is no text, such as a prompt that is a list of messages."""
        for where, row in self.values():
            for column, value in row.items():
                if value is not None and not isinstance(value, str):
                    raise DataError(
                        f"{who} takes text here",
                        where=Where(file=where.file, row=where.row, line=where.line, column=column),
                        got=f"a {type(value).__name__}",
                        hint="sage-train reads it",
                    )


def select_for_export(path: Path, *, verify: bool = True) -> Selected:
    """Return a selection as it lies on the disk, read once and checked.

    Raises
    ------
    UsageError
        If it is missing, or its rows have no known shape.
    DataError
        If it is damaged or has no rows, or its rows do not lie in training order.
    """
    source = user_path(path)
    form = output_format(source)
    rows = read_selection(source, verify=verify)
    if not len(rows):
        raise DataError("has no rows to train on", where=str(source))
    if not np.array_equal(rows.order, np.arange(len(rows))):
        raise DataError(
            "the rows do not lie in training order, and other trainers read them as they lie",
            where=str(source),
            hint=f"put them in order: sage-select build {source} --dedup none --budget 100% -o NAME",
        )
    if rows.shape.name == "template":
        raise UsageError(
            "the rows are read by a template, and other trainers know none",
            where=str(source),
            expected="rows with columns for all that is said",
        )
    return Selected(source.absolute(), form, rows)
