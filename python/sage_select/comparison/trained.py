"""One arm under one seed: its rows, and the adapter that is trained on them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from sage_select import io
from sage_select.comparison.arms import Arm
from sage_select.comparison.cost import Cost, measured_cost
from sage_select.comparison.rows import Pool, groups_of, selection_file, shape_of
from sage_select.comparison.tokens import steps_within, tokens_of
from sage_select.errors import DataError
from sage_select.methods import MethodSpec
from sage_select.replay import ReplayBuffer
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.from_adapter import going_on_from
from sage_select.train.kinds import KINDS
from sage_select.train.run_folder import RunFolder
from sage_select.train.stages import Stages

#: In the folder of an arm: run -> its optimizer steps.
_STEPS: Final = "steps.json"
#: What the folder of a run is called; of a sequence with its number behind it.
_RUN: Final = "run"

__all__ = ["Sequence", "TrainedArm", "Workshop", "run_folders"]


@dataclass(frozen=True)
class Sequence:
    """How rows come one group after the other.

    Attributes
    ----------
    column
        The column whose values are the groups, None for parts of the pool in its order.
    parts
        How many parts, where there is no column.
    """

    column: str | None = None
    parts: int = 4


@dataclass(frozen=True)
class TrainedArm:
    """What was trained.

    Attributes
    ----------
    folder
        The run whose adapter is the arm's: of a sequence the last.
    adapter_digest
        Of its settings and weights, when they were written.
    rows, tokens, steps
        Distinct rows to train on, tokens that were consumed and optimizer steps, of all runs.
    notices
        What was said of it.
    """

    folder: Path
    adapter_digest: str
    rows: int
    tokens: int
    steps: int
    notices: tuple[str, ...]
    kind: str = "lora"

    @property
    def is_whole(self) -> bool:
        """Whether the model itself was trained, and not an adapter."""
        return KINDS[self.kind].lora is None

    @property
    def weights(self) -> Path:
        """The folder of the adapter, or of the whole model."""
        return RunFolder(self.folder, KINDS[self.kind]).weights


def run_folders(folder: Path) -> list[Path]:
    """Return the folders of the runs that are in the folder of an arm under a seed, in the order of a sequence."""
    found = {path.name.removeprefix(f"{_RUN}-"): path for path in folder.glob(f"{_RUN}-*")}
    ordered = [found[number] for number in sorted(filter(str.isdecimal, found), key=int)]
    return ordered or [folder / _RUN]


class _Run(NamedTuple):
    """One call of `train`: its rows, settings and folder, and its share of the tokens of the arm."""

    rows: Any
    config: TrainConfig
    folder: Path
    share: float


@dataclass(frozen=True)
class Workshop:
    """What is the same for all arms.

    Attributes
    ----------
    pool, config
        The rows to choose from, and how is trained; what a method says of it wins.
    sequence
        How rows come where a method takes them one group after the other.
    teacher
        A model that teaches, in place of another arm's; None for none.
    stages, notice
        As `sage_select.train.train` takes them.
    """

    pool: Pool
    config: TrainConfig
    sequence: Sequence
    teacher: str | None
    stages: Stages
    notice: Callable[[str], None]

    def rows(self, arm: Arm, seed: int, folder: Path, tokens: int | None) -> tuple[Path, Cost]:
        """Choose the rows of an arm, where they were not chosen before, and return their file and what that took.

        Parameters
        ----------
        arm, seed, folder
            Whose rows, and where all of it lies.
        tokens
            What the arm is going to consume. In each round but the last it has consumed as large a part of them; None
            for an arm without rounds.

        Raises
        ------
        SageError
            As `sage-select build` and `sage_select.train.train`.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = selection_file(folder)
        method = arm.method.asking(self.config.model, None)
        with self.stages(f"selecting rows: {arm.name}, seed {seed}"), measured_cost() as cost:
            if arm.selection is not None:
                return self.pool.apart(arm.selection, path), cost
            if method.rounds == 1:
                return self.pool.build(method, seed, path), cost
            return self._in_rounds(arm.method, seed, folder, tokens or 0), cost

    def _in_rounds(self, method: MethodSpec, seed: int, folder: Path, tokens: int) -> Path:
        """Choose rows in rounds, the model tuned on those chosen so far before each but the first."""
        model = self.config.model
        adapter: str | None = None
        pins: str | None = None
        for number in range(1, method.rounds):
            place = folder / f"round-{number}"
            place.mkdir(exist_ok=True)
            asked = method.in_round(number, pins).asking(model, adapter)
            selection = self.pool.build(asked, seed, selection_file(place))
            ids = io.open_output(selection)[0].table["sage_row_id"].to_pylist()
            listed = place / "ids.txt"
            listed.write_text("".join(f"{one}\n" for one in ids), encoding="utf-8")
            part = max(1, tokens * number // method.rounds)
            trained = self.train(method, seed, selection, place, tokens=part, teacher=None)
            pins = str(listed)
            if trained.is_whole:
                model = str(trained.weights)
            else:
                adapter = str(trained.weights)
        asked = method.in_round(method.rounds, pins).asking(model, adapter)
        return self.pool.build(asked, seed, selection_file(folder))

    def tokens(self, selection: Path) -> int:
        """Return the tokens of one pass over the rows of an arm."""
        return tokens_of(selection, self.config, self.stages)

    def train(
        self, method: MethodSpec, seed: int, selection: Path, folder: Path, *, tokens: int, teacher: TrainedArm | None
    ) -> TrainedArm:
        """Train on so many tokens, where that is not done, and return what was trained.

        Parameters
        ----------
        method, seed, selection
            What is trained, and its rows.
        folder
            Where all of it lies.
        tokens
            What all runs of the arm consume in all, to half a step.
        teacher
            Another arm, which teaches; None where none does.

        Raises
        ------
        SageError
            As `sage_select.train.train`.
        """
        config = self._config_of(method, seed)
        if teacher is not None:
            named, learned = ("teacher", teacher.weights) if teacher.is_whole else ("teacher_adapter", teacher.folder)
            config = config.changed(**{named: str(learned)})
        runs: Iterable[_Run] = [_Run(selection, config, folder / _RUN, 1.0)]
        if method.sequence:
            runs = self._stream(method, seed, selection, folder, config)
        return self._runs(runs, folder, tokens)

    def _config_of(self, method: MethodSpec, seed: int) -> TrainConfig:
        given = {**method.train, "seed": seed}
        if method.buffer is not None:
            given["replay"] = "buffer"
        if method.teacher is not None:
            given["teacher"] = self.teacher or self.config.model
        return self.config.changed(**given)

    def _stream(
        self, method: MethodSpec, seed: int, selection: Path, folder: Path, config: TrainConfig
    ) -> Iterator[_Run]:
        """Yield the runs of a sequence, each going on from the adapter of the one before."""
        buffer = folder / "buffer"
        if method.buffer is not None and not buffer.exists():
            ReplayBuffer.open(buffer, **{**method.buffer, "seed": seed})
        groups = list(groups_of(selection, self.sequence.column, self.sequence.parts))
        # Tables in memory have no manifest, which says how their rows are read.
        config = config.changed(**shape_of(selection))
        whole = sum(len(table) for _, table in groups)
        before: Path | None = None
        for number, (name, table) in enumerate(groups, start=1):
            if method.buffer is not None:
                config = config.changed(replay=buffer, replay_task=name)
            run = folder / f"{_RUN}-{number}"
            yield _Run(table, config if before is None else going_on_from(before, config), run, len(table) / whole)
            before = run

    def _runs(self, runs: Iterable[_Run], folder: Path, tokens: int) -> TrainedArm:
        """Train one run after the other, each to its share of the tokens; what is done is not done again."""
        results: list[TrainResult] = []
        share = 0.0
        for run in runs:
            config = run.config.changed(output_dir=run.folder)
            share += run.share
            # What one run takes too much or too little of, the next makes up for.
            left = round(tokens * share) - sum(int(one.schedule["tokens"]) for one in results)
            steps = _noted_steps(folder, run.folder.name) or self._steps(run, config, folder, left)
            there = RunFolder(run.folder, KINDS[config.adapter])
            found = there.found()
            if found is not None and found.result is not None:
                _refuse_changed(there, found.result.adapter_digest)
            unfinished = found is not None and found.result is None
            told = config.changed(max_steps=steps, resume=unfinished)
            results.append(train(run.rows, told, stages=self.stages, notice=self.notice))
        last = results[-1]
        return TrainedArm(
            folder=last.output_dir,
            adapter_digest=last.adapter_digest,
            rows=sum(int(one.rows["rows_trained"]) for one in results),
            tokens=sum(int(one.schedule["tokens"]) for one in results),
            steps=sum(one.steps for one in results),
            notices=tuple(dict.fromkeys(text for one in results for text in one.notices)),
            kind=last.adapter,
        )

    def _steps(self, run: _Run, config: TrainConfig, folder: Path, tokens: int) -> int:
        """Find out how many steps a run takes for so many tokens, and note it: a buffer replays others after it."""
        steps = steps_within(run.rows, config, max(1, tokens), self.stages).steps
        note = folder / _STEPS
        noted = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else {}
        temporary = note.with_name(f".{note.name}")
        temporary.write_text(json.dumps({**noted, run.folder.name: steps}) + "\n", encoding="utf-8")
        temporary.replace(note)
        return steps


def _refuse_changed(there: RunFolder, digest: str) -> None:
    found = there.adapter_digest()
    if found != digest:
        raise DataError(
            "the adapter is not the one that was trained: it was changed since, or is gone",
            where=str(there.weights),
            expected=digest,
            got=found or "none",
            hint="remove the folder of this arm and seed, so that it is trained again",
        )


def _noted_steps(folder: Path, name: str) -> int | None:
    """Return how many steps a run takes that was begun; None of one that was not."""
    note = folder / _STEPS
    if not (folder / name).is_dir() or not note.is_file():
        return None
    steps: int | None = json.loads(note.read_text(encoding="utf-8")).get(name)
    return steps
