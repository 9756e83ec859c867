"""A selection as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from sage_select.display import displayed

__all__ = ["html_table"]

#: Characters of a cell.
_LONGEST: Final = 120


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> str:
    """Return a table whose cells are text alone, whatever they hold: no markup of a row reaches the page.

    Parameters
    ----------
    title, note
        What stands above and below it.
    header, rows
        The names of the columns, and their cells; long ones are cut, with an ellipsis.
    """
    head = "".join(f"<th>{_text(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    below = f"<p>{_text(note)}</p>" if note else ""
    return f"<p>{_text(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"


def _text(value: object) -> str:
    text = displayed(value)
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "\N{HORIZONTAL ELLIPSIS}")
