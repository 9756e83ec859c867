"""What an engine is given besides the plan, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Outcome", "Recorder", "Silence", "Talk"]


class Talk(Protocol):
    """How an engine speaks to whoever runs it."""

    def notice(self, text: str) -> None:
        """Say something the user should know."""
        ...

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open a progress display; its callback takes (done, total)."""
        ...


class Silence:
    """A talk for whoever only wants to know whether something is refused."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def progress(self, _label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show nothing."""
        return nullcontext(lambda _done, _total: None)


class Recorder:
    """A talk that passes everything on and keeps the notices, for the manifest."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        """Keep the notice and pass it on."""
        self.notices.append(text)
        self._talk.notice(text)

    def progress(self, label: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Open the progress display of the talk behind."""
        return self._talk.progress(label)


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes
    ----------
    output, manifest_path
        The files written, or found.
    manifest
        What stands in the manifest.
    cached
        Whether the output was there already, made by the same plan from the same inputs.
    """

    output: Path
    manifest_path: Path
    manifest: Mapping[str, Any]
    cached: bool
