"""`sage-train`, from a selection to an adapter, and everything that may be wrong with what it is given."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import Program

from sage_select import demo
from sage_select.cli.console import Console, Progress

pytestmark = [pytest.mark.train]


FAST = ("--lora-r", "4", "--batch-size", "2", "--gradient-accumulation", "2", "--no-gradient-checkpointing")


@pytest.fixture
def stories(tmp_path: Path) -> Path:
    """Return a file of little stories, in the words of the model."""
    path = tmp_path / "stories.jsonl"
    names = ["Lily", "Tom", "Sam", "Mia"]
    rows = [
        {
            "prompt": f"Who went to the park on day {i}?",
            "completion": f"{names[i % 4]} went to the park. " * (1 + i % 3),
        }
        for i in range(12)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_from_a_table_to_an_adapter(sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path) -> None:
    done = sage_train("--selection", stories, "--model", shared_model, "--max-steps", 4, *FAST)
    assert done.code == 0, done.err
    assert done.out == ""
    folder = tmp_path / "home" / ".sage" / "agent_training"
    for name in (
        "lora_weights/adapter_model.safetensors",
        "logs/consumed.jsonl",
        "checkpoints/checkpoint-4",
        "run.json",
    ):
        assert (folder / name).exists()
    for said in ("no manifest", "file order", "no chat template", "12 of 12", "trained", str(folder / "lora_weights")):
        assert said in done.err
    again = sage_train("--selection", stories, "--model", shared_model, "--max-steps", 4, *FAST, "--json")
    assert again.code == 0
    assert again.json["cached"] is True
    assert again.json["rows"]["rows_trained"] == 12
    assert "already trained" not in again.out
    other = sage_train("--selection", stories, "--model", shared_model, "--max-steps", 5, *FAST)
    assert other.code == 4
    assert "max_steps: 4 before, 5 now" in other.err
    assert "--force" in other.err


def test_the_tuned_model_is_measured_beside_its_base(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    held_out = tmp_path / "held.jsonl"
    others = [
        {"prompt": f"Who went to the park on day {20 + i}?", "completion": "Lily went to the park. "} for i in range(5)
    ]
    trained = stories.read_text().splitlines()[0]
    held_out.write_text("".join(line + "\n" for line in [trained, *map(json.dumps, others)]))
    done = sage_train(
        *("--selection", stories, "--model", shared_model, "--max-steps", 6, "--learning-rate", 5e-3, *FAST),
        *(
            "--eval-data",
            held_out,
            "--eval-result",
            tmp_path / "result.json",
            "--json",
            "--output-dir",
            tmp_path / "run",
        ),
    )
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["format"] == "sage-select evaluation"
    assert done.json["evaluation"].items() <= result.items()
    assert result["rows"] == 5
    assert result["held_out"]["overlapping"][0]["kind"] == "same"
    assert "1 of 6 held-out rows are among the trained rows and are not measured: 1 by what they say" in done.err
    assert result["loss_tuned"] < result["loss_base"]
    assert "too few rows for an interval (5 of at least 10)" in result["loss_interval_none"]
    assert result["no_tool_figure"] == "no turn of these rows calls a tool"
    assert result["accuracy_base"] is None


def test_a_run_is_told_of_and_merged_by_commands_of_their_own(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    done = sage_train(
        *("--selection", stories, "--model", shared_model, "--max-steps", 2, *FAST, "--output-dir", "run"),
        *("--preset", "sage", "--use_dora", "--lr", 1e-3, "--optim", "adamw_8bit", "--json"),
    )
    assert done.json["parameters"]["trained"] < done.json["parameters"]["total"]
    said = sage_train("info", "run", "--json").json
    assert (said["adapter"], said["rank"], said["alpha"], said["finished"]) == ("dora", 4, 128, True)
    assert (said["learning_rate"], said["optimizer"]) == (1e-3, "adamw_8bit")
    shown = sage_train("info", "run/lora_weights")
    assert shown.code == 0
    assert "dora" in shown.out
    assert shown.err == ""
    merged = sage_train("merge", "run", "-o", "merged")
    assert merged.code == 0, merged.err
    assert "the most likely word is the same after 100.0%" in merged.err
    assert sage_train("merge", "run", "--output", "merged").code == 4
    assert (
        sage_train("merge", "run", "--output", "merged", "--force", "--dtype", "bf16", "--json").json["dtype"] == "bf16"
    )
    assert sage_train("info", "merged", "--json").json["what"] == "model"


def test_a_preflight_says_what_would_be_trained_and_stops_where_too_much_is_lost(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    arguments = ("preflight", "--selection", stories, "--model", shared_model, "--max-length", 36)
    done = sage_train(*arguments, "--on-long-row", "keep_start", "--show", 1)
    assert done.code == 0, done.err
    assert "12 of 12" in done.err
    assert "[[" in done.out
    assert not (tmp_path / "run").exists()
    told = sage_train(*arguments, "--json", "--on_long_row", "keep_start", "--lr", 1e-3).json
    assert told["rows"]["rows_trained"] == 12
    assert told["estimate"]["trained_parameters"] < told["estimate"]["parameters"]
    assert told["answers"]["with_end"] < told["answers"]["count"]
    refused = sage_train(*arguments, "--on-long-row", "keep_start", "--max-truncated", "1%")
    assert refused.code == 3
    assert "more of the 12 rows is lost than may be" in refused.err
    assert sage_train("preflight", "--selection", "no.jsonl", "--model", shared_model).code == 2


def test_the_model_itself_is_trained_measured_and_trained_on(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    held = tmp_path / "held.jsonl"
    held.write_text(json.dumps({"prompt": "Who sang in the park?", "completion": "Lily went to the park."}) + "\n")
    common = ("--selection", stories, "--batch-size", 2, "--max-steps", 4, "--no-gradient-checkpointing", "--json")
    done = sage_train(
        *common, "--model", shared_model, "--full", "--eval-data", held, "--lr", 1e-3, "--output-dir", "whole"
    )
    assert done.json["tuned_model"].endswith("whole/tuned_model")
    assert done.json["parameters"]["trained"] == done.json["parameters"]["total"]
    assert done.json["evaluation"]["loss_tuned"] < done.json["evaluation"]["loss_base"]
    assert not (tmp_path / "whole" / "lora_weights").exists()
    on = sage_train(*common, "--model", "whole/tuned_model", "--output-dir", "on")
    assert on.json["loss_first"] < done.json["loss_first"]


def test_steps_are_packed_and_follow_a_schedule(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    lines = [{**json.loads(line), "id": number} for number, line in enumerate(stories.read_text().splitlines())]
    lines[::4] = [{**line, "completion": line["completion"] * 12} for line in lines[::4]]
    stories.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ("--selection", stories, "--model", shared_model, *FAST)
    packed = sage_train(*arguments, "--epochs", 1, "--packing", "--output-dir", "packed")
    assert packed.code == 0, packed.err
    assert "% with the rows of a step in order, 12 examples in " in packed.err
    record = json.loads((tmp_path / "packed" / "run.json").read_text())["result"]["schedule"]
    assert record["sequences"] < record["examples"] == 12
    followed = sage_train(*arguments, "--schedule-file", "packed/schedule.arrow", "--output-dir", "followed", "--json")
    assert followed.code == 0, followed.err
    assert followed.json["schedule"]["digest"] == record["digest"]
    files = [tmp_path / name / "logs" / "consumed.jsonl" for name in ("packed", "followed")]
    rows = [[json.loads(line)["rows"] for line in path.read_text().splitlines()] for path in files]
    assert rows[0] == rows[1]
    over = sage_train(*arguments, "--schedule-file", "packed/schedule.arrow", "--output-dir", "packed", "--force")
    assert over.code == 2
    assert "schedule_file" in over.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--selection", "absent.arrow", "--model", "M"), 2, "no such selection"),
        ((), 2, "out.arrow"),
        (("--selection", "S"), 2, "no model is named"),
        (("--selection", "S", "--model", "M", "--lora-r", "0"), 2, "--lora-r: expected at least 1"),
        (("--selection", "S", "--model", "M", "--schedule", "cosin"), 2, "--lr-schedule"),
        (("--selection", "S", "--model", "M", "--bf16", "--fp32"), 2, "exclude each other"),
        (("--selection", "S", "--model", "M", "--load-in-4bit", "--load-in-8bit"), 2, "at most one of --load-in-4bit"),
        (("--selection", "S", "--model", "M", "--resume", "--force"), 2, "choose one of the two"),
        (("--selection", "S", "--model", "M", "--resume"), 2, "no run to resume"),
        (("--selection", "S", "--model", "M", "--max-length", "513"), 2, "at most 512"),
        (("--selection", "S", "--model", "M", "--lora-target", "q_prj"), 2, "did you mean 'q_proj'"),
        (("--selection", "S", "--model", "M", "--text-column", "txt"), 2, "txt"),
        (("--selection", "S", "--model", "no/such/folder/here"), 2, "no such model folder"),
        (("--selection", "S", "--model", "held"), 2, "holds no"),
        (("--selection", "S", "--model", "M", "--eval-data", "absent.jsonl"), 2, "no such held-out rows"),
        (("--selection", "S", "--model", "M", "--eval-result", "r.json"), 2, "--eval-data"),
        (("--selection", "S", "--model", "M", "--eval-data", "torn.jsonl"), 3, "line 2"),
        (("--selection", "S", "--model", "M", "--eval-data", "S", "--eval-result", "no/r.json"), 2, "does not exist"),
        (("--selection", "S", "--model", "M", "--eval-data", "S", "--eval-turns", "few"), 2, "--eval-turns"),
        (("--selection", "S", "--model", "M", "--eval-data", "S"), 3, "every held-out row is among the trained rows"),
        (
            ("--selection", "S", "--model", "M", "--eval-data", "S", "--eval-result", "S"),
            2,
            "take the place of an input",
        ),
        (("--selection", "S", "--model", "M", "--eval-data", "S", "--eval-result", "torn.jsonl"), 4, "never replaced"),
        (("--selection", "S", "--model", "M", "--chat-template", "absent.jinja"), 2, "absent.jinja"),
        (("--selection", "torn.jsonl", "--model", "M"), 3, "line 2"),
        (("--selection", "silent.jsonl", "--model", "M"), 3, "no row has anything to train"),
        (("--selection", "S", "--model", "M", "--output-dir", "torn.jsonl"), 5, "cannot be written"),
        (("--selection", "S", "--model", "M", "--output-dir", "stories.jsonl"), 2, "lies inside"),
        (("--selection", "S", "--model", "M", "--packing-lookback", "2"), 2, "--packing"),
        (("--selection", "S", "--model", "M", "--schedule-file", "absent.arrow"), 2, "absent.arrow"),
        (("--selection", "S", "--model", "M", "--schedule-file", "S"), 2, "a schedule has no column"),
        (("--selection", "S", "--model", "M", "--schedule-file", "S", "--epochs", "2"), 2, "would do nothing"),
        (("--nonsense",), 2, "nonsense"),
        (("--selection", "S", "--model", "M", "--use_dora", "--load-in-8bit"), 2, "use --load-in-4bit"),
        (("--selection", "S", "--model", "M", "--merge"), 2, "sage-train merge"),
        (("--selection", "S", "--model", "M", "--optimizer", "paged_adamw_8bit"), 2, "use --optimizer adamw_8bit"),
        (("--selection", "S", "--model", "M", "--adapter", "doar"), 2, "did you mean 'dora'"),
        (("--selection", "S", "--model", "M", "--from-adapter", "no"), 2, "holds no adapter"),
        (("mrege", "run"), 2, "did you mean 'merge'"),
        (("merge", "no", "--output", "x"), 2, "holds no adapter"),
        (("merge", "no"), 2, "output"),
        (("info", "no"), 2, "no such folder"),
        (("--selection", "S", "--model", "M", "--lr", "0"), 2, "--learning-rate"),
        (("--selection", "S", "--model", "M", "--output-dir", "M"), 2, "lies inside"),
        (("--selection", "S", "--model", "M", "--eval-data", "held", "--output-dir", "held"), 2, "lies inside"),
    ],
)
def test_what_is_wrong_is_said_with_the_right_code(
    sage_train: Program,
    stories: Path,
    shared_model: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    (tmp_path / "torn.jsonl").write_text('{"text": "a"}\n{"text": \n')
    (tmp_path / "held").mkdir()
    shutil.copy(stories, tmp_path / "held")
    (tmp_path / "silent.jsonl").write_text('{"prompt": "a", "completion": null}\n')
    named = {"S": str(stories), "M": str(shared_model)}
    done = sage_train(*(named.get(argument, argument) for argument in arguments))
    assert done.code == code, done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "home" / ".sage" / "agent_training" / "checkpoints").exists()


def test_fp16_without_a_gpu_is_refused(sage_train: Program, stories: Path, shared_model: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = sage_train("--selection", stories, "--model", shared_model, "--fp16")
    assert done.code == 2
    assert "fp16 needs a GPU" in done.err


KILLED_AT = 5


def test_a_killed_run_goes_on_to_the_same_bits(
    sage_train: Program, stories: Path, shared_model: Path, tmp_path: Path
) -> None:
    arguments = ["--selection", str(stories), "--model", str(shared_model), "--epochs", "4", "--save-steps", "1", *FAST]
    whole = sage_train(*arguments, "--output-dir", tmp_path / "whole", "--json")
    assert whole.code == 0, whole.err
    killed = tmp_path / "killed"
    command = [sys.executable, "-c", "from sage_select.cli.train import main; main()", *arguments]
    process = subprocess.Popen(
        [*command, "--output-dir", str(killed), "--quiet"], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    # Wherever the signal falls after some steps - in a step, in a checkpoint - the run must go on from there.
    ledger = killed / "logs" / "consumed.jsonl"
    while process.poll() is None and (not ledger.exists() or len(ledger.read_text().splitlines()) < KILLED_AT):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL, "it was finished before it could be killed"
    assert not (killed / "lora_weights").exists()
    refused = sage_train(*arguments, "--output-dir", killed)
    assert refused.code == 4
    assert "--resume" in refused.err
    resumed = sage_train(*arguments, "--output-dir", killed, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["resumed_from"] >= KILLED_AT - 2
    assert resumed.json["adapter_digest"] == whole.json["adapter_digest"]
    assert (killed / "logs" / "consumed.jsonl").read_text() == (tmp_path / "whole/logs/consumed.jsonl").read_text()


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_checkpoint_and_its_exit_code(
    sage_train: Program,
    stories: Path,
    shared_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    @contextmanager
    def progress(self: Console, label: str) -> Iterator[Progress]:
        def at_step(done: int, total: int, note: str = "") -> None:
            if label == "training" and done == 2:
                signal.raise_signal(number)

        yield at_step

    monkeypatch.setattr(Console, "progress", progress)
    arguments = ("--selection", stories, "--model", shared_model, "--output-dir", tmp_path / "run", *FAST)
    done = sage_train(*arguments)
    assert done.code == code
    assert "--resume" in done.err
    assert (tmp_path / "run" / "checkpoints" / "checkpoint-2" / "sage.json").exists()
    resumed = sage_train(*arguments, "--resume", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["resumed_from"] == 2


def test_a_selection_of_the_demo_data_needs_no_model(
    build: Callable[..., object], sage_train: Program, tmp_path: Path
) -> None:
    build()
    few = ("--max-steps", 3, "--gradient-accumulation", 1, "--eval-turns", 20)
    done = sage_train(*few, "--output-dir", "run", "--json")
    assert done.code == 0, done.err
    assert "built-in demo model" in done.err
    assert "built-in held-out rows" in done.err
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]
    assert identity["max_steps"] == 3  # what is given wins over the demo's settings
    assert identity["learning_rate"] == demo.TRAINING["learning_rate"]
    assert done.json["rows"]["rows_in"] == done.json["rows"]["rows_trained"] == 84  # a tenth of those that stay
    assert done.json["rows"]["truncated_rows"] == 0
    measured = done.json["evaluation"]
    assert measured["rows"] == 240
    assert measured["turns_calling"] > measured["turns_calling_judged"] == 20
    assert measured["turns_other"] > measured["turns_other_judged"] == 20
    assert measured["loss_tuned"] != measured["loss_base"]


def test_held_out_rows_can_be_left_out(build: Callable[..., object], sage_train: Program) -> None:
    build()
    done = sage_train("--max-steps", 1, "--eval-data", "none", "--output-dir", "run", "--json")
    assert done.code == 0, done.err
    assert done.json["evaluation"] is None
    assert "held-out" not in done.err


def test_help_and_version_are_light() -> None:
    heavy = ("torch", "transformers", "polars", "pyarrow", "numpy", "faiss", "pydantic", "rich")
    for option, says in (("--help", "--selection"), ("--version", "sage-train ")):
        code = (
            "import sys; from sage_select.cli.train import main\n"
            "try: main()\n"
            f"finally: sys.stderr.write(' '.join(name for name in {heavy!r} if name in sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
        assert says in done.stdout
        assert done.stderr == ""


def test_the_first_word_comes_before_the_libraries(stories: Path) -> None:
    code = (
        "import os, sys\n"
        "from sage_select.cli import console\n"
        "def say(*lines):\n"
        "    heavy = [name for name in ('torch', 'transformers', 'pyarrow', 'numpy') if name in sys.modules]\n"
        "    os.write(1, repr((lines, heavy)).encode())\n"
        "    os._exit(0)\n"
        "console.say = say\n"
        "from sage_select.cli.train import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "--selection", str(stories), "--model", "m"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(stories) in done.stdout
    assert done.stdout.endswith("[])")
