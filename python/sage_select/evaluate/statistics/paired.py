"""Two models on the same rows: their difference, how sure it is, and how likely it is that there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sage_select.evaluate.statistics.distributions import mcnemar, student_quantile
from sage_select.evaluate.statistics.intervals import FEWEST_ROWS, Interval, rate_interval, too_few

__all__ = ["DRAWS", "Difference", "compare_rows", "paired_bootstrap", "swap_test"]

#: Draws of the bootstrap and of the swap test, where nothing else is said.
DRAWS: Final = 10_000
#: Below so many rows the bootstrap's percentiles hold the truth less often than they say.
_BOOTSTRAP_ROWS: Final = 100
#: Cells of a block of draws by rows: small enough to stay near the processor.
_CELLS: Final = 1 << 18
_NO_SPREAD: Final = Interval(None, "the difference is the same whichever row is left out")
_SAME: Final = "the two are the same on every row"

Floats = np.ndarray[Any, np.dtype[np.float64]]
Values = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Difference:
    """How much a model, trained with one seed or several, differs from a control on the same rows.

    Parameters
    ----------
    value
        Arm less control; None where it would mean nothing.
    why_none
        Why, else None.
    arm, control
        The value of each, its seeds averaged row by row; None where there is none.
    arm_seeds, control_seeds
        The value of each seed, NaN where there is none.
    interval
        95 % interval of the difference, or why there is none.
    p_value
        How likely so large a difference is where there is none; None where it cannot be told, for the reason that the
        interval has.
    test
        How the p-value came about.
    covers
        What interval and p-value allow for: other `rows`, or other `rows and seeds`.
    rows
        How many rows both were measured on.
    """

    value: float | None
    why_none: str | None
    arm: float | None
    control: float | None
    arm_seeds: tuple[float, ...]
    control_seeds: tuple[float, ...]
    interval: Interval
    p_value: float | None
    test: str | None
    covers: str
    rows: int

    def as_dict(self) -> dict[str, Any]:
        """Return the parts as JSON values."""
        return {
            "value": self.value,
            "why_none": self.why_none,
            "arm": self.arm,
            "control": self.control,
            "arm_seeds": [None if math.isnan(one) else one for one in self.arm_seeds],
            "control_seeds": [None if math.isnan(one) else one for one in self.control_seeds],
            "arm_spread": self.arm_spread,
            "control_spread": self.control_spread,
            "interval": None if self.interval.bounds is None else list(self.interval.bounds),
            "interval_none": self.interval.why_none,
            "p_value": self.p_value,
            "test": self.test,
            "covers": self.covers,
            "rows": self.rows,
        }

    @property
    def arm_spread(self) -> float | None:
        """Standard deviation of the arm's seeds; None of one, and where one has no value."""
        return _spread(self.arm_seeds)

    @property
    def control_spread(self) -> float | None:
        """Standard deviation of the control's seeds; None of one, and where one has no value."""
        return _spread(self.control_seeds)


def compare_rows(
    values: Values,
    arm: Floats,
    control: Floats,
    *,
    counted: Sequence[int],
    rate: bool = False,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Compare two models that were measured on the same rows.

    Parameters
    ----------
    values
        Sums (..., parts) -> values (...), NaN where there is none.
    arm, control
        float64 (seeds, rows, parts): what each row adds to the sums of a model. Seeds need not be as many in both.
    counted
        Parts of which at least ten rows must have something.
    rate
        Whether the value is the first part over the second, from 0 to 1, with a second part that no model changes.
    draws, seed
        Of the bootstrap and of the swap test.

    Notes
    -----
    Rows are the units: the seeds of a model are averaged row by row. Of one seed each, the interval of a rate is that
    of `rate_interval`, that of another value Student's t from leaving rows out below 100 rows and the paired bootstrap
    from then on; the p-value is McNemar's exact one where every row is right or wrong, else that of the swap test. They
    say what other rows would give of these two models, not what training anew would.

    Of two seeds or more each, the variance between seeds is added to that between rows, with the degrees of freedom of
    Welch and Satterthwaite: the interval is Student's, and the p-value the larger one of its test and of the test over
    rows. Few seeds make it wide; the alternative, to ignore them, calls luck with a seed a difference of methods. Of
    two seeds the quantiles of the single variances are weighted instead (Cochran 1964): a variance of two values is
    often far too small, and by the former one of four arms that are all the same was called different in 10 % of
    comparisons.
    """
    mean_arm, mean_control = arm.mean(axis=0), control.mean(axis=0)
    rows = len(mean_arm)
    ours, theirs = _value(values, mean_arm), _value(values, mean_control)
    by_seed = [tuple(_value(values, one) for one in several) for several in (arm, control)]
    seeds = min(len(arm), len(control))

    def made(value: float | None, why: str | None, interval: Interval, p: float | None, test: str | None) -> Difference:
        return Difference(
            value=value,
            why_none=why,
            arm=None if math.isnan(ours) else ours,
            control=None if math.isnan(theirs) else theirs,
            arm_seeds=by_seed[0],
            control_seeds=by_seed[1],
            interval=interval,
            p_value=p,
            test=test,
            covers="rows" if seeds < 2 else "rows and seeds",
            rows=rows,
        )

    if any(math.isnan(one) for one in (ours, theirs, *by_seed[0], *by_seed[1])):
        why = "one of the two has no value"
        return made(None, why, Interval(None, why), None, None)
    value = ours - theirs
    fewest = min(int((both[:, place] != 0).sum()) for both in (mean_arm, mean_control) for place in counted)
    if fewest < FEWEST_ROWS:
        return made(value, None, too_few(fewest), None, None)
    if np.array_equal(mean_arm, mean_control):
        return made(value, None, Interval(None, _SAME), 1.0, _SAME)
    p, test = _over_rows(values, mean_arm, mean_control, rate=rate, draws=draws, seed=seed)
    if seeds < 2:
        interval = _interval(values, mean_arm, mean_control, rate, draws, seed)
        return made(value, None, _NO_SPREAD if _is_point(interval) else interval, p, test)
    variances = [
        (_variance_over_rows(values, mean_arm, mean_control, rate), fewest - 1.0),
        *((float(np.var(one, ddof=1)) / len(one), len(one) - 1.0) for one in by_seed),
    ]
    total = math.fsum(variance for variance, _ in variances)
    if not math.isfinite(total):
        return made(value, None, Interval(None, "without one of the rows there is no value"), None, None)
    if total <= 0:
        return made(value, None, _NO_SPREAD, p, test)
    half = _quantile(variances, 0.95) * math.sqrt(total)
    interval = Interval((value - half, value + half))
    with_seeds = _p_value(variances, value / math.sqrt(total))
    test = f"the larger p-value of {test} and of Student's t over rows and seeds"
    return made(value, None, interval, max(p, with_seeds), test)


def _quantile(variances: Sequence[tuple[float, float]], level: float) -> float:
    """Return the point of Student's t for a sum of variances, each with its degrees of freedom."""
    total = math.fsum(variance for variance, _ in variances)
    if min(own for _, own in variances) < 2:
        return math.fsum(variance * student_quantile(own, level) for variance, own in variances if variance > 0) / total
    return student_quantile(total**2 / math.fsum(variance**2 / own for variance, own in variances), level)


def _p_value(variances: Sequence[tuple[float, float]], t: float) -> float:
    """Return the chance 1 - level at which the point of `_quantile` is `t`, on either side."""
    low, high = math.log(1e-300), 0.0  # of the chance
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _quantile(variances, -math.expm1(middle)) > abs(t) else (low, middle)
    return math.exp(high)


def _is_point(interval: Interval) -> bool:
    return interval.bounds is not None and interval.bounds[0] == interval.bounds[1]


def paired_bootstrap(values: Values, arm: Floats, control: Floats, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """Return the percentile interval of a difference: rows are drawn with replacement, the same for both models.

    Parameters
    ----------
    values
        Sums (..., parts) -> values (...), NaN where there is none.
    arm, control
        float64 (rows, parts).
    draws, seed
        How many draws, and the seed that they follow from, on any machine.

    Notes
    -----
    Time draws x rows x parts, in small blocks (Efron and Tibshirani 1993). Below 100 rows such an interval holds the
    truth too rarely.
    """
    both = np.concatenate([arm, control], axis=1)
    rows, parts = arm.shape
    found = np.empty(draws)
    for start, raw in _blocks(draws, rows, seed, cells=rows):
        drawn = ((raw >> np.uint64(32)) * np.uint64(rows)) >> np.uint64(32)
        places = drawn.astype(np.int64) + np.arange(len(raw))[:, None] * rows
        counts = np.bincount(places.ravel(), minlength=len(raw) * rows).reshape(len(raw), rows)
        sums = np.einsum("dr,rp->dp", counts.astype(np.float64), both)
        found[start : start + len(raw)] = values(sums[:, :parts]) - values(sums[:, parts:])
    missing = int(np.isnan(found).sum())
    if missing > draws / 100:
        return Interval(None, f"in {missing:,} of {draws:,} draws of rows there is no value")
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Interval((float(low), float(high)))


def swap_test(values: Values, arm: Floats, control: Floats, *, draws: int = DRAWS, seed: int = 0) -> float:
    """Return how likely so large a difference is where it does not matter which model a row's result came from.

    In each draw the results of every row are swapped or not, by a coin's toss (the paired permutation test, as
    approximate randomisation in Noreen 1989; for F1 see Yeh 2000). It holds for few rows and for any function of sums.

    Parameters
    ----------
    values
        Sums (..., parts) -> values (...), NaN where there is none; a draw without a value counts as large.
    arm, control
        float64 (rows, parts).
    draws, seed
        How many draws, and the seed that they follow from, on any machine.

    Returns
    -------
    float
        At least 1 / (draws + 1).
    """
    middle = (arm.sum(axis=0) + control.sum(axis=0)) / 2
    changed = (arm != control).any(axis=1)  # rows that are the same swap to the same
    half = ((arm - control) / 2)[changed]
    total, twice = half.sum(axis=0), half * 2
    observed = abs(float(values(middle + total) - values(middle - total)))
    large = 0
    words = -(-len(half) // 64)
    for _, raw in _blocks(draws, words, seed, cells=64 * words):
        bits = np.unpackbits(raw.astype("<u8").view(np.uint8), axis=1, count=len(half), bitorder="little")
        moved = np.einsum("dr,rp->dp", bits.astype(np.float64), twice) - total
        differences = np.abs(values(middle + moved) - values(middle - moved))
        large += int((~(differences < observed - 1e-12)).sum())
    return (large + 1) / (draws + 1)


def _over_rows(values: Values, arm: Floats, control: Floats, *, rate: bool, draws: int, seed: int) -> tuple[float, str]:
    changes = arm[:, 0] - control[:, 0]
    if rate and np.isin(changes, (-1, 0, 1)).all() and (arm[:, 1] == 1).all():
        return mcnemar(int((changes > 0).sum()), int((changes < 0).sum())), "McNemar's exact test"
    return swap_test(values, arm, control, draws=draws, seed=seed), f"{draws:,} draws of the paired swap test"


def _interval(values: Values, arm: Floats, control: Floats, rate: bool, draws: int, seed: int) -> Interval:
    if rate:
        return rate_interval(arm[:, 0] - control[:, 0], arm[:, 1])
    if len(arm) >= _BOOTSTRAP_ROWS:
        return paired_bootstrap(values, arm, control, draws=draws, seed=seed)
    variance = _variance_over_rows(values, arm, control, rate)
    if not math.isfinite(variance):
        return Interval(None, "without one of the rows there is no value")
    value = _value(values, arm) - _value(values, control)
    half = student_quantile(len(arm) - 1) * math.sqrt(variance)
    return Interval((value - half, value + half))


def _variance_over_rows(values: Values, arm: Floats, control: Floats, rate: bool) -> float:
    """Return the variance of a difference, by leaving rows out one by one."""
    if rate:  # with the two rows of `rate_interval`, for few rows and rare changes
        size = float(arm[:, 1].mean())
        arm = np.append(arm[:, :2], [[size, size], [0, size]], axis=0)
        control = np.append(control[:, :2], [[0, size], [size, size]], axis=0)
    rows = len(arm)
    value = _value(values, arm) - _value(values, control)
    without = values(arm.sum(axis=0) - arm) - values(control.sum(axis=0) - control)
    return float(np.square(without - value).sum()) * (rows - 1) / rows


def _blocks(
    draws: int, width: int, seed: int, cells: int
) -> Iterator[tuple[int, np.ndarray[Any, np.dtype[np.uint64]]]]:
    """Yield random words (draws, width) in blocks of draws with so many cells each, and the number of the first."""
    source = np.random.PCG64(seed)  # the words of a bit generator are the same in every version of numpy
    step = max(1, _CELLS // max(cells, 1))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        yield start, source.random_raw(count * width).reshape(count, width)


def _value(values: Values, sums: Floats) -> float:
    return float(values(sums.sum(axis=0)))


def _spread(found: tuple[float, ...]) -> float | None:
    return float(np.std(found, ddof=1)) if len(found) > 1 and not any(map(math.isnan, found)) else None
