"""What a model takes, as far as its folder tells before it is loaded."""

from __future__ import annotations

from typing import Final

from sage_select.errors import UsageError
from sage_select.paths import user_path
from sage_select.pipeline.cost import Cost
from sage_select.render.model_files import is_local
from sage_select.render.weight_files import model_files

__all__ = ["model_cost"]

#: The libraries that run models, loaded.
_LIBRARY_BYTES: Final = 750e6


def model_cost(model: str, memory: float = 0.0, holds: float = 0.0) -> Cost | None:
    """Return what a model takes that needs `memory` for its results, and leaves `holds` of it.

    Its weights, and the libraries, which stay; None for a model that is no folder here. How fast it is nothing tells.

    Raises
    ------
    UsageError
        If the folder holds no weights.
    """
    if not is_local(model):
        return None
    weights = [file.stat().st_size for file in model_files(user_path(model)) if file.suffix == ".safetensors"]
    if not weights:
        raise UsageError("the folder holds no model", where=model, expected="*.safetensors")
    return Cost(_LIBRARY_BYTES + sum(weights) + memory, None, _LIBRARY_BYTES + holds, float(sum(weights)))
