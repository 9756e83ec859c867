"""Programs that follow runs, to which a run reports where it is asked to; TensorBoard's log is always written."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from sage_select.errors import ResourceError
from sage_select.train.named import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ALWAYS", "REPORTERS", "Reporter", "callbacks_of", "require_reporters"]

#: What other trainers say for what is so here, always.
ALWAYS: Final = ("tensorboard", "none")


@dataclass(frozen=True)
class Reporter:
    """A program that follows runs.

    Parameters
    ----------
    name, summary
        What settings call it, and what it is.
    packages
        Of which one must be installed; the first is what is advised.
    quietly
        How it is kept from sending anything.
    """

    name: str
    summary: str
    packages: tuple[str, ...]
    quietly: str

    @property
    def is_installed(self) -> bool:
        """Whether its package is: not a folder of its name, as it leaves one behind."""
        return any(map(_has, self.packages))


REPORTERS: Final = Table(
    "program to report to",
    (
        Reporter(
            "wandb",
            "Weights & Biases; where to is its WANDB_ variables'",
            ("wandb",),
            "WANDB_MODE=offline sends nothing",
        ),
        Reporter(
            "mlflow",
            "MLflow; where to is its MLFLOW_ variables'",
            ("mlflow", "mlflow-skinny"),
            "MLFLOW_TRACKING_URI=sqlite:///mlflow.db keeps it here",
        ),
        Reporter("trackio", "Trackio, on this machine", ("trackio",), "TRACKIO_DIR names its folder"),
    ),
)


def require_reporters(names: Iterable[str]) -> None:
    """Raise ResourceError naming those that are not installed, with the command that does."""
    missing = [REPORTERS[name] for name in names if not REPORTERS[name].is_installed]
    if missing:
        raise ResourceError(
            f"not installed: {', '.join(one.name for one in missing)}",
            where="--report-to",
            hint=f"pip install {' '.join(one.packages[0] for one in missing)}",
        )


def callbacks_of(names: Iterable[str]) -> list[Any]:
    """Return transformers' own callbacks for these programs, whose failure to start is told.

    Raises
    ------
    ResourceError
        When training begins, if one cannot be started.
    """
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    return [_told(REPORTERS[name], INTEGRATION_TO_CALLBACK[name]) for name in names]


def _told(reporter: Reporter, kind: Any) -> Any:
    callback = kind()
    setup = callback.setup

    def started(*arguments: Any, **options: Any) -> None:
        try:
            setup(*arguments, **options)
        except Exception as error:
            raise ResourceError(
                f"{reporter.name} could not be started",
                where="--report-to",
                got=f"{type(error).__name__}: {str(error).strip()}",
                hint=f"leave out --report-to {reporter.name}, or see what it says; {reporter.quietly}",
            ) from error

    callback.setup = started
    return callback


def _has(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False
