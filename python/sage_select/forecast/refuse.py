"""The error of a build that does not fit."""

from __future__ import annotations

from sage_select.errors import ResourceError
from sage_select.forecast.forecast import Forecast
from sage_select.forecast.report import bytes_in_words

__all__ = ["refuse_what_cannot_fit"]


def refuse_what_cannot_fit(forecast: Forecast) -> None:
    """Raise where the build needs more than there is.

    Raises
    ------
    ResourceError
        With the figures, and with what would fit.
    """
    fit = forecast.fit
    if fit is None or fit.fits:
        return
    kind = "address space" if fit.limit.of_addresses else "memory"
    stage = "" if fit.limit.of_addresses else f", in the {forecast.prediction.peak.name} stage"
    would = [f"{found.text} (about {bytes_in_words(found.bytes)})" for found in forecast.advice]
    raise ResourceError(
        f"this build would need more {kind} than there is",
        expected=f"at most {bytes_in_words(fit.limit.bytes)} ({fit.limit.name})",
        got=f"about {bytes_in_words(fit.needed)}{stage}",
        hint="what would fit: " + "; ".join(would) if would else "a machine with more memory: nothing less would fit",
    )
