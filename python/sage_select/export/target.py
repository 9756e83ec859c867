"""What a target is: a trainer, which formats it reads, and the entry by which it reads a selection."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from sage_select.errors import UsageError, nearest
from sage_select.export.selected import Selected
from sage_select.io.formats.encode import OutputFormat

__all__ = ["TARGETS", "Entry", "Target", "as_yaml", "export"]

_PACKAGE = "sage_select.export.targets"


@dataclass(frozen=True)
class Entry:
    """What a trainer is told of a selection.

    Attributes
    ----------
    text
        The entry as its file holds it.
    value
        The same as JSON values.
    notes
        What the user should know beside it: settings that belong elsewhere, and what the trainer does not read.
    """

    text: str
    value: Mapping[str, Any]
    notes: tuple[str, ...] = field(default=())


class Target(ABC):
    """A trainer.

    Attributes
    ----------
    name
        What the command line calls it: the name of its file.
    title
        What it is called by those who make it.
    formats
        The formats that it reads.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    formats: ClassVar[tuple[OutputFormat, ...]]

    @abstractmethod
    def entry(self, selected: Selected) -> Entry:
        """Return the entry by which the trainer reads a selection as planned, in its order.

        Raises
        ------
        UsageError
            If it cannot read the format or the shape; the error says what to build instead.
        DataError
            If it cannot read some of the rows.
        """

    def refuse(
        self, selected: Selected, what: str, *, expected: str | None = None, hint: str | None = None
    ) -> UsageError:
        """Return the error for a selection that this trainer cannot read."""
        return UsageError(f"{self.title} {what}", where=str(selected.path), expected=expected, hint=hint)

    def refuse_json_text(self, selected: Selected, *columns: str, but: tuple[str, ...] = ()) -> None:
        """Refuse columns of which something is JSON text in the file, but for members of these names.

        Raises
        ------
        UsageError
            If there is such text, which the trainer would take for what was said.
        """
        paths = [path for name in columns for path in selected.json_text(name) if path[-1] not in but]
        if paths:
            where = selected.form.value or "a folder"
            raise self.refuse(
                selected,
                f"reads {paths[0][-1]} as the rows have it, and {where} holds JSON text instead",
                expected=".jsonl, which holds objects",
                hint=self.rebuild(OutputFormat.JSONL, selected),
            )

    def rebuild(self, form: OutputFormat, selected: Selected) -> str:
        """Return how to get the same selection in a format that the trainer reads."""
        return f"build it in that format: sage-select build ... -o {selected.name}{form.value}"


def export(selected: Selected, target: Target) -> Entry:
    """Return the entry of a selection for a trainer.

    Raises
    ------
    UsageError, DataError
        As `Target.entry`.
    """
    if selected.form not in target.formats:
        known = [form.value or "a folder" for form in target.formats]
        raise target.refuse(
            selected,
            f"cannot read {selected.form.value or 'a folder'}",
            expected=", ".join(known),
            hint=target.rebuild(target.formats[0], selected),
        )
    made = target.entry(selected)
    table = selected.rows.rows.table
    weighted = "sage_weight" in table.column_names and set(table["sage_weight"].unique().to_pylist()) != {1.0}
    notes = (f"{target.title} knows no weights of rows: sage_weight is not used",) if weighted else ()
    return Entry(made.text, made.value, (*selected.rows.notices, *notes, *made.notes))


class _Targets(Mapping[str, Target]):
    """The targets by name: each the one that its file declares."""

    def __init__(self) -> None:
        self._names = sorted(one.name for one in iter_modules(import_module(_PACKAGE).__path__))

    def __getitem__(self, name: str) -> Target:
        if name not in self._names:
            raise KeyError(name)
        made: Target = import_module(f"{_PACKAGE}.{name}").TARGET
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def need(self, name: str) -> Target:
        """Return the target of this name.

        Raises
        ------
        UsageError
            If there is none, with the nearest.
        """
        spelt = name.lower().replace("-", "").replace("_", "")
        if spelt not in self:
            raise UsageError(
                f"there is no target {name!r}", expected=f"one of {', '.join(self)}", hint=nearest(spelt, list(self))
            )
        return self[spelt]


TARGETS = _Targets()


def as_yaml(value: Mapping[str, Any], comment: str) -> str:
    """Return values as YAML under a comment."""
    from ruamel.yaml import YAML  # deferred: it takes longer to load than all else

    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(dict(value), text)
    return "".join(f"# {line}\n" for line in comment.splitlines()) + text.getvalue()
