"""What a training method is: its settings, what it reads, and the loss that it makes of a forward pass."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from sage_select.declare import Registry, Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from sage_select.render.tokens import Renderer
    from sage_select.train.config import TrainConfig
    from sage_select.train.data import TrainingRows
    from sage_select.train.own_loss import Objective
    from sage_select.train.settings.model import Precision

__all__ = ["LIKELIHOOD", "METHODS", "Material", "Method", "method"]


#: What the loss of a model itself is that of, and that of held-out rows under any method.
LIKELIHOOD: Final = "negative log-likelihood"


@dataclass(frozen=True)
class Material:
    """What a method is handed of a run.

    Attributes
    ----------
    config
        Its settings.
    rows, renderer
        The training examples in their order, and by what they were tokenised.
    precision
        What is computed in.
    notice
        Called with what the user should know.
    replayed
        Of the rows that are replayed `row_id` and `logits`, what a replay buffer holds that a model said of them
        (`distilling.row_logits.TYPE`), null where that is nothing; None where no row is replayed.
    """

    config: TrainConfig
    rows: TrainingRows
    renderer: Renderer
    precision: Precision
    notice: Callable[[str], None]
    replayed: pa.Table | None = None


class Method(Settings):
    """A way to learn from the trained tokens.

    What a setting names that is marked with `Reads` is never written over by the run.
    """

    #: Whether it is for runs that replay alone, and goes by what the buffer holds that a model said of its rows.
    replays: ClassVar[bool] = False

    @classmethod
    def declaration_problem(cls) -> tuple[str, str | None] | None:
        """Return which option has the name of a setting that every run has, as both are spelt flat."""
        if not cls.package():
            return None  # tests hold that what this package declares can stand together
        from sage_select.train.config import TrainConfig

        taken = [name for name in cls.model_fields if name in TrainConfig.model_fields]
        return (f"has an option {taken[0]!r}, which every run has", "another name") if taken else None

    @classmethod
    def loss_of(cls) -> str:
        """Return what the losses of a run are those of, in words: of the method, unless it says otherwise."""
        return cls.name

    def content(self, material: Material) -> Mapping[str, str]:
        """Check what the method needs, before any model is loaded, and return what names it: part of what a run is.

        Returns
        -------
        Mapping[str, str]
            Setting -> digest or revision of what it names.

        Raises
        ------
        UsageError
            If something is missing or does not go together with the model or the rows.
        DataError
            If it is damaged.
        """
        del material
        return {}

    @abstractmethod
    def objective(self, model: Any, material: Material) -> Objective:
        """Return what is made of each forward pass of the model.

        Parameters
        ----------
        model
            As the trainer holds it, a PEFT model or one with `get_base_model`, TRL's output layer in it.
        material
            The run.
        """


#: All methods, by name.
METHODS: Registry[Method] = Registry("method", "sage_select.train.methods", Method)
method = METHODS.register
