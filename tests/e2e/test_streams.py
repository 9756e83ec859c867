"""Several inputs, standard input and standard output, as a shell uses them."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from programs import Program

import sage_select
from sage_select import Pipeline, UsageError

_PROGRAM = "from sage_select.cli.select import main; main()"


@pytest.fixture
def rows(folder: Path) -> str:
    text = "".join(json.dumps({"text": f"row number {number}"}) + "\n" for number in range(30))
    (folder / "a.jsonl").write_text(text)
    return text


def run(folder: Path, *arguments: str, given: str | bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    data = given.encode() if isinstance(given, str) else given
    return subprocess.run(command, cwd=folder, input=data, capture_output=True)


def test_rows_pass_through(folder: Path, rows: str) -> None:
    done = run(folder, "build", "-", "-k", "4", "--strategy", "random", "-o", "-", given=rows)
    assert done.returncode == 0, done.stderr
    table = pa.ipc.open_stream(done.stdout).read_all()
    assert table.num_rows == 4
    assert set(table["text"].to_pylist()) <= {f"row number {number}" for number in range(30)}
    assert b"<stdin>" in done.stderr
    assert [entry.name for entry in folder.iterdir()] == ["a.jsonl"]


KINDS: dict[str, Callable[[str], bytes]] = {
    "json lines": str.encode,
    "packed": lambda text: gzip.compress(text.encode()),
    "csv": lambda text: "".join(
        ["text,n\n", *(json.loads(line)["text"] + ",1\n" for line in text.splitlines())]
    ).encode(),
    "arrow stream": lambda text: arrow(text, pa.ipc.new_stream),
    "arrow file": lambda text: arrow(text, pa.ipc.new_file),
}


def arrow(text: str, writer: Callable[..., pa.RecordBatchWriter]) -> bytes:
    table = pa.Table.from_pylist([json.loads(line) for line in text.splitlines()])
    sink = pa.BufferOutputStream()
    with writer(sink, table.schema) as opened:
        opened.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("kind", KINDS)
def test_standard_input_may_be_of_any_format(folder: Path, rows: str, kind: str, build: Program) -> None:
    done = run(folder, "build", "-", "-k", "4", "--strategy", "random", "-o", "-.jsonl", given=KINDS[kind](rows))
    assert done.returncode == 0, done.stderr
    assert build("a.jsonl", "-k", "4", "--strategy", "random", "-o", "o.jsonl").code == 0
    made = done.stdout, (folder / "o.jsonl").read_bytes()
    texts = [[json.loads(line)["text"] for line in lines.splitlines()] for lines in made]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("end", ["", ".arrows", ".arrow", ".parquet", ".jsonl", ".jsonl.gz"])
def test_standard_output_has_the_bytes_of_a_file(folder: Path, rows: str, end: str, build: Program) -> None:
    done = run(folder, "build", "a.jsonl", "-k", "4", "--strategy", "random", "-o", f"-{end}")
    assert done.returncode == 0, done.stderr
    name = f"o{end or '.arrows'}"
    assert build("a.jsonl", "-k", "4", "--strategy", "random", "-o", name).code == 0
    assert done.stdout == (folder / name).read_bytes()
    assert [entry.name for entry in folder.iterdir() if entry.name.startswith("-")] == []
    first = run(folder, "top", name, "2", "-o", f"-{end}")
    assert first.returncode == 0, first.stderr
    assert run(folder, "top", name, "2", "-o", f"t{end or '.arrows'}").returncode == 0
    assert first.stdout == (folder / f"t{end or '.arrows'}").read_bytes()


@pytest.mark.parametrize(("output", "said"), [("-.xyz", "no known output format"), ("-.", "takes no folder")])
def test_standard_output_has_a_known_format(rows: str, build: Program, output: str, said: str) -> None:
    done = build("a.jsonl", "-k", "4", "-o", output)
    assert done.code == 2
    assert said in done.err


def test_a_file_may_be_called_like_standard_output(folder: Path, rows: str, build: Program) -> None:
    assert build("a.jsonl", "-k", "4", "-o", "./-.jsonl").code == 0
    assert len((folder / "-.jsonl").read_text().splitlines()) == 4
    for write in (
        lambda: Pipeline.read("a.jsonl").select("random", budget=3).write("-").run(),
        lambda: sage_select.select("a.jsonl", k=3, strategy="random").write("-.jsonl"),
    ):
        with pytest.raises(UsageError, match="standard output"):
            write()


def test_a_reader_that_leaves_before_the_end_is_no_error(folder: Path, rows: str) -> None:
    (folder / "many.jsonl").write_text("".join(json.dumps({"text": f"row {n} " * 40}) + "\n" for n in range(4000)))
    words = [
        sys.executable,
        "-c",
        _PROGRAM,
        "build",
        "many.jsonl",
        "-k",
        "100%",
        "--strategy",
        "random",
        "-o",
        "-.jsonl",
    ]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert b"row" in program.stdout.readline()
        program.stdout.close()
        assert b"error" not in program.stderr.read()
        assert program.wait() == 0


def test_a_spec_may_end_in_standard_output(folder: Path, rows: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "s.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: ../a.jsonl}\n  - select: {strategy: random, budget: 4}\n"
        "  - sink: {path: -.jsonl}\n"
    )
    done = run(folder, "build", "--spec", "sub/s.yaml")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 4
    assert run(folder, "build", "--spec", "sub/s.yaml", "--dry-run").returncode == 0


def test_standard_output_takes_one_thing(rows: str, build: Program) -> None:
    done = build("a.jsonl", "-k", "4", "-o", "-", "--json")
    assert done.code == 2
    assert "standard output cannot take the rows" in json.loads(done.out)["error"]["message"]


def test_several_inputs_are_a_pool_to_balance(folder: Path, rows: str, build: Program) -> None:
    (folder / "b.csv").write_text("text\n" + "".join(f"csv row {number}\n" for number in range(20)))
    manifest = build("a.jsonl", "b.csv", "-k", "6", "--balance", "sage_source", "-o", "o.jsonl", "--json").json
    assert manifest["manifest"]["rows"]["in"] == 50
    made = [json.loads(line)["sage_source"] for line in (folder / "o.jsonl").read_text().splitlines()]
    assert sorted(made) == ["a.jsonl"] * 3 + ["b.csv"] * 3
    (folder / "s.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: [a.jsonl, b.csv]}\n"
        "  - select: {strategy: random, budget: 5}\n  - sink: {path: y.arrow}\n"
    )
    assert build("--spec", "s.yaml", "--json").json["manifest"]["rows"]["in"] == 50
    assert build("a.jsonl", "b.csv", "--dry-run").code == 0
    assert build("a.jsonl", "b.csv", "-k", "5", "-o", "b.csv", "--force").code == 2
