"""The folder of a comparison: what lies where, and whose it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sage_select.errors import OutputError, ResourceError
from sage_select.io.commit.lock import locked

__all__ = ["ComparisonFolder"]

_PLAN: Final = "plan.json"
_TOKENS: Final = "tokens.json"
_FORMAT: Final = "sage-train comparison"
#: In the folder of an arm: what names all that it does.
_ARM: Final = "arm.txt"
_ELSEWHERE: Final = "name another folder with --output-dir"


@dataclass(frozen=True)
class ComparisonFolder:
    """The folder of one comparison.

    Attributes
    ----------
    path
        The folder.
    """

    path: Path

    def cell(self, arm: str, seed: int) -> Path:
        """Return the folder of an arm under a seed."""
        return self._arm(arm) / f"seed-{seed}"

    def _arm(self, arm: str) -> Path:
        return self.path / "arms" / re.sub(r"[^\w.-]+", "-", arm)

    def claim_arm(self, arm: str, identity: str) -> None:
        """Keep what an arm does, so that its name never stands for two things.

        Raises
        ------
        OutputError
            If an arm of this name was something else when it was trained here.
        """
        place = self._arm(arm)
        place.mkdir(parents=True, exist_ok=True)
        note = place / _ARM
        if note.exists():
            if note.read_text(encoding="utf-8").strip() != identity:
                raise OutputError(
                    f"the arm {arm} did something else when it was trained here",
                    where=str(place),
                    hint="remove that folder to train it anew, or name another folder with --output-dir",
                )
            return
        temporary = note.with_name(f".{_ARM}")
        temporary.write_text(identity + "\n", encoding="utf-8")
        temporary.replace(note)

    @contextmanager
    def claimed(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Hold the folder alone, made if it is not there, for a comparison that is known by its identity.

        Raises
        ------
        OutputError
            If another comparison is in it, or anything else, or another process holds it.
        ResourceError
            If it cannot be made or written.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError("this is a file, not a folder", where=str(self.path), hint=_ELSEWHERE)
        busy = OutputError("another sage-train is writing into this folder", where=str(self.path), hint="wait for it")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path / ".sage-train.lock", busy=busy):
                self._claim(identity)
                yield
        except OSError as error:
            place = self.path if error.filename is None else error.filename
            raise ResourceError(f"cannot be read or written: {error.strerror or error}", where=str(place)) from None

    def tokens(self) -> int | None:
        """Return the budget of tokens that an earlier call found, so that arms which are added later have the same."""
        try:
            found = json.loads((self.path / _TOKENS).read_text(encoding="utf-8"))["tokens"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, int) and found > 0 else None

    def note_tokens(self, tokens: int) -> None:
        """Keep the budget of tokens."""
        temporary = self.path / f".sage-train.{_TOKENS}"
        temporary.write_text(json.dumps({"tokens": tokens}) + "\n", encoding="utf-8")
        temporary.replace(self.path / _TOKENS)

    def _claim(self, identity: Mapping[str, Any]) -> None:
        plan = self.path / _PLAN
        found: Any = None
        try:
            found = json.loads(plan.read_text(encoding="utf-8"))
        except FileNotFoundError:
            others = sorted(one.name for one in self.path.iterdir() if not one.name.startswith(".sage-train"))
            if others:
                raise self._foreign(", ".join(others[:5])) from None
        except ValueError:
            raise self._foreign(_PLAN) from None
        if found is None:
            temporary = plan.with_name(f".sage-train.{_PLAN}")
            temporary.write_text(json.dumps({"format": _FORMAT, **identity}, indent=2) + "\n", encoding="utf-8")
            temporary.replace(plan)
            return
        if not isinstance(found, dict) or found.get("format") != _FORMAT:
            raise self._foreign(_PLAN)
        other = [name for name in identity if json.loads(json.dumps(identity[name])) != found.get(name)]
        if other:
            raise OutputError(
                "the folder holds another comparison",
                where=str(self.path),
                expected="; ".join(f"{name} {_short(found.get(name))}" for name in other),
                got="; ".join(f"{name} {_short(identity[name])}" for name in other),
                hint="name another folder with --output-dir, or say the same again to go on with that one",
            )

    def _foreign(self, names: str) -> OutputError:
        return OutputError(
            "the folder holds something that is not a comparison of sage-train",
            where=str(self.path),
            got=names,
            hint=_ELSEWHERE,
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:120]}..."
