"""What an augmenter is: its options, and texts in other words."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sage_select.data import Dataset
from sage_select.declare.faults import fault
from sage_select.declare.registry import Registry
from sage_select.declare.settings import Settings
from sage_select.pipeline.cost import Cost, Size
from sage_select.pipeline.run import Run
from sage_select.seeds import Draws

__all__ = ["AUGMENTERS", "Augmenter", "Draft", "augmenter", "check_texts"]

_NO_TEXTS: Final = "did not return texts"


@dataclass(frozen=True)
class Draft:
    """A row to be, whose words are to be said otherwise.

    Attributes
    ----------
    texts
        The texts of its parent that may change, as they are; at least one of them has words.
    kept
        What must stay where it stands in these: names of tools and values of arguments.
    name
        Its id.
    key
        The key of the stage's draws.
    """

    texts: tuple[str, ...]
    kept: tuple[str, ...]
    name: str
    key: int

    def draws(self) -> Draws:
        """Return random numbers of this row alone, the same whatever other rows there are."""
        return Draws(self.key, self.name)


class Augmenter(Settings):
    """A rule that says rows in other words."""

    @abstractmethod
    def rewrite(self, drafts: Sequence[Draft], run: Run) -> Sequence[Sequence[str]]:
        """Return for each draft its texts in other words, as many as it has.

        Draws are those of each draft (`draft.draws()`), so that no row depends on others, or on their order. What comes
        back is judged by the stage: code, addresses, placeholders, quotations, numbers and names must be there as
        before (`sage_select.rewriting.protected_spans` tells them), or the row is left out.

        Parameters
        ----------
        drafts
            The rows to be.
        run
            `run.reporter` is told of progress and notices, `run.tell` of facts for the manifest.
        """

    def check_input(self, data: Dataset) -> None:
        """Refuse what cannot work, before anything costly runs: rows of the input, or its first; models not there."""

    def cost(self, size: Size) -> Cost | None:
        """Return what it takes to rewrite `size.n` rows; None where that is not known."""
        del size
        return None


#: All augmenters, by name.
AUGMENTERS: Registry[Augmenter] = Registry("augmenter", "sage_select.augmenters", Augmenter)
augmenter = AUGMENTERS.register


def check_texts(made: Any, drafts: Sequence[Draft], rule: Augmenter) -> None:
    """Refuse what an augmenter returned, where it is not as many texts for each draft as it has.

    Raises
    ------
    ResourceError
        As said: a fault of the augmenter.
    """
    if not isinstance(made, list | tuple) or len(made) != len(drafts):
        got = f"{len(made):,} of them" if isinstance(made, list | tuple) else type(made).__name__
        raise fault(rule, _NO_TEXTS, expected=f"a list of {len(drafts):,}, one for each draft", got=got)
    for draft, texts in zip(drafts, made, strict=True):
        whole = isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts)
        if not whole or len(texts) != len(draft.texts):
            raise fault(
                rule, _NO_TEXTS, expected=f"a list of {len(draft.texts)} texts for each draft", got=repr(texts)[:80]
            )
