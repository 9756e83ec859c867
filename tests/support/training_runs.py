"""Training runs of the tiny model that a user interrupts."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from sage_select.train import TrainConfig, TrainResult, train

Chats = Callable[..., pa.Table]

#: 7 rows in steps of 4: two steps a pass, six in all; dropout is on, so the random state matters.
SETTINGS: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 2,
    "epochs": 3,
    "lora_r": 4,
    "lora_dropout": 0.1,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "save_steps": 2,
    "keep_checkpoints": 9,
}


class Runner:
    def __init__(self, model: Path, folder: Path, rows: pa.Table) -> None:
        self.model, self.folder, self.rows = model, folder, rows
        self.notices: list[str] = []
        self.notes: list[str] = []

    def __call__(
        self, name: str = "run", *, stop_after: int | None = None, eval_data: Any = None, **settings: Any
    ) -> TrainResult:
        def stages(label: str) -> Any:
            return Interrupting(stop_after if label == "training" else None, self.notes)

        config = TrainConfig(**{**SETTINGS, "model": str(self.model), "output_dir": self.folder / name, **settings})
        return train(self.rows, config, eval_data=eval_data, stages=stages, notice=self.notices.append)

    def evaluations(self, name: str = "run") -> list[Any]:
        path = self.folder / name / "logs" / "evaluations.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def steps(self, name: str = "run") -> list[Any]:
        return [json.loads(line) for line in (self.folder / name / "logs" / "consumed.jsonl").read_text().splitlines()]


class Interrupting:
    """A progress display whose user presses Ctrl-C at a step."""

    def __init__(self, at: int | None, notes: list[str]) -> None:
        self.at = at
        self.notes = notes

    def __enter__(self) -> Callable[[int, int], None]:
        return self.step

    def __exit__(self, *_: object) -> None:
        pass

    def step(self, done: int, total: int, note: str = "") -> None:
        self.notes.append(note)
        if done == self.at:
            signal.raise_signal(signal.SIGINT)
