"""Replay buffers in a few lines of Python: a dictionary of rows, and a sort for each policy."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from sage_select import kernels
from sage_select.replay import ReplayBuffer
from sage_select.seeds import stage_key

__all__ = ["Row", "Twin", "chi_square_bound", "offer", "rows", "same"]

ALL = 2**64 - 1


@dataclass(frozen=True)
class Row:
    """A row as it is offered."""

    id: str
    score: float
    group: str
    text: str


def rows(numbers: Iterable[int], version: int = 0) -> list[Row]:
    """Return a row of each number, whose score, group and text follow from it and from a version."""
    return [
        Row(f"row {one}", 0.5 + (one * 7 + version) % 5 / 2, "abc"[one % 3], f"text {one} of {version}")
        for one in numbers
    ]


def offer(buffer: ReplayBuffer, some: Sequence[Row]) -> Any:
    """Offer rows to a buffer."""
    table = pa.table({"sage_row_id": [one.id for one in some], "text": [one.text for one in some]})
    scores = np.array([one.score for one in some])
    return buffer.update(table, scores=scores, groups=pa.array([one.group for one in some], pa.string()))


def hashed(key: int, texts: Sequence[str]) -> list[int]:
    return kernels.keyed_hashes(key, pa.array(texts, pa.string())).tolist()


@dataclass
class Held:
    """A row of the buffer."""

    row: Row
    arrival: int
    scored: int


@dataclass
class Twin:
    """A buffer."""

    policy: str
    capacity: int
    seed: int
    held: dict[str, Held] = field(default_factory=dict)
    seen: int = 0
    updates: int = 0
    limits: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    @property
    def ids(self) -> list[str]:
        return [one for one, _ in sorted(self.held.items(), key=lambda item: item[1].arrival)]

    def key(self, row: Row) -> int:
        stage = {"balanced": "replay balanced", "weighted": "replay weighted"}.get(self.policy, "replay reservoir")
        words = np.array(hashed(stage_key(0, "replay words"), [row.id]), np.uint64)
        keys = kernels.keyed_words(stage_key(self.seed, stage), words)
        if self.policy == "weighted":
            keys = kernels.exponential_keys(keys, np.array([row.score]))
        return int(keys[0])

    def limit_of(self, row: Row) -> str:
        """Name the threshold that a row has to be below: one for each group where rows are balanced."""
        return row.group if self.policy == "balanced" else ""

    def fits(self, row: Row) -> bool:
        return self.policy in ("fifo", "loss_topk") or self.key(row) <= self.limits.get(self.limit_of(row), ALL)

    def offer(self, some: Sequence[Row]) -> None:
        if not some:
            return
        self.updates += 1
        for place, row in enumerate(some):
            known = self.held.get(row.id)
            if known is not None:
                if self.policy != "weighted":
                    known.row = Row(row.id, row.score, known.row.group, known.row.text)
                    known.scored = self.updates
            elif row.id not in self.gone and self.fits(row):
                self.held[row.id] = Held(row, self.seen + place, self.updates)
        self.seen += len(some)
        self.cut()

    def cut(self) -> None:
        """Let go what is too much."""
        self.held = {one: held for one, held in self.held.items() if self.fits(held.row)}
        held = list(self.held.values())
        if len(held) <= self.capacity:
            return
        if self.policy == "fifo":
            kept = sorted(held, key=lambda one: one.arrival)[-self.capacity :]
        elif self.policy == "loss_topk":
            kept = sorted(held, key=lambda one: (-one.row.score, one.row.id))[: self.capacity]
        else:
            kept = []
            for name, quota in self.quotas(held).items():
                own = [one for one in held if self.limit_of(one.row) == name]
                own.sort(key=lambda one: (self.key(one.row), one.row.id))
                kept += own[:quota]
                if quota < len(own):
                    self.limits[name] = self.key(own[quota - 1].row) if quota else 0
        self.held = {one.row.id: one for one in kept}

    def quotas(self, held: list[Held]) -> dict[str, int]:
        """Share the places one by one, a round of all groups that have rows left after the other."""
        names = sorted({self.limit_of(one.row) for one in held})
        order = dict(zip(names, hashed(stage_key(self.seed, "replay groups"), names), strict=True))
        left = {name: sum(self.limit_of(one.row) == name for one in held) for name in names}
        found, places = dict.fromkeys(names, 0), self.capacity
        while places and any(left.values()):
            for name in sorted((name for name in names if left[name]), key=order.__getitem__)[:places]:
                found[name], left[name], places = found[name] + 1, left[name] - 1, places - 1
        return found

    def delete(self, ids: Iterable[str]) -> None:
        self.gone |= set(ids)
        self.held = {one: held for one, held in self.held.items() if one not in self.gone}

    def resize(self, capacity: int) -> None:
        self.capacity = capacity
        self.cut()

    def merge(self, other: Twin) -> None:
        self.gone |= other.gone
        self.delete(self.gone)
        for name, limit in other.limits.items():
            self.limits[name] = min(limit, self.limits.get(name, ALL))
        self.held = {one: held for one, held in self.held.items() if self.fits(held.row)}
        self.offer([other.held[one].row for one in other.ids])
        self.seen += other.seen - len(other.held)

    def back(self, before: Twin) -> Twin:
        """Return the buffer as it was, with what was deleted since."""
        found = copy.deepcopy(before)
        found.delete(self.gone)
        return found


def same(buffer: ReplayBuffer, twin: Twin) -> None:
    """Refuse a buffer that is not what its twin is."""
    assert buffer.ids().to_pylist() == twin.ids
    held = [twin.held[one] for one in twin.ids]
    assert (len(buffer), buffer.capacity, buffer.stats()["seen"]) == (len(held), twin.capacity, twin.seen)
    known = buffer.members()
    assert known["score"].to_pylist() == [one.row.score for one in held]
    assert known["scored"].to_pylist() == [one.scored for one in held]
    assert known["arrival"].to_pylist() == [one.arrival for one in held]
    assert known["group"].to_pylist() == [one.row.group for one in held]
    table = buffer.table()
    assert table["sage_row_id"].to_pylist() == twin.ids
    assert held == [] or table["text"].to_pylist() == [one.row.text for one in held]


def chi_square_bound(freedom: int) -> float:
    """Return what a chi-square variable exceeds once in 30,000 times (Wilson and Hilferty 1931)."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + 4 * part**0.5) ** 3)
