"""How a method is timed, and how rivals that may be missing are had."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

T = TypeVar("T")


def measure(
    benchmark: BenchmarkFixture,
    work: Callable[[], T],
    *,
    group: str,
    method: str,
    case: str = "",
    rounds: int = 3,
    share: float = 1.0,
    note: str = "",
) -> T:
    """Time `work` and note what the record needs; return its last result.

    Parameters
    ----------
    work
        Has run once before, when its answer was checked, so that it is warm.
    method
        `ours...`, or the rival's name.
    share
        The part of the whole work that `work` does; the record divides by it and says so.
    """
    benchmark.group = group
    benchmark.extra_info.update(method=method, case=case, share=share, note=note)
    result: T = benchmark.pedantic(work, rounds=rounds, iterations=1, warmup_rounds=0)
    return result


def rival(module: str, package: str) -> ModuleType:
    """Import a rival, or skip the test and say what is missing."""
    try:
        # Their warnings are not about us; ours are errors.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ImportError:
        pytest.skip(f"{package} is not installed here")
