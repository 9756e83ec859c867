"""Calls of tools that a model had better not learn: of tools that a row does not offer, or with nulls in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sage_select.render import Conversation, Example

__all__ = ["Calls"]

#: Rows named for each fault.
_NAMED: Final = 5


@dataclass
class Calls:
    """Counts over the rows seen so far.

    Attributes
    ----------
    calls
        Calls that the assistant makes.
    unknown
        Name of a tool -> calls of it in rows that offer tools, and not this one.
    without_tools
        Calls in rows that offer none.
    nulls
        Calls with a null among their arguments, at any depth: libraries that make one table of all arguments put one
        for each that a call does not have.
    rows
        Fault (`unknown`, `without_tools`, `nulls`) -> ids of the first rows that have it.
    """

    calls: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    without_tools: int = 0
    nulls: int = 0
    rows: dict[str, list[str]] = field(default_factory=dict)

    def add(self, row_id: str, example: Example) -> None:
        """Note the calls of a row."""
        if not isinstance(example, Conversation):
            return
        offered = {str(tool.get("function", tool).get("name")) for tool in example.tools}
        for message in example.messages:
            for call in message.get("tool_calls", ()):
                self.calls += 1
                name = str(call["function"]["name"])
                if not offered:
                    self.without_tools += 1
                    self._note("without_tools", row_id)
                elif name not in offered:
                    self.unknown[name] += 1
                    self._note("unknown", row_id)
                if any(leaf is None for leaf in _leaves(call["function"]["arguments"])):
                    self.nulls += 1
                    self._note("nulls", row_id)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "calls": self.calls,
            "unknown": dict(self.unknown.most_common()),
            "without_tools": self.without_tools,
            "nulls": self.nulls,
            "rows": self.rows,
        }

    def lines(self) -> Iterator[str]:
        """Yield what is to be known of them before training, a line each."""
        if self.unknown:
            names = ", ".join(name for name, _ in self.unknown.most_common(3))
            yield (
                f"{self.unknown.total():,} of {self.calls:,} calls are of tools that their rows do not offer "
                f"({names}{', ...' if len(self.unknown) > 3 else ''}; {self._first('unknown')})"
            )
        if self.without_tools and self.without_tools < self.calls:
            yield (
                f"{self.without_tools:,} of {self.calls:,} calls are in rows that offer no tools "
                f"({self._first('without_tools')})"
            )
        if self.nulls:
            yield (
                f"{self.nulls:,} of {self.calls:,} calls have a null among their arguments, which is trained as "
                f"it stands ({self._first('nulls')})"
            )

    def _note(self, fault: str, row_id: str) -> None:
        named = self.rows.setdefault(fault, [])
        if len(named) < _NAMED and row_id not in named:
            named.append(row_id)

    def _first(self, fault: str) -> str:
        return f"ids {', '.join(self.rows[fault])}"


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value
