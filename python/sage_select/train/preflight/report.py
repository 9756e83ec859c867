"""The report before a run: what became of the rows, what of them is trained, and what had better be looked at."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sage_select.display import counted
from sage_select.errors import DataError
from sage_select.train.preflight.calls import Calls
from sage_select.train.preflight.tokens import Answers, Lengths, answers_of, lengths_of
from sage_select.train.row_summary import RowSummary

if TYPE_CHECKING:
    from sage_select.render.tokens import Renderer
    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows

__all__ = ["Preflight", "preflight_of"]


@dataclass(frozen=True)
class Preflight:
    """What a run would learn, and from what.

    Attributes
    ----------
    source
        The selection, as the user named it.
    rows
        What became of its rows.
    answers, lengths, calls
        The stretches of tokens that are trained; how long examples are; the calls of tools in them.
    template, tokenizer
        Digests of the chat template, and of all that decides the tokens of a row.
    limits
        Setting -> the most of its kind that may be.
    """

    source: str
    rows: RowSummary
    answers: Answers
    lengths: Lengths
    calls: Calls
    template: str
    tokenizer: str
    limits: dict[str, float]

    @property
    def shares(self) -> dict[str, float]:
        """Setting -> the share of the rows of that kind."""
        rows = self.rows
        return {
            "max_dropped": len(rows.dropped) / rows.rows_in,
            "max_truncated": rows.truncated_rows / rows.rows_in,
        }

    @property
    def lines(self) -> list[str]:
        """What the user should know before anything is trained, one line each."""
        return [*self.rows.lines, *self.calls.lines()]

    def check(self) -> None:
        """Refuse the rows where more of a kind is lost than may be.

        Raises
        ------
        DataError
            With what is lost, and the settings that allow less.
        """
        over = {name: most for name, most in self.limits.items() if self.shares[name] > most}
        if over:
            options = ", ".join(f"--{name.replace('_', '-')} {100 * most:g}%" for name, most in over.items())
            shares = ", ".join(f"{100 * self.shares[name]:.3g} % {_LOST[name]}" for name in over)
            raise DataError(
                f"more of the {counted(self.rows.rows_in, 'row')} is lost than may be: {shares}",
                where=self.source,
                expected=f"at most {options}",
                got="; ".join(self.rows.lines),
                hint="mend the rows, raise --max-length or name another --on-long-row, or allow more",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "source": self.source,
            "rows": self.rows.as_dict(),
            "answers": asdict(self.answers),
            "lengths": asdict(self.lengths),
            "calls": self.calls.as_dict(),
            "template": self.template,
            "tokenizer": self.tokenizer,
            "shares": self.shares,
        }


_LOST = {"max_dropped": "dropped", "max_truncated": "cut"}


def preflight_of(rows: TrainingRows, renderer: Renderer, config: TrainConfig, *, source: str) -> Preflight:
    """Return the report of tokenised rows."""
    ends = {*renderer.special_ids, renderer.tokenizer.eos_token_id} - {None}
    template = json.dumps(renderer.chat_template, sort_keys=True)
    limits = {name: most for name in _LOST if (most := getattr(config, name)) is not None}
    return Preflight(
        source,
        rows.summary,
        answers_of(rows.table, ends),
        lengths_of(rows.table),
        rows.calls,
        hashlib.blake2b(template.encode(), digest_size=16).hexdigest(),
        renderer.fingerprint,
        limits,
    )
