"""The walk of docs/extending.md, from an empty folder to an installed package."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from walks import install, program, run, shell_lines

from sage_select import demo

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
#: `sage-train`.
PROGRAM = "from sage_select.cli.train import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package of the page, installed beside it, and some rows."""
    folder = tmp_path_factory.mktemp("extending")
    assert len(install(PAGE, folder)) == 15
    lines: list[dict[str, object]] = [
        {
            "id": f"r{row}",
            "text": f"{'why? ' * (row % 7)}row {row} says {'much ' * (row % 5)}{'!' * (row % 4)}",
            "loss": row % 11,
        }
        for row in range(60)
    ]
    lines.append({"id": "r60", "text": "no", "loss": 3})
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def commands() -> list[str]:
    return [line for line in shell_lines(PAGE) if line.startswith("sage-select")]


def test_every_command_of_the_page_does_what_it_says(folder: Path, commands: list[str]) -> None:
    assert len(commands) == 11
    for command in commands:
        done = program(folder, command)
        assert done.returncode == (2 if "refused" in command else 0), f"{command}: {done.stderr}"
    assert "expected 'high' or 'low', got 'sideways'" in done.stderr
    tables = {
        name: pa.ipc.open_file(folder / f"{name}.arrow").read_all()
        for name in ("easiest", "questions", "longer", "ordered", "polite", "asked")
    }
    polite = tables.pop("polite")
    assert {table.num_rows for table in tables.values()} == {5}
    assert polite["sage_origin"].to_pylist().count("augmented") == 5
    made = polite.filter(pc.is_valid(polite["sage_parent_id"]))["text"].to_pylist()
    assert {text.startswith("thank you, ") or text.endswith(", thank you") for text in made} == {True}
    loud = [text.count("!") >= 2 for text in tables["ordered"]["text"].to_pylist()]
    assert loud == sorted(loud)
    assert tables["ordered"]["sage_phase"].to_pylist() == [int(one) for one in loud]
    assert min(text.count("?") for text in tables["questions"]["text"].to_pylist()) == 6
    assert all("?" in text for text in tables["asked"]["text"].to_pylist())
    assert set(tables["easiest"]["sage_reason"].to_pylist()) == {"length"}
    kept = [
        json.loads(row)["loss"] for row in program(folder, "sage-select replay draw buffer 100%").stdout.splitlines()
    ]
    assert kept == [0] * 5
    assert "lowest (the rows of the lowest scores)" in " ".join(
        program(folder, "sage-select replay init -h").stdout.split()
    )
    dropped = json.loads((folder / "longer.arrow.manifest.json").read_text())["rows"]["dropped"]
    assert dropped["without_short: fewer than 4 words"] == 3


def test_help_spec_explain_and_keywords_know_the_package(folder: Path) -> None:
    shown = program(folder, "sage-select build --help").stdout
    for said in (
        "Strategy longest:",
        "--end",
        "Scorer exclamations:",
        "--mark",
        "Stage without_short:",
        "--least-words",
        "letters (",
        "Order loud_last:",
        "--loud-from",
        "Augmenter politely:",
        "--polite-word",
    ):
        assert said in shown, said
    (folder / "sage.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - without_short: {least_words: 0}\n  - select: {}\n"
    )
    wrong = program(folder, "sage-select build --explain")
    assert wrong.returncode == 2
    assert "sage.yaml:4:34: steps.1.without_short.least_words" in wrong.stderr
    assert "at least 1" in wrong.stderr
    (folder / "sage.yaml").write_text((folder / "sage.yaml").read_text().replace("least_words: 0", "least_words: 2"))
    explained = program(folder, "sage-select build --explain --strategy longest --score-column loss").stdout
    assert "without_short  Rows with few words leave" in explained
    assert "longest, 10% of the rows" in explained
    code = (
        "import sage_select; from sage_select import Pipeline\n"
        "chosen = sage_select.select('rows.jsonl', k=3, strategy='longest', end='low', scores='loss')\n"
        "print(len(chosen), 'end:' in sage_select.select.__doc__)\n"
        "chain = Pipeline.read('rows.jsonl').without_short(4).select('longest', budget=2)\n"
        "print(len(chain.order('loud_last').run()))\n"
    )
    assert run(folder, sys.executable, "-W", "ignore", "-c", code).stdout.split() == ["3", "True", "2"]


def test_training_knows_the_method_of_the_package(folder: Path) -> None:
    code = (
        "import sys; from sage_select.cli.train import main; from sage_select.train import TrainConfig\n"
        "print(TrainConfig(model='m', method='smoothed', smoothing=0.3).identity()['smoothing'])\n"
        "sys.argv = ['sage-train', '--help']; main()"
    )
    done = run(folder, sys.executable, "-c", code)
    shown = " ".join(done.stdout.split())
    for said in ("0.3 Usage", "smoothed (the trained tokens, a share of each", "Method smoothed:", "--smoothing"):
        assert said in shown, done.stderr


def test_a_package_that_cannot_be_loaded_is_left_out_and_named(folder: Path) -> None:
    module = folder / "site" / "my_selection" / "longest.py"
    text = module.read_text()
    module.write_text("import nowhere_to_be_found\n")
    try:
        shown = program(folder, "sage-select build --help")
        named = program(folder, "sage-select build rows.jsonl --strategy longest")
    finally:
        module.write_text(text)
    assert shown.returncode == 0
    assert "Scorer exclamations:" in shown.stdout
    assert "Strategy longest:" not in shown.stdout
    assert named.returncode == 5
    for done in (shown, named):
        assert "note: strategy 'longest' of the package my-selection is left out: ModuleNotFoundError" in done.stderr
    assert "error: the strategy 'longest' of the package my-selection was left out" in named.stderr
    assert "(longest.py, line 1)" in named.stderr


#: A strategy of another package -> what a build says of it. None of them writes a file.
FAULTS = {
    "row = np.array([3, 2, 3]); return Picks.without_gains(row, 'mine')": "a row twice",
    "return Picks.without_gains(np.arange(9) + 10, 'mine')": "9 rows",
    "return Picks.without_gains(np.arange(3) + 10, 'mine')": "picked too few rows",
    "return Picks.without_gains(np.arange(5) + 1, 'mine')": "row 1, which is pinned, picked before, or excluded",
    "return Picks.without_gains(np.arange(5) == 2, 'mine')": "no one-dimensional int64 array, but bool",
    "return Picks.without_gains(np.arange(5) + 58, 'mine')": "a row that there is not, of 61",
    "return None": "it returned NoneType",
    "raise ValueError('my own trouble')": "of the package my_selection failed(?s:.*)ValueError: my own trouble",
}


@pytest.mark.parametrize("body", FAULTS, ids=FAULTS.values())
def test_a_rule_that_breaks_its_word_is_named_and_nothing_is_written(folder: Path, body: str) -> None:
    module = folder / "site" / "my_selection" / "longest.py"
    text = module.read_text()
    (folder / "out.txt").write_text("r1\n")
    module.write_text(
        re.sub(r"        difficulty = .*", "        " + body.replace("; ", "\n        ") + "\n", text, flags=re.DOTALL)
    )
    try:
        done = program(
            folder,
            "sage-select build rows.jsonl --strategy longest --budget 5 --id-column id --exclude out.txt -o f.arrow",
        )
    finally:
        module.write_text(text)
    assert done.returncode == 5, done.stderr
    assert re.search(FAULTS[body], done.stderr), done.stderr
    assert "longest" in done.stderr
    assert not (folder / "f.arrow").exists()


def test_what_a_class_holds_is_computed_once(folder: Path) -> None:
    command = "sage-select build rows.jsonl --strategy loss_topk --scorer commas --budget {} -o held{}.arrow"
    assert re.search("score +ran ", program(folder, command.format(5, 5)).stderr)
    assert re.search("score +cached ", program(folder, command.format(6, 6)).stderr)


def test_a_rule_with_another_version_or_none_is_not_taken_for_what_it_was(folder: Path) -> None:
    module = folder / "site" / "my_selection" / "longest.py"
    text = module.read_text()
    command = "sage-select build rows.jsonl --strategy longest --score-column loss --budget 5 -o edited.arrow --force"
    assert program(folder, command).returncode == 0
    assert "cached" in program(folder, command).stderr
    try:
        module.write_text(text.replace("version=1", "version=2"))
        assert "cached" not in program(folder, command).stderr
        module.write_text(text.replace(" version=1,", ""))
        for _ in range(2):
            assert "cached" not in program(folder, command).stderr
        refused = program(folder, command.removesuffix(" --force"))
        assert refused.returncode == 4
        assert "strategy 'longest' of the package my-selection declares no version" in refused.stderr
        planned = program(folder, command.replace(" build ", " plan ", 1)).stdout
        assert "declares no version, so that it is made anew" in planned
        assert re.search("^select .*never: no version", planned, re.MULTILINE)
    finally:
        module.write_text(text)


def test_select_heeds_every_keyword_that_it_lists(folder: Path) -> None:
    code = (
        "import sage_select\n"
        "def picks(**more):\n"
        "    return sage_select.select('rows.jsonl', k=5, strategy='loss_topk', **more).indices.tolist()\n"
        "print(picks() != picks(scorer='exclamations', mark='?'))\n"
        "try: picks(scorer='nosuch')\n"
        "except sage_select.UsageError as error: print('unknown scorer' in str(error))\n"
    )
    assert run(folder, sys.executable, "-W", "ignore", "-c", code).stdout.split() == ["True", "True"]


def test_the_evaluator_of_the_page_asks_and_judges(folder: Path) -> None:
    rows = [{"question": f"why {i}", "answer": "so it is" if i % 2 else "Once upon"} for i in range(12)]
    (folder / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = ["--model", str(demo.model_path()), "--max-length", "256", "--data", "answers.jsonl"]
    named = ["--evaluators", "same_start", "--start-words", "2", "--max-new-tokens", "4", "--json"]
    done = run(folder, sys.executable, "-c", PROGRAM, "eval", *told, *named)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["evaluation"]["evaluators"]["same_start"]
    assert found["why"] == "12 rows end in an answer"
    assert found["figures"][0]["base"]["rows"] == 12


def test_the_method_of_the_page_is_one_of_those_that_are_compared(folder: Path) -> None:
    (command,) = [line for line in shell_lines(PAGE) if line.startswith("sage-train methods")]
    done = program(folder, command)
    assert done.returncode == 0, done.stderr
    assert "strategy: longest" in done.stdout
    assert "control: random_subset" in done.stdout
    assert "loud_rows" in program(folder, "sage-train methods").stdout
