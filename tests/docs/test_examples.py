"""The examples in README.md and in docs run: shell lines in turn, Python in one session."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from programs import Done, Program

from sage_select import SageWarning, demo
from sage_select.cli import select, train
from sage_select.methods import MethodSpec

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
TRAINING = (ROOT / "docs" / "training.md").read_text()
REPLAY = (ROOT / "docs" / "replay.md").read_text()
LEXICAL = (ROOT / "docs" / "lexical-scores.md").read_text()
SCORES = (ROOT / "docs" / "scores.md").read_text()
ACTIVE = (ROOT / "docs" / "active-learning.md").read_text()
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text()
COMPARISON = (ROOT / "docs" / "comparison.md").read_text()
REPORT = (ROOT / "docs" / "report.md").read_text()
EMBEDDINGS = (ROOT / "docs" / "embeddings.md").read_text()


def blocks(language: str, text: str = README + TRAINING) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert found, f"no {language} block"
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the README's examples name."""
    folder = tmp_path_factory.mktemp("readme")
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"what is {i} plus {i % 7}?"},
                {"role": "assistant", "content": f"it is {i + i % 7}."},
            ],
            "loss": float(i % 11),
            "id": f"chat-{i}",
            "source": ["web", "book", "forum"][i % 3],
        }
        for i in range(200)
    ]
    (folder / "chats.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    week2 = [
        {**chat, "messages": [*chat["messages"], *chat["messages"]], "id": f"{chat['id']}-2"} for chat in chats[:60]
    ]
    (folder / "week2.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in week2))
    (folder / "keep.txt").write_text("chat-7\nchat-8\n")
    (folder / "leak.txt").write_text("chat-9\n")
    (folder / "heldout.jsonl").write_text(
        "".join(json.dumps({"messages": one["messages"]}) + "\n" for one in chats[:5])
    )
    (folder / "more.csv").write_text("question,answer\nwhat is 9 plus 2?,it is 11.\n")
    rows = [{"instruction": f"write about topic {i}", "output": f"topic {i} is fine"} for i in range(200)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    new = [{"instruction": f"tell of matter {i}", "output": f"matter {i} is well"} for i in range(80)]
    (folder / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in new))
    (folder / "queries.csv").write_text("Query,Tool\n" + "".join(f"find {i} things,Tool{i % 5}\n" for i in range(60)))
    pl.DataFrame({"text": [f"intent number {i} of many" for i in range(400)]}).write_parquet(folder / "intents.parquet")
    vectors = np.random.default_rng(0).normal(size=(len(chats), 16)).astype(np.float16)
    np.save(folder / "vectors.npy", vectors)
    (folder / "model").symlink_to(demo.model_path())
    (folder / "train.yaml").write_text(re.findall(r"^```yaml\n(.*?)^```", TRAINING, flags=re.MULTILINE | re.DOTALL)[0])
    return folder


#: Runs a line in a folder.
Run = Callable[[str, Path], Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run lines in this process, which loads libraries once; `make wheel-test` runs the programs as installed."""
    mains = {"sage-select": select.main, "sage-train": train.main}
    programs = {name: Program(name, main, capsys, monkeypatch) for name, main in mains.items()}

    def ran(line: str, folder: Path) -> Done:
        monkeypatch.chdir(folder)
        program, *arguments = shlex.split(line, comments=True)
        return programs[program](*arguments)

    return ran


@pytest.mark.train
def test_shell_examples(folder: Path, run: Run) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    assert len(lines) >= 4
    for line in lines:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"
    assert (folder / "run" / "lora_weights" / "adapter_model.safetensors").is_file()


@pytest.mark.train
@pytest.mark.parametrize("page", [SCORES, EMBEDDINGS], ids=["scores", "embeddings"])
def test_examples_of_scores_and_vectors(folder: Path, run: Run, page: str) -> None:
    for line in [line for block in blocks("sh", page) for line in block.splitlines() if line.strip()]:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"


def test_every_measure_is_documented() -> None:
    from sage_select.score import MEASURES

    table = re.findall(r"^\| `(\w+)` \| .* \| (?:\*\*)?(high|low)(?:\*\*)? \|", SCORES, flags=re.MULTILINE)
    assert {name: end == "high" for name, end in table} == {
        name: one.higher_is_harder for name, one in MEASURES.items()
    }


def test_examples_of_replay(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in [line for block in blocks("sh", REPLAY) for line in block.splitlines() if line.strip()]:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"
    session: dict[str, object] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks("python", REPLAY):
            exec(compile(block, "replay.md", "exec"), session)
    first, second, third = out.getvalue().splitlines()
    assert (first[:2], second) == ("4 ", "['selected', 'selected', 'replay']")
    assert third == "[('entered', 4)]"


def test_examples_of_reports(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in [line for block in blocks("sh", REPORT) for line in block.splitlines() if line.strip()]:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"
    assert (folder / "picks.report.figures" / "map.png").is_file()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks("python", REPORT):
            exec(compile(block, "report.md", "exec"), {})
    assert out.getvalue().splitlines() == [
        "again.html ['the distribution of tokens', 'pairs of duplicates']",
        "['sources.png'] False",
    ]


def test_examples_of_lexical_scores(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in [line for block in blocks("sh", LEXICAL) for line in block.splitlines()]:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"
    session: dict[str, object] = {}
    with pytest.warns(SageWarning, match="fewer than 10 words"):
        exec(compile(blocks("python", LEXICAL)[0], "lexical-scores.md", "exec"), session)
    assert len(session["picked"].indices) == 20  # type: ignore[attr-defined]


def test_examples_of_active_learning(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the classifier needs the embed extra")
    monkeypatch.chdir(tmp_path)
    rows = [{"text": f"{'buy' if i % 2 else 'sell'} {i} things", "kind": ("in", "out")[i % 2]} for i in range(80)]
    for name, some in (("pool", rows), ("labelled", rows[:10]), ("more", rows[10:20])):
        kept = ("text",) if name == "pool" else ("text", "kind")
        lines = [json.dumps({key: row[key] for key in kept}) + "\n" for row in some]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    shares = np.linspace(0.1, 0.9, 80)
    np.save(tmp_path / "probabilities.npy", np.stack([shares, 1 - shares], axis=1).astype(np.float32))
    np.save(tmp_path / "hidden.npy", np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32))
    for block in blocks("sh", ACTIVE):
        for line in block.replace("\\\n", " ").splitlines():
            done = run(line, tmp_path)
            assert done.code == 0, f"{line}\n{done.err}"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks("python", ACTIVE):
            exec(compile(block, "active-learning.md", "exec"), {})
    assert out.getvalue() == "5 {'badge'}\n"


@pytest.mark.train
def test_examples_of_evaluation(folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in [line for block in blocks("sh", EVALUATION) for line in block.splitlines()]:
        done = run(line, folder)
        assert done.code == 0, f"{line}\n{done.err}"
    session: dict[str, object] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks("python", EVALUATION):
            exec(compile(block, "evaluation.md", "exec"), session)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("tool_accuracy 1.0 (0.91")
    assert "false_calls no turn without a call is judged None" in lines
    assert "base loss 12 ['loss', 'perplexity']" in lines
    assert lines[-2].startswith("0.25 (")
    assert lines[-2].endswith("McNemar's exact test")
    assert "word='better'" in lines[-1]


@pytest.mark.train
def test_examples_of_comparison(run: Run, tmp_path: Path) -> None:
    rows = [{"prompt": f"say {i} again", "completion": f"it is {i}"} for i in range(60)]
    for name, some in (("rows", rows[:48]), ("heldout", rows[48:])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    (tmp_path / "model").symlink_to(demo.model_path())
    for line in [line for block in blocks("sh", COMPARISON) for line in block.splitlines()]:
        done = run(line, tmp_path)
        assert done.code == 0, f"{line}\n{done.err}"
    assert re.search(r"selection +[0-9.]+: .* random_subset \(p = ", done.err)
    (tmp_path / "mine.yaml").write_text(blocks("yaml", COMPARISON)[0])
    shown = run("sage-train methods mine --method-file mine.yaml", tmp_path)
    assert shown.code == 0, shown.err


def test_the_defaults_of_controls_are_those_that_the_page_says() -> None:
    steps = {"select": {}, "augment": {"augment": "rules"}, "order": {"order": "random"}}
    said = re.findall(r"`(\w+)` if it (select|augment|order)s", COMPARISON)
    assert len(said) == 3
    for number, (control, step) in enumerate(said):
        later = [{name: steps[name]} for _, name in said[number:]]
        assert step in later[0]
        assert MethodSpec.of("mine", {"summary": "x", "steps": later}).control == control
    assert MethodSpec.of("mine", {"summary": "x"}).control == "plain"


def test_the_loop_of_active_learning_tells_what_each_way_is_worth(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the example needs the bench extra")
    pytest.importorskip("matplotlib", reason="the example needs the bench extra")
    program = [sys.executable, str(ROOT / "examples" / "active_learning.py"), "--seeds", "2", "--rounds", "1"]
    done = subprocess.run([*program, "--output", "out"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "active-learning.svg").read_text().startswith("<?xml")
    table = (tmp_path / "out" / "active-learning-table.md").read_text()
    assert table == done.stdout
    assert [line.split(" | ")[0] for line in table.splitlines()[:4]] == [
        "| rows labelled",
        "|---|---|---|",
        "| random",
        "| entropy",
    ]
    assert len(re.findall(r"^\| \w+ \|", table, flags=re.MULTILINE)) == 13


def test_python_examples(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    session: dict[str, object] = {}
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks("python"):
            exec(compile(block, "README.md", "exec"), session)
    assert out.getvalue().startswith("Selection(20 of 200 rows)")


def test_the_spec_example(tmp_path: Path, folder: Path, run: Run) -> None:
    (tmp_path / "sage.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "chats.jsonl").write_bytes((folder / "chats.jsonl").read_bytes())
    done = run("sage-select build --json", tmp_path)
    assert done.json["manifest"]["rows"]["kept"] == 20


def test_the_line_after_the_demo_works(tmp_path: Path, run: Run) -> None:
    entering, *lines = README.split("```")[3].strip().splitlines()
    assert entering.startswith("source .venv/bin/activate")
    for line in lines:
        done = run(line, tmp_path)
        assert done.code == 0, f"{line}\n{done.err}"
    assert (tmp_path / "out.arrow.manifest.json").is_file()


def test_the_two_commands_come_first() -> None:
    first = README.split("```")[1]
    assert [line.split("#")[0].strip() for line in first.strip().splitlines()] == ["make demo", "make test"]
