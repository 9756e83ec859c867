"""The beta distribution, and what follows from it: quantiles and p-values of Student's t, and exact binomial bounds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

__all__ = ["beta_quantile", "incomplete_beta", "mcnemar", "student_p", "student_quantile"]

_LEVEL: Final = 0.95
_TINY: Final = 1e-300
_STEPS: Final = 10_000


def incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the chance that a beta variable with shapes `a`, `b` > 0 is at most `x` (from 0 to 1).

    By its continued fraction (DLMF 8.17.22), in some dozens of steps, or about sqrt(a + b) where that is large.

    Examples
    --------
    >>> round(incomplete_beta(0.5, 2, 3), 4)  # 11 of 16
    0.6875
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = _kernel(x, a, b)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def beta_quantile(share: float, a: float, b: float) -> float:
    """Return the point below which a beta variable with shapes `a`, `b` > 0 is with chance `share`.

    Examples
    --------
    >>> round(beta_quantile(0.025, 8, 3), 4)  # the lower bound of Clopper and Pearson for 8 of 10
    0.4439
    """
    low, high = 0.0, 1.0
    x = a / (a + b)
    for _ in range(_STEPS):
        beyond = incomplete_beta(x, a, b) - share
        low, high = (x, high) if beyond < 0 else (low, x)
        density = _kernel(x, a, b) / (x * (1 - x)) if 0 < x < 1 else 0.0
        step = x - beyond / density if density > _TINY else low  # Newton's, where that stays between the bounds
        found = step if low < step < high else (low + high) / 2
        if abs(found - x) <= 1e-15 * x or found in (low, high):
            return found
        x = found
    return x


@lru_cache(maxsize=1024)
def student_quantile(degrees: float, level: float = _LEVEL) -> float:
    """Return the point that Student's t is beyond, on one side or the other, with chance 1 - `level`.

    Examples
    --------
    >>> round(student_quantile(9), 4)
    2.2622
    """
    share = beta_quantile(1 - level, degrees / 2, 0.5)
    return math.sqrt(degrees * (1 - share) / share) if share > 0 else math.inf


def student_p(t: float, degrees: float) -> float:
    """Return the chance that Student's t is as far from 0 as `t`, on either side.

    Examples
    --------
    >>> round(student_p(-2.2622, 9), 3)
    0.05
    """
    return incomplete_beta(degrees / (degrees + t * t), degrees / 2, 0.5)


def mcnemar(gained: int, lost: int) -> float:
    """Return the p-value of McNemar's exact test: how likely so uneven a split is, were each change a coin's toss.

    Parameters
    ----------
    gained, lost
        Cases that one is right on and the other is not, and the reverse. Those on which both agree have no part.

    Examples
    --------
    >>> round(mcnemar(1, 6), 6), mcnemar(0, 0)  # 2 * (1 + 7) / 2 ** 7
    (0.125, 1.0)
    """
    few, many = sorted((gained, lost))
    # As many or fewer of `few + many` tosses: a binomial sum is an incomplete beta.
    return min(1.0, 2 * incomplete_beta(0.5, many, few + 1)) if many else 1.0


def _kernel(x: float, a: float, b: float) -> float:
    """Return the density of a beta variable, times x (1 - x)."""
    return math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta, by the method of Lentz."""
    c, d = 1.0, 1 / _kept(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, _STEPS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _kept(1 + step * d)
            c = _kept(1 + step / c)
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found


def _kept(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
