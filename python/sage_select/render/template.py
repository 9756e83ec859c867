r"""The `--template` language: text with `{column}` fields, and nothing else.

`{name}` is replaced by the value of the column, `{{` and `}}` stand for braces, and `\n`, `\t`, `\\` for a newline,
a tab and a backslash (a shell passes them on unread). There are no attributes, indexes, formats or conversions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sage_select.errors import UsageError

__all__ = ["Template", "parse_template"]

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|\\[nt\\]")
_ESCAPES = {"{{": "{", "}}": "}", "\\n": "\n", "\\t": "\t", "\\\\": "\\"}


@dataclass(frozen=True)
class Template:
    """A parsed template: literal text and column names in turn, a literal first and last.

    Parameters
    ----------
    literals
        One more than `fields`.
    fields
        Column names in the order of use; a name may come twice.
    """

    literals: tuple[str, ...]
    fields: tuple[str, ...]


@lru_cache(maxsize=16)
def parse_template(text: str) -> Template:
    r"""Parse a template.

    Raises
    ------
    UsageError
        A brace stands alone, a field has no name, or there is no field at all.

    Examples
    --------
    >>> parse_template("Q: {question}\\nA: {{{answer}}}").fields
    ('question', 'answer')
    """
    literals, fields, literal, end = [], [], "", 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        literal += text[end : match.start()]
        end = match.end()
        if token in _ESCAPES:
            literal += _ESCAPES[token]
        elif len(token) > 2:
            literals.append(literal)
            fields.append(token[1:-1])
            literal = ""
        else:
            raise UsageError(
                f"--template has {token!r} at character {match.start()} that belongs to no field",
                expected="fields such as {question}; braces of the text are written {{ and }}",
            )
    if not fields:
        raise UsageError("--template names no column", expected="at least one field such as {question}")
    return Template((*literals, literal + text[end:]), tuple(fields))
