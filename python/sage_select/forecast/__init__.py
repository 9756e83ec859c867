"""What a build will take before it runs: rows, memory and time, from measured costs.

`look` finds out what there is to do, `predict` what it costs (`costs` holds the measured constants, the files named
after stages the formulas), `limits` what this machine leaves, `advice` what would fit instead.
"""

from __future__ import annotations

from sage_select.forecast.forecast import Forecast, forecast
from sage_select.forecast.refuse import refuse_what_cannot_fit
from sage_select.forecast.report import report, values
from sage_select.io.memory import Limit

__all__ = ["Forecast", "Limit", "forecast", "refuse_what_cannot_fit", "report", "values"]
