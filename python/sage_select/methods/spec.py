"""What a method of a comparison is: which rows are trained, in what order, and how."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, get_args

from sage_select.declare.problems import Said, shortened
from sage_select.errors import SageError, UsageError
from sage_select.pipeline import Pipeline, Stage
from sage_select.pipeline.spec.beside import beside
from sage_select.pipeline.spec.document import Document, parse, spec_error
from sage_select.pipeline.spec.load import Problems, steps_of, unknown
from sage_select.replay.settings import BufferSettings
from sage_select.stages import Source
from sage_select.train.config import TrainConfig
from sage_select.values.budget import Budget

__all__ = ["CONTROLS", "DECIDED", "KEYS", "Control", "MethodSpec", "load_method"]

#: What a method is compared with: itself without what it adds.
Control = Literal["random_subset", "random_order", "unaugmented", "no_replay", "plain", "none"]
CONTROLS: Final[Mapping[str, str]] = {
    "random_subset": "as many rows, drawn at random, trained plainly",
    "random_order": "the same rows in random order",
    "unaugmented": "the same rows without those that are made of them",
    "no_replay": "the same rows in the same sequence, nothing replayed",
    "plain": "the same rows, trained plainly",
    "none": "nothing: it is what others are compared with",
}
#: What a file of a method may say.
KEYS: Final[Mapping[str, str]] = {
    "summary": "what the method is, in a phrase; it must be given",
    "control": "what it is compared with",
    "steps": "the stages of `sage-select build` between source and sink, as in a spec; none trains on all rows",
    "train": "settings of `sage-train`, as its `--config` has them",
    "rounds": "in how many rounds the rows are selected, each by the model that was tuned on those before",
    "sequence": "true: the rows are trained one group after the other, each going on from the adapter before",
    "buffer": "settings of the replay buffer that a sequence keeps, as `sage-select replay init` has them",
    "teacher": "the method whose model teaches, unless --teacher names one",
}
_NAME: Final = re.compile(r"\w[\w-]*")
#: Arms that a comparison has of its own, and the folders of those that several methods have each.
_RESERVED: Final = re.compile(rf"({'|'.join((*CONTROLS, 'selection', 'random_stratified'))})(-of-.*)?")
#: What stands in a step for the model of the comparison, and for what it has learned from the rows chosen before.
MODEL: Final = "{model}"
ADAPTER: Final = "{adapter}"
_MOST_ROUNDS: Final = 100
#: Settings of training that are the comparison's to say, as they are the same for all methods or follow from it.
DECIDED: Final = (
    "model",
    "output_dir",
    "seed",
    "epochs",
    "max_steps",
    "schedule_file",
    "resume",
    "force",
    "allow_change",
    "from_adapter",
    "replay",
    "replay_task",
    "teacher",
    "teacher_adapter",
    "eval_split",
)


@dataclass(frozen=True)
class MethodSpec:
    """A method as a value: what `sage-select build` and `sage-train` would be told.

    Attributes
    ----------
    name, summary
        What it is called, and what it is in a phrase.
    steps
        The stages between the source and the sink: none trains on all rows, in random order.
    train
        Settings of `TrainConfig`; those that say nothing of the method are the comparison's.
    control
        What it is compared with, one of `CONTROLS`.
    sequence
        Whether the rows are trained one group after the other, each going on from the adapter before: a stream.
    buffer
        Settings of the replay buffer that a sequence keeps; None keeps none.
    rounds
        In how many rounds the rows are selected: before each but the first the model is tuned on those selected so far,
        and `{adapter}` in a step is what it has learned. `{model}` is the base model.
    teacher
        The method whose adapter teaches, where none is named to the comparison; None for a method without a teacher.

    Raises
    ------
    UsageError
        If anything in it is unknown or out of range: all problems are named.

    Examples
    --------
    >>> from sage_select.methods import MethodSpec
    >>> steps = [{"select": {"strategy": "loss_topk"}}]
    >>> method = MethodSpec.of("hardest", {"summary": "the hardest rows", "steps": steps})
    >>> method.control
    'random_subset'
    """

    name: str
    summary: str
    steps: tuple[Stage, ...] = ()
    train: Mapping[str, Any] = field(default_factory=dict)
    control: Control = "plain"
    rounds: int = 1
    sequence: bool = False
    buffer: Mapping[str, Any] | None = None
    teacher: str | None = None

    def __post_init__(self) -> None:
        """Refuse what nothing could be compared with."""
        if self.control not in CONTROLS:
            raise UsageError(f"unknown control {self.control!r}", expected=", ".join(CONTROLS))
        if self.control == "random_subset" and not self.selects:
            raise UsageError("random_subset is for methods that select", got=f"{self.name} has no select step")

    @classmethod
    def of(cls, name: str, values: Mapping[str, Any]) -> MethodSpec:
        """Return the method that a dictionary describes, as a file does."""
        return _checked(name, Document(dict(values)))

    @property
    def selects(self) -> bool:
        """Whether it trains on a part of the rows."""
        return any(step.name == "select" for step in self.steps)

    @property
    def identity(self) -> str:
        """What names all that it does: methods that do the same are one arm of a comparison."""
        said = [
            [{step.name: step.settings()} for step in self.steps],
            dict(self.train),
            self.rounds,
            self.sequence,
            None if self.buffer is None else dict(self.buffer),
            self.teacher,
        ]
        text = json.dumps(said, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def with_budget(self, budget: str) -> MethodSpec:
        """Return the method with another budget of rows to select.

        Raises
        ------
        UsageError
            If it is no budget, or none of the rows.
        """
        parsed = Budget.parse(budget)
        if 0 in (parsed.count, parsed.share, parsed.tokens):
            raise UsageError("a budget of no rows trains nothing", got=budget)
        steps = tuple(step.changed(budget=budget) if step.name == "select" else step for step in self.steps)
        return replace(self, steps=steps)

    def in_round(self, number: int, pins: str | None) -> MethodSpec:
        """Return the method as it selects in a round, from 1: so large a part of its budget, these rows in any case.

        Parameters
        ----------
        number
            The round.
        pins
            A file with the ids of the rows selected before, one a line; None in the first.
        """
        steps = []
        for step in self.steps:
            if step.name == "select":
                budget = Budget.parse(step.settings()["budget"])
                part = Fraction(number, self.rounds)
                count = None if budget.count is None else math.ceil(budget.count * part)
                share = None if budget.share is None else budget.share * part
                step = step.changed(budget=str(Budget(count, share)), **({} if pins is None else {"pin": pins}))
            steps.append(step)
        return replace(self, steps=tuple(steps))

    def asking(self, model: str, adapter: str | None) -> MethodSpec:
        """Return the method with the model of a comparison, and what it has learned so far, in its steps."""
        steps = self.steps if adapter is not None else tuple(map(_without_adapter, self.steps))
        return replace(self, steps=tuple(_placed(step, {MODEL: model, ADAPTER: str(adapter)}) for step in steps))

    def controlled_by(self) -> MethodSpec | None:
        """Return what it is compared with, None for nothing: a method called by the control's name."""
        if self.control == "none":
            return None
        plain = MethodSpec(
            name=self.control, summary=CONTROLS[self.control], steps=self._control_steps(), control="none"
        )
        if self.control == "no_replay":
            train = {name: value for name, value in self.train.items() if not name.startswith("replay")}
            return replace(plain, train=train, sequence=self.sequence)
        return plain

    def _control_steps(self) -> tuple[Stage, ...]:
        if self.control == "random_subset":
            last = [step for step in self.steps if step.name == "select"][-1]
            kept = {name: last.settings()[name] for name in ("budget", "clamp")}
            return (type(last).make(strategy="random", **kept),)
        left_out = {"random_order": "order", "unaugmented": "augment"}.get(self.control)
        return tuple(step for step in self.steps if step.name != left_out)

    def as_dict(self) -> dict[str, Any]:
        """Return what a file of it holds, as plain values."""
        steps = [{step.name: step.shown_settings()} for step in self.steps]
        said: dict[str, Any] = {"summary": self.summary, "control": self.control, "steps": steps}
        said |= {"train": dict(self.train)} if self.train else {}
        said |= {"rounds": self.rounds} if self.rounds > 1 else {}
        said |= {"sequence": True} if self.sequence else {}
        said |= {"buffer": dict(self.buffer)} if self.buffer is not None else {}
        return said | ({"teacher": self.teacher} if self.teacher else {})


def load_method(path: Path) -> MethodSpec:
    """Read a method from a YAML or TOML file, whose name is the method's; paths in it are relative to its folder.

    Raises
    ------
    UsageError
        If the file is missing or not well formed, or anything in it is wrong: each problem with its place.
    """
    found = _checked(path.name.partition(".")[0], parse(path, "method"))
    chain = beside(Pipeline(steps=(Source.make(demo=True), *found.steps)), path.parent)
    # What stands for the comparison's own is no path.
    own = {str(path.parent / name): name for name in (MODEL, ADAPTER)}
    return replace(found, steps=tuple(_placed(step, own) for step in chain.steps[1:]))


def _without_adapter(step: Stage) -> Stage:
    """Return a step without the settings that name what the model has learned, where it has not yet."""
    given = step.given_settings()
    kept = {name: value for name, value in given.items() if value != ADAPTER}
    return step if kept == given else type(step).make(**kept)


def _placed(step: Stage, names: Mapping[str, str]) -> Stage:
    """Return a step with other names for some of what it reads."""
    return step.relocated(lambda text, _mark: names.get(text, text))


def _checked(name: str, document: Document) -> MethodSpec:
    problems = Problems(document)
    value = document.value
    if not _NAME.fullmatch(name):
        said = f"a method's name, which is that of its file, has letters, digits, _ and - alone, not {shortened(name)}"
        problems.add((), Said(said, "letters, digits, _ and -", shortened(name)))
    elif _RESERVED.fullmatch(name):
        problems.add((), Said(f"{name!r} is what a comparison calls an arm of its own: give the method another name"))
    if not isinstance(value, Mapping):
        expected, got = f"the keys {', '.join(KEYS)}", shortened(value)
        problems.add((), Said(f"expected {expected}, got {got}", expected, got))
        raise spec_error(document.file, problems.found, "method")
    for key in value:
        if key not in KEYS:
            problems.add((str(key),), unknown("key", str(key), list(KEYS)), key=True)
    summary = value.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        problems.add(("summary",), _wrong("what the method is, in a phrase", summary))
    steps = steps_of(value.get("steps", []), problems)
    for place, step in enumerate(steps):
        if step.opens or step.ends:
            said = f"the {step.name} is the comparison's: leave it out"
            problems.add(("steps", place, step.name), Said(said, "stages between source and sink", step.name), key=True)
    selects = any(step.name == "select" for step in steps)
    control = value.get("control", _default_control(steps))
    if control not in get_args(Control):
        problems.add(("control",), unknown("control", str(control), list(CONTROLS)))
    elif control == "random_subset" and not selects:
        problems.add(("control",), Said("random_subset is for methods that select, and this one has no select step"))
    sequence = value.get("sequence", False)
    if not isinstance(sequence, bool):
        problems.add(("sequence",), _wrong("true or false", sequence))
    rounds = value.get("rounds", 1)
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 1 <= rounds <= _MOST_ROUNDS:
        problems.add(("rounds",), _wrong(f"a whole number from 1 to {_MOST_ROUNDS}", rounds))
    elif rounds > 1:
        _refuse_rounds(steps, problems)
    train = _train(value.get("train", {}), problems)
    buffer = value.get("buffer")
    if buffer is not None:
        _buffer(buffer, problems, sequence=sequence is True)
    elif any(one.startswith("replay") for one in train):
        problems.add(("train",), Said("settings of replay are for a sequence with a buffer: add `buffer: {}`"))
    teacher = value.get("teacher")
    if teacher is not None and not isinstance(teacher, str):
        problems.add(("teacher",), _wrong("the name of a method", teacher))
    if problems.found:
        raise spec_error(document.file, problems.found, "method")
    return MethodSpec(name, str(summary).strip(), tuple(steps), train, control, rounds, bool(sequence), buffer, teacher)


def _refuse_rounds(steps: list[Stage], problems: Problems) -> None:
    """Refuse rounds where there is not one step that selects a number of rows."""
    selecting = [step for step in steps if step.name == "select"]
    if len(selecting) != 1:
        problems.add(("rounds",), Said("rows are selected in rounds by one select step", "one select step"))
    elif Budget.parse(selecting[0].settings()["budget"]).tokens is not None:
        problems.add(("rounds",), Said("rounds need a budget in rows, or as a share of them"))


def _default_control(steps: list[Stage]) -> str:
    """Return what a method is compared with where it does not say: of what it adds, the first."""
    names = {step.name for step in steps}
    rules = {"select": "random_subset", "augment": "unaugmented", "order": "random_order"}
    return next((rule for stage, rule in rules.items() if stage in names), "plain")


def _train(value: Any, problems: Problems) -> dict[str, Any]:
    """Return the settings of training, each checked."""
    if not isinstance(value, Mapping):
        problems.add(("train",), _wrong("settings of training by their names", value))
        return {}
    for name in value:
        if name in DECIDED:
            problems.add(("train", str(name)), Said(f"{name} is the comparison's to say: leave it out"), key=True)
    settings = {str(name): one for name, one in value.items() if name not in DECIDED}
    # What the comparison adds, so that settings which need it can be checked.
    beside: dict[str, Any] = {"replay": Path("buffer")} if any(name.startswith("replay") for name in settings) else {}
    if settings.get("method") == "distillation":
        beside["teacher"] = "teacher"
    try:
        TrainConfig.of({**settings, **beside, "model": "model"}, {name: f"train.{name}" for name in settings})
    except SageError as error:
        problems.add(("train",), Said("; ".join(part for part in (error.message, error.got, error.hint) if part)))
    return settings


def _buffer(value: Any, problems: Problems, *, sequence: bool) -> None:
    if not isinstance(value, Mapping):
        problems.add(("buffer",), _wrong("settings of a replay buffer by their names", value))
        return
    if not sequence:
        problems.add(
            ("buffer",), Said("a buffer is for rows that come one group after the other: add `sequence: true`")
        )
    try:
        BufferSettings.make(**value)
    except UsageError as error:
        problems.add(("buffer",), Said(str(error).replace("\n", " ")))


def _wrong(expected: str, got: Any) -> Said:
    return Said(f"expected {expected}, got {shortened(got)}", expected, shortened(got))
