"""What a build is expected to take, and whether it fits here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sage_select.forecast.advice import Advice, advice
from sage_select.forecast.costs import Costs, load_costs
from sage_select.forecast.fit import Fit, fit
from sage_select.forecast.look import look
from sage_select.forecast.predict import Prediction, predict
from sage_select.forecast.workload import Workload
from sage_select.io.memory import Limit, limits
from sage_select.io.target import preflight_output
from sage_select.ops import Sink
from sage_select.paths import user_path
from sage_select.spec import Pipeline

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True)
class Forecast:
    """What a build is expected to take.

    Attributes
    ----------
    work
        What it works on.
    prediction
        Memory and time by stage.
    fit
        How it fits the tightest limit; None where no limit is known.
    advice
        What would fit, where it does not.
    costs
        The constants it was made with.
    """

    work: Workload
    prediction: Prediction
    fit: Fit | None
    advice: tuple[Advice, ...]
    costs: Costs


def forecast(
    plan: Pipeline,
    *,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    threads: int | None = None,
    within: Sequence[Limit] | None = None,
) -> Forecast:
    """Forecast a build from footers, headers and a first piece of its input.

    Parameters
    ----------
    plan
        The pipeline, as `plan.resolve` returned it.
    force, overwrite_foreign
        What the build would be allowed to replace.
    verify
        Refuse inputs that are outputs of this program and have been changed since they were written, where they are
        read in whole.
    threads
        Threads that it would use; None for `SAGE_THREADS` or all cores.
    within
        The limits that it has to fit; None for those of this process.

    Raises
    ------
    SageError
        Where the build would be refused for what was looked at. That it does not fit is no error here: `fit` tells.
    """
    preflight_output(
        user_path(plan.step(Sink).path),
        plan.inputs(),
        force=force,
        overwrite_foreign=overwrite_foreign,
        writes=False,
    )
    costs = load_costs()
    work = look(plan, threads, verify=verify)
    prediction = predict(work, costs)
    known = list(limits() if within is None else within)
    outcome = fit(prediction, known)
    fitting = outcome is None or outcome.fits
    return Forecast(work, prediction, outcome, () if fitting else tuple(advice(work, costs, known)), costs)
