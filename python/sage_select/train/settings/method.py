"""By which method a model is trained."""

from __future__ import annotations

from typing import Annotated

from sage_select.declare import Choice, Settings
from sage_select.train.methods.method import METHODS, Method

__all__ = ["MethodSettings"]


class MethodSettings(Settings):
    """Method."""

    method: Annotated[Method, Choice(METHODS, "sft", "what is learned from the trained tokens")]
