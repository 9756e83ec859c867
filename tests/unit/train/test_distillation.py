"""Distillation: its loss and gradient by the full formula, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pytest
from model_classes import CLASSES, SHAPE, VOCABULARY, make_model
from training_rows import training_rows

from sage_select.errors import OutputError, UsageError
from sage_select.render.quiet import quiet_libraries
from sage_select.train import TrainConfig, TrainResult, train
from sage_select.train.data import TrainingRows
from sage_select.train.methods import METHODS
from sage_select.train.packing import Layout
from sage_select.train.schedule import Schedule

pytestmark = pytest.mark.train

Chats = Callable[..., pa.Table]
LENGTHS = (9, 12, 5, 12, 3)
WEIGHTS = (1.0, 0.5, 2.0, 1.0, 0.25)
PROMPT = 2


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    pytest.importorskip("trl")
    with quiet_libraries():
        yield


@pytest.fixture(scope="module")
def rows() -> TrainingRows:
    """Return five rows of different lengths and weights, whose first tokens are not trained."""
    draw = np.random.default_rng(1)
    ids = [draw.integers(3, VOCABULARY, length).tolist() for length in LENGTHS]
    labels = [[-100] * PROMPT + row[PROMPT:] for row in ids]
    lists = pa.large_list(pa.int32())
    table = pa.table({"input_ids": pa.array(ids, lists), "labels": pa.array(labels, lists)})
    return training_rows(table, weight=list(WEIGHTS))


@pytest.fixture(scope="module")
def models() -> tuple[Any, Any]:
    """Return a student and a teacher: other weights, and an output layer that is wider than the tokens known."""
    student, teacher = make_model("llama"), make_model("llama", hidden_size=SHAPE["hidden_size"] * 2, vocab_size=72)
    return student.eval(), teacher.eval().requires_grad_(False)


def passes_of(rows: TrainingRows, *, packed: bool) -> list[dict[str, Any]]:
    from sage_select.train.collate import StepCollator

    config = TrainConfig(model="m", batch_size=2, gradient_accumulation=3, max_steps=1)
    schedule = Schedule.of(rows, config)
    lengths = rows.lengths[schedule.places]
    layout = (
        Layout.packing(schedule.starts, lengths, schedule.phases, per_pass=2, lookback=4)
        if packed
        else Layout.by_length(schedule.starts, lengths, per_pass=2)
    )
    found: list[dict[str, Any]] = StepCollator(rows.table, schedule, layout, 0)([{"step": 0}])["passes"]
    return found


def step_loss(objective: Any, model: Any, passes: list[dict[str, Any]]) -> Any:
    """Return the loss of a step as the trainer makes it."""
    tokens = sum(int((one["labels"][:, 1:] != -100).sum()) for one in passes)
    total: Any = 0.0
    for one in passes:
        inputs = dict(one)
        place, _, weight = (inputs.pop(name) for name in ("place", "slot", "weight"))
        losses = objective(model, inputs, place)
        total = total + (losses.sums * weight).sum() / tokens
    return total


def divergence_in_full(name: str, log_p: Any, log_q: Any, beta: float) -> Any:
    p, q = log_p.exp(), log_q.exp()
    if name == "forward_kl":
        return (p * (log_p - log_q)).sum(-1)
    if name == "reverse_kl":
        return (q * (log_q - log_p)).sum(-1)
    m = (beta * p + (1 - beta) * q).log()
    return beta * (p * (log_p - m)).sum(-1) + (1 - beta) * (q * (log_q - m)).sum(-1)


def full_loss(student: Any, teacher: Any, rows: TrainingRows, **said: Any) -> Any:
    """Return the formula in float64, row by row without padding, of all logits, of which some are kept at the end."""
    import torch

    total, tokens = torch.zeros((), dtype=torch.float64), 0
    columns = (rows.table[name].to_pylist() for name in ("input_ids", "labels", "weight"))
    for ids, labels, weight in zip(*columns, strict=True):
        inputs = {"input_ids": torch.tensor([ids]), "use_cache": False, "output_hidden_states": True}
        ours, theirs = student(**inputs), teacher(**inputs)
        targets = torch.tensor(labels[1:])
        logits, told = ours.logits[0, :-1], theirs.logits[0, :-1]
        temperature, alpha = said["temperature"], said["alpha"]
        log_q, log_p = ((one[:, :VOCABULARY] / temperature).log_softmax(-1) for one in (logits, told))
        each = alpha * temperature**2 * divergence_in_full(said["divergence"], log_p, log_q, said.get("beta", 0.5))
        each = each - (1 - alpha) * logits.log_softmax(-1).gather(1, targets.clamp(min=0)[:, None])[:, 0]
        if said.get("hidden_cosine"):
            pair = (one.hidden_states[-1][0, :-1] for one in (ours, theirs))
            each = each + said["hidden_cosine"] * (1 - torch.nn.functional.cosine_similarity(*pair, dim=-1))
        total = total + weight * each[targets != -100].sum()
        tokens += int((targets != -100).sum())
    return total / tokens


def objective_of(student: Any, teacher: Any, rows: TrainingRows, **said: Any) -> Any:
    from sage_select.train.distilling.divergences import DIVERGENCES
    from sage_select.train.distilling.head import Head
    from sage_select.train.distilling.objective import Distilled
    from sage_select.train.distilling.teacher import Teacher

    row = rows.table["input_ids"][0].as_py()
    teacher.get_base_model = lambda: teacher
    return Distilled(
        Head(student, row),
        Teacher(teacher, row, said.get("known", VOCABULARY), temperature=said["temperature"]),
        alpha=said["alpha"],
        temperature=said["temperature"],
        divergence=DIVERGENCES[said["divergence"]](said.get("beta", 0.5)),
        hidden_cosine=said.get("hidden_cosine", 0.0),
    )


FORMULAS: list[dict[str, Any]] = [
    {"divergence": "forward_kl", "alpha": 0.5, "temperature": 2.0},
    {"divergence": "forward_kl", "alpha": 1.0, "temperature": 0.7},
    {"divergence": "reverse_kl", "alpha": 0.3, "temperature": 1.5},
    {"divergence": "js", "alpha": 0.9, "temperature": 3.0, "beta": 0.1},
    {"divergence": "js", "alpha": 1.0, "temperature": 1.0, "beta": 0.8},
]


@pytest.mark.parametrize("said", FORMULAS, ids=lambda said: "-".join(map(str, said.values())))
@pytest.mark.parametrize("packed", [False, True])
def test_loss_and_gradient_are_those_of_the_full_formula(
    said: dict[str, Any], packed: bool, models: tuple[Any, Any], rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from copy import deepcopy

    from sage_select.train.distilling import objective as module

    monkeypatch.setattr(module, "_CHUNK", 4)
    student, teacher = (deepcopy(one) for one in models)
    exact = deepcopy(student).double()
    expected = full_loss(exact, deepcopy(teacher).double(), rows, **said)
    expected.backward()
    passes = passes_of(rows, packed=packed)
    loss = step_loss(objective_of(student, teacher, rows, **said), student, passes)
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    gradients = {name: weight.grad for name, weight in exact.named_parameters()}
    largest = max(one.abs().max().item() for one in gradients.values())
    for name, weight in student.named_parameters():
        assert (weight.grad.double() - gradients[name]).abs().max().item() < 2e-5 * largest, name


def test_the_cosine_of_hidden_states_comes_on_top(rows: TrainingRows) -> None:
    from copy import deepcopy

    student, teacher = make_model("llama").eval(), make_model("llama", initializer_range=0.3).eval()
    said = {"divergence": "forward_kl", "alpha": 0.5, "temperature": 2.0, "hidden_cosine": 0.7}
    exact = deepcopy(student).double()
    expected = full_loss(exact, deepcopy(teacher).double(), rows, **said)
    expected.backward()
    loss = step_loss(objective_of(student, teacher, rows, **said), student, passes_of(rows, packed=True))
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    first, second = (one.model.layers[0].mlp.up_proj.weight.grad for one in (student, exact))
    assert (first.double() - second).abs().max().item() < 1e-4 * second.abs().max().item()


def test_logits_of_a_whole_pass_are_never_there(rows: TrainingRows, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from sage_select.train.distilling import objective as module

    class Largest(TorchDispatchMode):
        """Notes the largest tensor that anything gives, and the largest with the vocabulary in float32."""

        elements, rows_at_once = 0, 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            for one in made if isinstance(made, tuple | list) else [made]:
                if isinstance(one, torch.Tensor) and one.shape[-1:] == (4096,):
                    self.elements = max(self.elements, one.numel())
                    if one.dtype == torch.float32:
                        self.rows_at_once = max(self.rows_at_once, one.numel() // 4096)
            return made

    monkeypatch.setattr(module, "_CHUNK", 8)
    student, teacher = (make_model("llama", vocab_size=4096).to(torch.bfloat16).eval() for _ in range(2))
    teacher.requires_grad_(False)
    objective = objective_of(student, teacher, rows, known=4096, **FORMULAS[0])
    passes = passes_of(rows, packed=False)
    trained = max(int((one["labels"] != -100).sum()) for one in passes)
    assert trained < max(one["labels"].numel() for one in passes)
    student.model.embed_tokens.requires_grad_(False)
    with Largest() as largest:
        step_loss(objective, student, passes).backward()
    assert largest.elements == trained * 4096
    assert largest.rows_at_once == 8


@pytest.mark.parametrize("name", CLASSES)
def test_the_logits_asked_for_are_those_of_any_class(name: str) -> None:
    import torch

    from sage_select.train.distilling.head import Head

    model = make_model(name).eval()
    ids = torch.arange(3, 27).reshape(2, 12)
    asked = torch.rand(2, 12, generator=torch.Generator().manual_seed(0)) > 0.5
    head = Head(model, ids[0].tolist())
    with torch.no_grad():
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        whole = model(**inputs, use_cache=False).logits[asked]
        after = head(model, inputs, asked)
    torch.testing.assert_close(after.logits, whole, rtol=1e-4, atol=1e-5)
    assert len(after.hidden) == len(whole)
    assert head._alone, "all logits are computed"


SMALL: dict[str, Any] = {
    "batch_size": 2,
    "gradient_accumulation": 2,
    "epochs": 6,
    "lora_r": 8,
    "lora_alpha": 16,
    "lora_dropout": 0.0,
    "learning_rate": 1e-2,
    "gradient_checkpointing": False,
    "method": "distillation",
    "distillation_alpha": 1.0,
    "distillation_temperature": 1.0,
}


def another(model: Path, folder: Path, **changes: Any) -> Path:
    """Write a model of the same class with other weights, and the same tokenizer."""
    import torch
    from transformers import AutoConfig, AutoTokenizer, LlamaForCausalLM

    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(model)
    for name, value in changes.items():
        setattr(config, name, value)
    LlamaForCausalLM(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(model).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def teacher(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return another(tiny_model, tmp_path_factory.mktemp("teacher"), hidden_size=48, intermediate_size=96)


@pytest.fixture
def run(tiny_model: Path, teacher: Path, tmp_path: Path) -> Callable[..., TrainResult]:
    def go(rows: Any, name: str = "run", **settings: Any) -> TrainResult:
        given = {"model": str(tiny_model), "teacher": str(teacher), "output_dir": tmp_path / name}
        return train(rows, TrainConfig.of({**SMALL, **given, **settings}))

    return go


def weights(result: TrainResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(result.lora_weights / "adapter_model.safetensors"))


def test_a_student_gets_closer_to_its_teacher_by_any_divergence(
    run: Callable[..., TrainResult], chats: Chats, tiny_model: Path, teacher: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    rows = chats(8)
    ids = torch.randint(3, 300, (4, 24), generator=torch.Generator().manual_seed(0))

    def distance(adapter: Path | None) -> float:
        """Return the KL divergence after tokens that were never trained, of the model as it is written."""
        student = AutoModelForCausalLM.from_pretrained(tiny_model)
        if adapter is not None:
            student = PeftModel.from_pretrained(student, adapter)
        with torch.no_grad():
            log_q = student(ids).logits.log_softmax(-1)
            log_p = AutoModelForCausalLM.from_pretrained(teacher)(ids).logits.log_softmax(-1)
        return float((log_p.exp() * (log_p - log_q)).sum(-1).mean())

    before = distance(None)
    for divergence in ("forward_kl", "reverse_kl", "js"):
        result = run(rows, divergence, divergence=divergence)
        assert result.loss_last < 0.9 * result.loss_first
        if divergence == "forward_kl":
            assert distance(result.lora_weights) < before


def test_a_step_is_the_same_however_its_rows_lie(
    run: Callable[..., TrainResult], mixed: Callable[[int], pa.Table]
) -> None:
    import torch

    rows, about = mixed(9), {"max_steps": 2, "learning_rate": 1e-3, "distillation_alpha": 0.6}
    alone = run(rows, "alone", batch_size=1, gradient_accumulation=6, **about)
    others = [
        run(rows, "by length", batch_size=3, **about),
        run(rows, "packed", batch_size=3, packing=True, **about),
        run(rows, "again", batch_size=3, gradient_checkpointing=True, **about),
    ]
    for one in others:
        assert (one.loss_first, one.loss_last) == pytest.approx((alone.loss_first, alone.loss_last), rel=1e-5)
        for name, weight in weights(one).items():
            torch.testing.assert_close(weight, weights(alone)[name], rtol=1e-3, atol=1e-5)


def test_a_run_goes_on_after_a_stop_as_if_there_had_been_none(run: Callable[..., TrainResult], chats: Chats) -> None:
    about = {"lr_schedule": "constant", "warmup": 0, "save_steps": 1, "epochs": 1}
    whole = run(chats(8), "whole", **about)
    run(chats(8), "resumed", **about, max_steps=1)
    resumed = run(chats(8), "resumed", **about, max_steps=2, resume=True)
    assert (whole.steps, resumed.resumed_from) == (2, 1)
    assert resumed.adapter_digest == whole.adapter_digest


def test_a_teacher_has_weights_of_its_own(
    run: Callable[..., TrainResult], chats: Chats, tiny_model: Path, teacher: Path
) -> None:
    rows, about = chats(4), {"max_steps": 1, "epochs": 3}
    same = run(rows, "same", teacher=str(tiny_model), **about)
    assert same.loss_first == pytest.approx(0, abs=1e-5)
    plain = run(rows, "plain", **about)
    rounded = run(rows, "rounded", teacher_load_in_4bit=True, **about)
    assert plain.loss_first != rounded.loss_first
    assert rounded.loss_first == pytest.approx(plain.loss_first, rel=0.3)
    lesson = {"method": "sft", "distillation_alpha": None, "distillation_temperature": None, "teacher": None}
    taught = run(rows, "taught", **about, **lesson)
    adapted = run(rows, "adapted", teacher=str(tiny_model), teacher_adapter=str(taught.output_dir), **about)
    assert adapted.loss_first > 1e-3
    both = run(rows, "both", load_in_4bit=True, teacher_precision="bf16", packing=True, **about)
    assert both.loss_first == pytest.approx(plain.loss_first, rel=0.3)


def test_a_mixture_of_experts_keeps_the_loss_of_its_router(rows: TrainingRows, models: tuple[Any, Any]) -> None:
    student, said = make_model("mixtral").eval(), FORMULAS[0]
    objective = objective_of(student, models[1], rows, **said)
    inputs = passes_of(rows, packed=False)[0]
    place, *_ = (inputs.pop(name) for name in ("place", "slot", "weight"))
    losses = objective(student, dict(inputs), place, output_router_logits=True)
    ours = {name: one for name, one in inputs.items() if name not in ("owner", "labels")}
    expected = student(**ours, output_router_logits=True).aux_loss
    assert losses.router.item() == pytest.approx(expected.item(), rel=1e-6) != 0


def test_a_run_is_known_by_its_teacher(
    run: Callable[..., TrainResult], chats: Chats, tiny_model: Path, tmp_path: Path
) -> None:
    from sage_select.train.describe import describe

    run(chats(4), max_steps=1, epochs=3)
    assert run(chats(4), max_steps=1, epochs=3).cached
    said = describe(tmp_path / "run")
    assert (said["method"], said["loss"]["of"]) == ("distillation", "distillation")
    with pytest.raises(OutputError, match=r"teacher: .* before, .* now"):
        run(chats(4), max_steps=1, epochs=3, teacher=str(tiny_model))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "other tokens": ({"teacher": "tokens"}, "different tokens: 2 differ(.|\n)*'<|new|>' is missing and 7(.|\n)*hint: "),
    "too short": ({"teacher": "short"}, "rows of .* tokens do not fit the teacher(.|\n)*at most 4 tokens"),
    "widths": ({"hidden_cosine": 0.5}, "widths have no cosine(.|\n)*32 numbers(.|\n)*48(.|\n)*--hidden-cosine"),
    "mixes": ({"teacher": "bloom", "packing": True}, "the teacher, a BloomForCausalLM, mixes examples"),
    "no model": ({"teacher": "nowhere/at/all"}, "there is no such model"),
    "no adapter": ({"teacher_adapter": "teacher"}, "the folder holds no adapter"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_teacher_that_cannot_teach_is_refused(
    name: str, run: Callable[..., TrainResult], chats: Chats, tiny_model: Path, tmp_path: Path
) -> None:
    settings, message = dict(REFUSED[name][0]), REFUSED[name][1]
    if settings.get("teacher") == "short":
        settings["teacher"] = str(another(tiny_model, tmp_path / "short", max_position_embeddings=4))
    elif settings.get("teacher") == "tokens":
        settings["teacher"] = str(another(tiny_model, tmp_path / "tokens"))
        file = tmp_path / "tokens" / "tokenizer.json"
        vocabulary = json.loads(file.read_text())
        old = next(token for token, number in vocabulary["model"]["vocab"].items() if number == 7)
        vocabulary["model"]["vocab"] = {
            "<|new|>" if token == old else token: number for token, number in vocabulary["model"]["vocab"].items()
        }
        vocabulary["model"]["merges"] = [one for one in vocabulary["model"]["merges"] if old not in "".join(one)]
        file.write_text(json.dumps(vocabulary))
    elif settings.get("teacher") == "bloom":
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        make_model("bloom", vocab_size=len(tokenizer)).save_pretrained(tmp_path / "bloom")
        tokenizer.save_pretrained(tmp_path / "bloom")
        settings["teacher"] = str(tmp_path / "bloom")
    elif settings.get("teacher_adapter"):
        settings["teacher_adapter"] = str(tiny_model)
    with pytest.raises(UsageError, match=message):
        run(chats(4), **settings)


SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"method": "sft", "teacher": "t"}, "method 'sft' does not use teacher; distillation does"),
    (
        {"method": "distil"},
        "unknown method 'distil', known are sft, distillation, dark_replay; did you mean 'distillation'",
    ),
    ({"method": "distillation"}, "needs teacher, a model, or teacher_logits"),
    ({"method": "distillation", "teacher": "t", "teacher_logits": "f"}, "at most one of teacher and teacher_logits"),
    ({"method": "distillation", "teacher": "t", "js_beta": 0.3}, "'forward_kl' does not use js_beta"),
    ({"method": "distillation", "teacher_logits": "f", "hidden_cosine": 1.0}, "hidden_cosine would do nothing"),
    ({"method": "distillation", "teacher": "t", "untaught": "plain"}, "untaught would do nothing"),
    ({"method": "distillation", "teacher": "t", "distillation_alpha": 0.0}, "more than 0, got 0"),
    ({"method": "distillation", "teacher": "t", "distillation_temperature": -1}, "more than 0, got -1"),
    ({"method": "distillation", "teacher": "t", "distillation_temperature": 101.0}, "at most 100, got 101"),
]


@pytest.mark.parametrize(("settings", "message"), SETTINGS)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(model="m", **settings)


def test_the_settings_of_a_method_are_saved_and_read_again(tmp_path: Path) -> None:
    from sage_select.cli.train_file import read_train_file

    config = TrainConfig(model="m", output_dir=tmp_path, method="distillation", teacher=str(tmp_path), divergence="js")
    (tmp_path / "settings.yaml").write_text(config.to_yaml())
    assert TrainConfig.of(read_train_file(tmp_path / "settings.yaml").values).settings() == config.settings()
    (tmp_path / "own.yaml").write_text(
        "model: m\nmethod: distillation\nteacher_logits: here.arrow\nkd_temperature: 1\n"
    )
    read = TrainConfig.of(read_train_file(tmp_path / "own.yaml").values)
    assert read.method.settings()["teacher_logits"] == str(tmp_path / "here.arrow")
    assert read.method.settings()["distillation_temperature"] == 1.0


def test_declaring_methods_loads_nothing_heavy() -> None:
    code = "import sys; from sage_select.train.methods import METHODS; print(*METHODS, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*METHODS, "False"]


def test_every_divergence_that_is_declared_is_there() -> None:
    from sage_select.declare.option import values_of
    from sage_select.train.distilling.divergences import DIVERGENCES

    assert list(DIVERGENCES) == values_of(METHODS["distillation"].model_fields["divergence"].annotation)


def test_a_method_of_another_package_trains_and_its_options_may_not_be_those_of_every_run(
    run: Callable[..., TrainResult], chats: Chats
) -> None:
    import torch

    from sage_select.declare import Option
    from sage_select.train.methods import Method, method
    from sage_select.train.own_loss import by_row

    plain = {"teacher": None, "distillation_alpha": None, "distillation_temperature": None, "max_steps": 1, "epochs": 3}

    def halved(self: Any, model: Any, inputs: Any, places: Any, **options: Any) -> Any:
        owner, targets = (inputs.pop(name)[:, 1:] for name in ("owner", "labels"))
        trained = targets != -100
        logits = model(**inputs, use_cache=False, **options).logits[:, :-1][trained]
        losses = torch.nn.functional.cross_entropy(logits, targets[trained], reduction="none") * self.part
        return by_row(losses, torch.ones_like(owner[trained]), owner[trained], len(places), None)

    def objective(self: Any, model: Any, material: Any) -> Any:
        del model, material
        return partial(halved, self)

    body = {"__doc__": "A part of the loss.", "objective": objective, "__module__": "theirs"}
    part = {"__annotations__": {"part": Annotated[float, Option("which part")]}, "part": 0.5}
    try:
        method("partly", version=3)(type("Partly", (Method,), {**body, **part}))
        whole = run(chats(4), "whole", method="sft", **plain)
        half = run(chats(4), "half", method="partly", **plain)
        assert half.loss_first == pytest.approx(whole.loss_first / 2, rel=1e-5)
        known = json.loads((half.output_dir / "run.json").read_text())["identity"]
        assert (known["method"], known["part"]) == ("partly 3 of theirs", 0.5)
        taken = {"__annotations__": {"seed": Annotated[int, Option("which")]}, "seed": 1}
        with pytest.raises(UsageError, match="has an option 'seed', which every run has"):
            method("seeded")(type("Seeded", (Method,), {**body, **taken}))
    finally:
        for name in ("partly", "seeded"):
            METHODS._members.pop(name, None)
