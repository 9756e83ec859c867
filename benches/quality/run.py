"""Measures cases on two processes of one thread each."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from benches.quality.arms import ARMS
from benches.quality.cases import case_of
from benches.quality.data import Split
from benches.quality.outcomes import Outcome, Outcomes

__all__ = ["run"]

_PROCESSES = 2


def run(cases: Sequence[str], split: Split, seeds: int, sizes: Sequence[int], arms: Sequence[str]) -> Outcomes:
    """Measure all arms and sizes in all cases under all seeds, and tell how far it is."""
    # Before the workers load numpy, which reads it then.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    outcomes = []
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as workers:
        try:
            # Seeds outside, cases inside: two processes seldom make the same case at once.
            jobs = [
                workers.submit(_measured, case, split, seed, sizes, arms)
                for seed, case in itertools.product(range(seeds), cases)
            ]
            for done, job in enumerate(as_completed(jobs), 1):
                outcomes += job.result()
                sys.stdout.write(f"{done} of {len(jobs)} parts done\n")
                sys.stdout.flush()
        finally:
            workers.shutdown(cancel_futures=True)
    return Outcomes(outcomes)


def _measured(name: str, split: Split, seed: int, sizes: Sequence[int], arms: Sequence[str]) -> list[Outcome]:
    case = case_of(name, split, seed)
    found = []
    for size, arm in itertools.product(sizes, arms):
        picks = ARMS[arm](case, size * case.task.classes)
        found.append(Outcome(name, size, arm, seed, case.accuracy(picks), case.pool.sound(picks)))
    return found
