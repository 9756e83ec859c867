"""Replay buffers beside those that people use: rows of text in, rows of text out.

A buffer of 2,048 rows that has seen a million takes updates of new rows, each followed by a draw of 512 rows.
`torchrl_list` is TorchRL's buffer over a list, which retains the latest rows and gives out the objects that it was
given; `torchrl_columns` its buffer over TensorDicts, from which a draw is columns, as ours is; `avalanche` its
reservoir, which has no draws, so that `updates alone` is what it is compared in;
`sage` the rule that this library descends from, in plain Python: all rows sorted by loss at each update, and
`random.sample`. On disk, `whole_file` is what a program does that has no log: all rows written anew as one Feather
file.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches.measure import measure, rival
from sage_select import ReplayBuffer

CAPACITY, DRAWN, SEEN = 2048, 512, 1_000_000
Step = Callable[[int], object]


def _row(number: int) -> dict[str, Any]:
    return {
        "sage_row_id": f"row-{number}",
        "prompt": f"what is {number} and why? " * 8,
        "completion": f"it is {number}, as everybody knows. " * 8,
        "loss": (number * 7919 % 10_007) / 1000,
    }


@cache
def _tables(size: int, count: int) -> list[pa.Table]:
    starts = range(SEEN, SEEN + size * count, size)
    return [pa.Table.from_pylist([_row(start + one) for one in range(size)]) for start in starts]


@cache
def _lists(size: int, count: int) -> list[list[dict[str, Any]]]:
    return [table.to_pylist() for table in _tables(size, count)]


def _seen(path: Path | None, policy: str) -> ReplayBuffer:
    """Return a buffer that has seen a million rows."""
    buffer = ReplayBuffer.open(path, CAPACITY, policy=policy)
    for start in range(0, SEEN, 100_000):
        numbers = np.arange(start, start + 100_000)
        losses = (numbers * 7919 % 10_007) / 1000
        rows = {"sage_row_id": [f"row-{one}" for one in numbers], "loss": losses}
        for name, text in (("prompt", "what is this and why? " * 8), ("completion", "it is as everybody knows. " * 8)):
            rows[name] = pa.array([text]).take(pa.array(np.zeros(len(numbers), np.int64)))
        table = pa.table({name: rows[name] for name in ("sage_row_id", "prompt", "completion", "loss")})
        buffer.update(table, scores="loss")
    return buffer


def ours(size: int, count: int, policy: str = "reservoir", path: Path | None = None, *, drawn: int = DRAWN) -> Step:
    buffer, tables = _seen(path, policy), _tables(size, count)

    def step(at: int) -> object:
        told = buffer.update(tables[at], scores="loss" if policy == "loss_topk" else None)
        return buffer.draw(drawn) if drawn else told

    return step


def ours_alone(size: int, count: int) -> Step:
    return ours(size, count, drawn=0)


def torchrl_list(size: int, count: int) -> Step:
    data = rival("torchrl.data", "torchrl")
    buffer = data.ReplayBuffer(storage=data.ListStorage(CAPACITY), batch_size=DRAWN, collate_fn=lambda rows: rows)
    lists = _lists(size, count)
    buffer.extend([_row(one) for one in range(CAPACITY)])

    def step(at: int) -> object:
        if size == 1:
            buffer.add(lists[at][0])
        else:
            buffer.extend(lists[at])
        return buffer.sample()

    return step


def torchrl_columns(size: int, count: int) -> Step:
    data = rival("torchrl.data", "torchrl")
    torch, dicts = rival("torch", "torch"), rival("tensordict", "tensordict")
    buffer = data.ReplayBuffer(storage=data.LazyStackStorage(CAPACITY), batch_size=DRAWN)

    def columns(rows: Sequence[dict[str, Any]]) -> Any:
        texts = {name: dicts.NonTensorStack(*[row[name] for row in rows]) for name in rows[0] if name != "loss"}
        return dicts.TensorDict({**texts, "loss": torch.tensor([row["loss"] for row in rows])}, batch_size=[len(rows)])

    made = [columns(rows) for rows in _lists(size, count)]
    for start in range(0, CAPACITY, 256):
        buffer.extend(columns([_row(start + one) for one in range(256)]))

    def step(at: int) -> object:
        buffer.extend(made[at])
        return buffer.sample()

    return step


def avalanche(size: int, count: int) -> Step:
    policy = rival("avalanche.training.storage_policy", "avalanche-lib")
    datasets = rival("avalanche.benchmarks.utils", "avalanche-lib")

    class Texts:
        def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
            self.rows = rows

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, at: int) -> dict[str, Any]:
            return self.rows[at]

    buffer = policy.ReservoirSamplingBuffer(CAPACITY)
    buffer.update_from_dataset(datasets.AvalancheDataset([Texts([_row(one) for one in range(CAPACITY)])]))
    made = [datasets.AvalancheDataset([Texts(rows)]) for rows in _lists(size, count)]
    return lambda at: buffer.update_from_dataset(made[at])


def sage(size: int, count: int, policy: str = "random") -> Step:
    held = [_row(one) for one in range(CAPACITY)]
    lists, generator = _lists(size, count), random.Random(17)

    def step(at: int) -> object:
        nonlocal held
        every = held + lists[at]
        if policy == "loss_topk":
            held = sorted(every, key=lambda row: row["loss"], reverse=True)[:CAPACITY]
        else:
            held = generator.sample(every, CAPACITY)
        new = {row["sage_row_id"] for row in lists[at]}
        return generator.sample([row for row in held if row["sage_row_id"] not in new], DRAWN)

    return step


def _run(make: Callable[[int], Step], count: int, rounds: int) -> Callable[[], object]:
    """Return so many steps, which were run once: each time of rows that did not come before."""
    step, next_one = make(count * (rounds + 1)), itertools.count()

    def work() -> object:
        for _ in range(count):
            last = step(next(next_one))
        return last

    work()
    return work


@pytest.mark.parametrize("method", [ours, torchrl_list, torchrl_columns, sage], ids=lambda method: method.__name__)
@pytest.mark.parametrize("size", [256, 10, 1])
def test_update_and_draw(method: Callable[[int, int], Step], size: int, benchmark: BenchmarkFixture) -> None:
    count, rounds = 40, 5
    work = _run(partial(method, size), count, rounds)
    group = f"{count} updates of a replay buffer of {CAPACITY:,} rows, and draws of {DRAWN}"
    note = "the latest rows stay" if method.__name__.startswith("torchrl") else ""
    measure(
        benchmark, work, group=group, method=method.__name__, case=f"{size} rows an update", rounds=rounds, note=note
    )


@pytest.mark.parametrize("method", [ours_alone, avalanche], ids=lambda method: method.__name__)
@pytest.mark.parametrize("size", [256, 10, 1])
def test_update(method: Callable[[int, int], Step], size: int, benchmark: BenchmarkFixture) -> None:
    count, rounds = 40, 5
    work = _run(partial(method, size), count, rounds)
    group = f"{count} updates alone of a replay buffer of {CAPACITY:,} rows"
    name = "ours" if method is ours_alone else method.__name__
    measure(benchmark, work, group=group, method=name, case=f"{size} rows an update", rounds=rounds)


@pytest.mark.parametrize("method", [ours, sage], ids=lambda method: method.__name__)
def test_loss_topk(method: Callable[..., Step], benchmark: BenchmarkFixture) -> None:
    count, rounds = 20, 5
    work = _run(partial(method, 256, policy="loss_topk"), count, rounds)
    group = f"{count} updates of 256 rows, the highest losses stay, and draws of {DRAWN}"
    measure(benchmark, work, group=group, method=method.__name__, rounds=rounds)


def ours_in_a_folder(folder: Path, count: int) -> Step:
    return ours(256, count, path=folder / "buffer")


def whole_file(folder: Path, count: int) -> Step:
    held, lists, generator = [_row(one) for one in range(CAPACITY)], _lists(256, count), random.Random(17)

    def step(at: int) -> object:
        for row in lists[at]:
            # A reservoir that has seen a million rows.
            if generator.random() < CAPACITY / SEEN:
                held[generator.randrange(CAPACITY)] = row
        temporary = folder / "rows.tmp"
        pyarrow.feather.write_feather(pa.Table.from_pylist(held), str(temporary))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        return temporary.replace(folder / "rows.feather")

    return step


@pytest.mark.parametrize("method", [ours_in_a_folder, whole_file], ids=lambda method: method.__name__)
def test_durable(method: Callable[[Path, int], Step], tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    count, rounds = 10, 3
    work = _run(partial(method, tmp_path), count, rounds)
    group = f"{count} updates of 256 rows of a replay buffer on disk"
    measure(benchmark, work, group=group, method=method.__name__, rounds=rounds)
    shutil.rmtree(tmp_path)
