"""Which columns of a table make up a training row, and how they are read.

A shape is told apart by the names of the columns alone, in the fixed order of `KNOWN`; explicit options win.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import pyarrow as pa

from sage_select.errors import UsageError, nearest
from sage_select.render.template import parse_template
from sage_select.render.values import Path, json_paths

__all__ = ["KNOWN", "Form", "Shape", "ShapeOptions", "detect_shape"]


@dataclass(frozen=True)
class ShapeOptions:
    """What the user says about the shape; all parts are optional.

    Parameters
    ----------
    text_column
        The column of plain text rows.
    prompt_column, completion_column
        The columns of two-part rows; one is useless without the other.
    template
        Text with `{column}` fields, see `sage_select.render.template`.
    """

    text_column: str | None = None
    prompt_column: str | None = None
    completion_column: str | None = None
    template: str | None = None


@dataclass(frozen=True)
class Form:
    """A known shape: its name, the columns it must have and those it may have."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(self.required + tuple(f'[{c}]' for c in self.optional))})"


#: The recognised shapes, first match wins.
KNOWN: tuple[Form, ...] = (
    Form("messages", ("messages",), ("tools", "system")),
    Form("sharegpt", ("conversations",), ("tools", "system")),
    Form("prompt_completion", ("prompt", "completion"), ("tools",)),
    Form("instruction", ("instruction", "output"), ("input", "system")),
    Form("question_answer", ("question", "answer")),
    Form("text", ("text",)),
)


@dataclass(frozen=True)
class Shape:
    """How a row is read.

    Parameters
    ----------
    name
        `messages`, `sharegpt`, `prompt_completion`, `instruction`, `question_answer`, `text` or `template`.
    fields
        Part of the row (`messages`, `tools`, `prompt`, ...) -> column that holds it.
    columns
        Exactly the columns that define the row, in the order of `fields`; row ids are made from these.
    options
        What the user asked for.
    json_text
        Paths of values held as JSON text, such as `("messages", "[]", "tools")`.
    """

    name: str
    fields: Mapping[str, str]
    columns: tuple[str, ...]
    options: ShapeOptions = field(default_factory=ShapeOptions)
    json_text: tuple[Path, ...] = ()

    @property
    def is_text(self) -> bool:
        """True where every row is one plain text, without turns."""
        return self.name in ("text", "template")

    def only(self, names: Sequence[str]) -> Shape:
        """Return the shape with those of its parts alone for which a table of these columns has some."""
        fields = {part: column for part, column in self.fields.items() if column in names}
        return replace(self, fields=fields, columns=tuple(one for one in self.columns if one in names))

    def to_dict(self) -> dict[str, Any]:
        """Return the shape as JSON values, for a manifest."""
        return {
            "name": self.name,
            "columns": list(self.columns),
            "fields": dict(self.fields),
            "json_text": [list(path) for path in self.json_text],
            **asdict(self.options),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Shape:
        """Return the shape that `to_dict` described.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            They describe none, or one without a field that it is read by.
        """
        options = ShapeOptions(**{name: values.get(name) for name in ShapeOptions.__dataclass_fields__})
        if values["name"] != "template":
            form = {form.name: form for form in KNOWN}[values["name"]]
            absent = {_PARTS.get(name, name) for name in form.required} - dict(values["fields"]).keys()
            if absent:
                raise ValueError(f"no field for {', '.join(sorted(absent))}")
        return cls(
            name=values["name"],
            fields=dict(values["fields"]),
            columns=tuple(values["columns"]),
            options=options,
            json_text=tuple(tuple(path) for path in values.get("json_text", ())),
        )


def detect_shape(schema: pa.Schema | Sequence[str], options: ShapeOptions | None = None) -> Shape:
    """Return the shape of a table with this schema (or these column names).

    Parameters
    ----------
    schema
        The Arrow schema, or the column names alone; with names alone no JSON text fields are known.
    options
        Explicit columns or a template; they win over recognition.

    Raises
    ------
    UsageError
        The options contradict each other, name a column that is not there, or no shape is recognised.

    Examples
    --------
    >>> detect_shape(["id", "question", "answer"]).name
    'question_answer'
    >>> detect_shape(["Query", "Tool"], ShapeOptions(prompt_column="Query", completion_column="Tool")).columns
    ('Query', 'Tool')
    """
    options = options or ShapeOptions()
    names = list(schema.names) if isinstance(schema, pa.Schema) else list(schema)
    shape_name, fields = _explicit(names, options) or _recognise(names)
    columns = tuple(dict.fromkeys(fields.values()))
    marked = json_paths(schema, columns) if isinstance(schema, pa.Schema) else ()
    return Shape(name=shape_name, fields=fields, columns=columns, options=options, json_text=marked)


def _explicit(names: list[str], options: ShapeOptions) -> tuple[str, dict[str, str]] | None:
    """Return the shape the options ask for, or None where they ask for nothing."""
    asked = [
        flag
        for flag, value in (
            ("--text-column", options.text_column),
            ("--prompt-column with --completion-column", options.prompt_column or options.completion_column),
            ("--template", options.template),
        )
        if value is not None
    ]
    if len(asked) > 1:
        raise UsageError(
            f"{' and '.join(asked)} contradict each other",
            expected="one way to read a row",
            hint="leave all but one away",
        )
    if options.template is not None:
        fields = dict.fromkeys(parse_template(options.template).fields)
        for name in fields:
            _require(name, names, "--template")
        return "template", {name: name for name in fields}
    if options.text_column is not None:
        return "text", {"text": _require(options.text_column, names, "--text-column")}
    if options.prompt_column is None and options.completion_column is None:
        return None
    if options.prompt_column is None or options.completion_column is None:
        given, missing = (
            ("--completion-column", "--prompt-column")
            if options.prompt_column is None
            else ("--prompt-column", "--completion-column")
        )
        raise UsageError(f"{given} is given without {missing}", hint=f"give both, or --text-column; {_listed(names)}")
    return "prompt_completion", {
        "prompt": _require(options.prompt_column, names, "--prompt-column"),
        "completion": _require(options.completion_column, names, "--completion-column"),
    }


def _require(name: str, names: list[str], flag: str) -> str:
    if name not in names:
        raise UsageError(
            f"{flag} names the column {name!r}, which is not there",
            expected=f"one of {', '.join(names)}" if names else "a table with columns",
            hint=nearest(name, names),
        )
    return name


#: Parts of a row that a column is read as under another name.
_PARTS: Final = {"conversations": "messages"}


def _recognise(names: list[str]) -> tuple[str, dict[str, str]]:
    for form in KNOWN:
        if all(name in names for name in form.required):
            present = form.required + tuple(name for name in form.optional if name in names)
            return form.name, {_PARTS.get(name, name): name for name in present}
    closest, like = _nearest_form(names)
    renamed = [f"{found!r} for {wanted!r}" for wanted, found in like.items() if found != wanted]
    missing = [name for name in closest.required if name not in like]
    details = [f"with {' and '.join(renamed)}"] if renamed else []
    details += [f"without {' and '.join(repr(name) for name in missing)}"] if missing else []
    raise UsageError(
        "the rows have no shape that is known",
        expected=f"the columns of one of these: {'; '.join(map(str, KNOWN))}",
        got=_listed(names),
        hint=f"nearest is {closest.name}{' ' if details else ''}{' '.join(details)}; name the columns with "
        "--text-column, with --prompt-column and --completion-column, or write a --template",
    )


def _nearest_form(names: list[str]) -> tuple[Form, dict[str, str]]:
    """Return the known form closest to these names, and which column stands for which of its columns."""
    best: tuple[float, Form, dict[str, str]] = (-1.0, KNOWN[-1], {})
    lowered = {name.lower(): name for name in names}
    for form in KNOWN:
        like: dict[str, str] = {}
        total = 0.0
        for wanted in form.required:
            close = difflib.get_close_matches(wanted, lowered, n=1, cutoff=0.6)
            if close:
                like[wanted] = lowered[close[0]]
                total += difflib.SequenceMatcher(None, wanted, close[0]).ratio()
        if total / len(form.required) > best[0]:
            best = (total / len(form.required), form, like)
    return best[1], best[2]


def _listed(names: Sequence[str]) -> str:
    return f"the columns are {', '.join(map(repr, names))}" if names else "there are no columns"
