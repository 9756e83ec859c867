"""Labels that are scored as answers: which there are, and as which tokens they follow a prompt.

Each label is scored with the token that ends the turn, so that none is the beginning of another: `card` is no likelier
than `card_declined` for being shorter. Of labels that are equally likely the first of the set counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sage_select.errors import DataError, ResourceError, UsageError
from sage_select.evaluate.final_turns import FinalTurn
from sage_select.evaluate.material import Material
from sage_select.evaluate.metrics import AnswerRecord
from sage_select.evaluate.tool_turns import ends_of_turns, turn_tokens
from sage_select.paths import user_path

__all__ = ["LabelRecord", "Written", "read_labels", "written_labels"]

#: Where more of the rows than this share are written otherwise than their labels, none is scored.
_MOST_OTHERWISE: Final = 0.01


@dataclass(frozen=True)
class LabelRecord(AnswerRecord):
    """A row whose label was scored beside all others.

    Parameters
    ----------
    log_probability, log_probability_expected
        Of the predicted label and of the right one after the prompt, in nats, summed over their tokens.
    tied
        How many labels are as likely as the predicted one, itself among them.
    """

    log_probability: float | None = None
    log_probability_expected: float | None = None
    tied: int = 1

    @property
    def correct(self) -> bool:
        """Whether the expected label is predicted."""
        return self.expected == self.predicted

    @classmethod
    def of(cls, turn: FinalTurn, expected: str, labels: Sequence[str], scores: Sequence[float]) -> LabelRecord:
        """Return the record of a turn from the log-probability of each label."""
        best = int(np.argmax(scores))
        right = scores[labels.index(expected)]
        tied = sum(one == scores[best] for one in scores)
        return cls(turn.row_id, turn.message, expected, labels[best], False, scores[best], right, tied)


@dataclass(frozen=True)
class Written:
    """Labels as tokens.

    Parameters
    ----------
    tokens
        Of each label, with the one that ends the turn.
    turns
        The turns after whose prompt they stand so.
    otherwise
        How many turns are left out, since their own label is written in other tokens.
    """

    tokens: list[list[int]]
    turns: tuple[FinalTurn, ...]
    otherwise: int


def read_labels(path: str) -> tuple[str, ...]:
    """Return the labels of a file, one a line, in its order; empty lines count for nothing.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is no text, holds no label, or one twice.
    """
    file = user_path(Path(path))
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise UsageError("there is no such file of labels", where=path) from None
    except UnicodeDecodeError as error:
        raise DataError("the labels are not UTF-8", where=path, got=str(error)) from None
    except OSError as error:
        raise ResourceError(f"cannot be read: {error.strerror}", where=path) from None
    labels = [line.strip() for line in lines if line.strip()]
    if not labels:
        raise DataError("the label set is empty", where=path, expected="a label a line")
    twice = next((one for place, one in enumerate(labels) if one in labels[:place]), None)
    if twice is not None:
        raise DataError("a label is there twice", where=path, got=twice)
    return tuple(labels)


def written_labels(
    material: Material, turns: Sequence[FinalTurn], expected: Sequence[str], labels: Sequence[str]
) -> Written | str:
    """Return labels as the chat template writes them in the place of the answer, or why they cannot be scored."""
    text = str(material.tokenizer.decode(turns[0].tokens))
    before, found, after = text.partition(turns[0].words.strip())
    if not found:
        return "the chat template does not write answers as the rows have them"
    tokens = [_following(material, turns[0], f"{before}{label}{after}") for label in labels]
    ends = ends_of_turns(tokens, material.renderer.special_ids)
    if not all(one[-1] in ends for one in tokens):
        first = _beginning_another(labels, tokens)
        if first is not None:
            return f"nothing ends the turn of the label {first[0]!r}, with which {first[1]!r} begins"
    of = dict(zip(labels, tokens, strict=True))
    last = {owner: one.input_ids for owner, one in zip(material.owners, material.examples, strict=True)}
    alike = tuple(
        turn for turn, label in zip(turns, expected, strict=True) if _ends_in(last[turn.row], turn.prompt, of[label])
    )
    otherwise = len(turns) - len(alike)
    if otherwise > _MOST_OTHERWISE * len(turns):
        return f"of {otherwise:,} of {len(turns):,} rows the answer is not written as its label is"
    return Written(tokens, alike, otherwise)


def _following(material: Material, turn: FinalTurn, text: str) -> list[int]:
    """Return the tokens of a text that follows a prompt, as they are where both are written in one."""
    tokenizer, special = material.tokenizer, material.renderer.special_ids
    near = turn.prompt[-len(tokenizer(turn.prompt_end, add_special_tokens=False)["input_ids"]) :]
    joint = turn_tokens(tokenizer, turn.prompt_end + text, special)
    return joint[len(near) :] if joint[: len(near)] == near else turn_tokens(tokenizer, text, special)


def _ends_in(ids: Sequence[int], prompt: Sequence[int], tokens: Sequence[int]) -> bool:
    """Return whether a row as it is trained holds these tokens behind its prompt; one that is cut is not looked at."""
    if list(ids[: len(prompt)]) != list(prompt):
        return True
    return list(ids[len(prompt) : len(prompt) + len(tokens)]) == list(tokens)


def _beginning_another(labels: Sequence[str], tokens: Sequence[Sequence[int]]) -> tuple[str, str] | None:
    whole: dict[tuple[int, ...], str] = {tuple(one): label for one, label in zip(tokens, labels, strict=True)}
    for one, label in zip(tokens, labels, strict=True):
        for length in range(1, len(one)):
            if tuple(one[:length]) in whole:
                return whole[tuple(one[:length])], label
    return None
