"""Tunes and tests a model on the picks of a rule."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from benches.quality.arms import ARMS
from benches.quality.cases import case_of
from benches.quality.data import file_of
from benches.quality_lm.classify import classified

__all__ = ["Tuned", "run"]

_PROCESSES = 2


class Tuned(NamedTuple):
    """What a model tuned on the picks of a rule gets right: bool (test rows,)."""

    case: str
    k: int
    arm: str
    seed: int
    right: NDArray[np.bool_]


class Settings(NamedTuple):
    """What is the same for all rules."""

    base: Path
    folder: Path
    steps: int
    tested: int


def run(cases: Sequence[str], sizes: Sequence[int], arms: Sequence[str], seeds: int, how: Settings) -> list[Tuned]:
    """Tune and test for all arms, sizes and cases under all seeds, and tell how far it is."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
    jobs = list(itertools.product(range(seeds), cases, sizes, arms))
    found = []
    with ProcessPoolExecutor(_PROCESSES, mp_context=multiprocessing.get_context("spawn")) as workers:
        try:
            running = [workers.submit(_tuned, case, k, arm, seed, how) for seed, case, k, arm in jobs]
            for done, job in enumerate(as_completed(running), 1):
                one = job.result()
                found.append(one)
                sys.stdout.write(
                    f"{done} of {len(jobs)}: {one.case}, {one.k} rows, {one.arm}, seed {one.seed}: "
                    f"{100 * one.right.mean():.1f} %\n"
                )
                sys.stdout.flush()
        finally:
            workers.shutdown(cancel_futures=True)
    return sorted(found, key=lambda one: (one.case, one.k, one.arm, one.seed))


def _tuned(case_name: str, k: int, arm: str, seed: int, how: Settings) -> Tuned:
    names = np.unique(pl.read_parquet(file_of("clinc150/train.parquet"))["intent"].to_numpy())
    test = pl.read_parquet(file_of("clinc150/test.parquet"))
    some = np.random.default_rng(seed=0).permutation(len(test))[: how.tested]
    labels = [name.replace("_", " ") for name in names]
    case = case_of(case_name, "test", seed)
    picks = ARMS[arm](case, k)
    order = np.random.default_rng([seed, 2]).permutation(picks)
    rows = pa.table(
        {
            "prompt": [case.pool.texts[row] for row in order],
            "completion": [labels[case.pool.labels[row]] for row in order],
        }
    )
    # A run that was made before is known by all that it is made of, so that a benchmark that was stopped goes on.
    made_of = [rows.to_pydict(), seed, how.base.name, how.steps, how.tested]
    kept = how.folder / f"{hashlib.blake2b(json.dumps(made_of).encode(), digest_size=16).hexdigest()}.npy"
    if not kept.is_file():
        place = kept.with_suffix(f".{os.getpid()}")
        try:
            model, tokenizer = _trained(rows, seed, how, place)
            answers = classified(model, tokenizer, test["text"].to_numpy()[some].tolist(), labels)
        finally:
            shutil.rmtree(place, ignore_errors=True)
        np.save(kept, names[answers] == test["intent"].to_numpy()[some])
    return Tuned(case_name, k, arm, seed, np.load(kept))


def _trained(rows: pa.Table, seed: int, how: Settings, place: Path) -> tuple[object, object]:
    """Return the base model with the adapter that `sage-train` makes of some rows."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from sage_select.train import TrainConfig, train

    torch.set_num_threads(1)
    config = TrainConfig(
        model=str(how.base),
        output_dir=str(place),
        max_steps=how.steps,
        save_steps=how.steps,
        batch_size=32,
        gradient_accumulation=1,
        learning_rate=3e-3,
        lora_r=32,
        lora_alpha=64,
        lora_dropout=0.0,
        gradient_checkpointing=False,
        seed=seed,
        precision="fp32",
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        train(rows, config)
        base = AutoModelForCausalLM.from_pretrained(how.base)
        tuned = PeftModel.from_pretrained(base, str(place / "lora_weights")).merge_and_unload()
    return tuned, AutoTokenizer.from_pretrained(how.base)
