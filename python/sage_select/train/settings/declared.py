"""How a setting of training is declared: an option that also says whether it is part of what a run is known by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator, Strict

from sage_select.declare import Option

__all__ = ["Setting", "Share", "Whole"]


@dataclass(frozen=True)
class Setting(Option):
    """An option of training.

    Attributes
    ----------
    identity
        Whether another value trains other weights, by itself: not where it acts through the tokens of the rows, which
        a run is known by, nor where it says where, when or how much is told.
    trl
        What TRL and transformers call it, where that is another name and the value means the same: as good as our own
        in a file and on the command line.
    others
        What LLaMA-Factory, axolotl, PEFT and other programs call it, likewise; a file that does is told our name. Those
        that begin with a dash are of the command line alone.
    words
        What they say alone -> the value of ours: `use_dora` -> `dora`.
    """

    identity: bool = True
    trl: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    # A mapping among the fields has no hash.
    __hash__ = Option.__hash__


def _share(value: Any) -> Any:
    """Return `1%` as the number it is."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip()[:-1]) / 100
        except ValueError:
            return value
    return value


#: A whole number: a text or a truth value is none.
Whole = Annotated[int, Strict()]
#: A share, which may be written in percent.
Share = Annotated[float, BeforeValidator(_share)]
