"""What a row becomes: training examples as tokens, and turns as they are to be generated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Encoded", "Predicted"]


@dataclass(frozen=True)
class Encoded:
    """One training example as tokens.

    Parameters
    ----------
    input_ids
        Token ids, at most `max_length`; none where the example is too long and left out.
    labels
        The same ids where a token is trained, -100 elsewhere and for the first token, which nothing predicts.
    trained
        Labels that are not -100.
    cut, trained_cut
        Tokens removed because the row was too long, and those of them that were to be trained.
    cut_parts
        What was cut that a reader would miss: `system turn`, `tools`.
    final_kept
        Whether the last token that was to be trained still is there: the end of the final turn.
    """

    input_ids: list[int]
    labels: list[int]
    trained: int
    cut: int
    trained_cut: int = 0
    cut_parts: tuple[str, ...] = ()
    final_kept: bool = True

    @classmethod
    def nothing_of(cls, trained: Sequence[bool]) -> Encoded:
        """Return an example that is too long and left out, of whose tokens these were to be trained."""
        return cls([], [], 0, len(trained), sum(trained[1:]), final_kept=not any(trained))

    @property
    def left_out(self) -> bool:
        """Whether nothing of the example is left because it is too long."""
        return self.cut > 0 and not self.input_ids


@dataclass(frozen=True)
class Predicted:
    """One turn of the assistant as it is to be generated.

    Parameters
    ----------
    message
        Number of the message in the row, from 0.
    prompt
        Token ids from which it is generated, all of them; its history is as the template writes it at that point.
    text
        What the template writes for the turn, with the token that ends it.
    within
        The most tokens that a prompt may have -> the prompt, shortened as rows are for training where it is longer;
        None where it cannot be.
    """

    message: int
    prompt: list[int]
    text: str
    within: Callable[[int], list[int] | None]
