"""`sage-select init` writes a spec that runs; `schema` prints what editors check it by."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from programs import Program

from sage_select.cli.select import main


@pytest.fixture
def sage(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program("sage-select", main, capsys, monkeypatch)


def chats(path: Path, n: int = 30) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"question {row}"},
                {"role": "assistant", "content": f"answer {row}"},
            ],
            "id": row,
            "src": "a",
        }
        for row in range(n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_without_an_input_it_runs_on_the_demo_data(folder: Path, sage: Program) -> None:
    done = sage("init")
    assert done.code == 0, done.err
    assert done.out == ""
    assert "sage-select plan" in done.err
    assert sage("build", "--json").json["manifest"]["source"]["demo"] is True
    # An input that is named comes in the place of the demo data.
    chats(folder / "rows.jsonl")
    manifest = sage("build", "rows.jsonl", "--spec", "sage.yaml", "-o", "b.arrow", "--json").json["manifest"]
    assert manifest["source"]["name"] == "rows.jsonl"


def test_nothing_is_replaced(folder: Path, sage: Program) -> None:
    (folder / "sage.yaml").write_text("mine")
    done = sage("init", "--json")
    assert done.code == 4
    assert json.loads(done.out)["error"]["where"]["file"] == "sage.yaml"
    assert (folder / "sage.yaml").read_text() == "mine"
    (folder / "sage.yaml").rename(folder / "sage.toml")
    done = sage("init")
    assert done.code == 4
    assert "sage.toml: there is a spec in this folder already" in done.err
    assert sage("init", "other.yaml").code == 0
    (folder / "sage.toml").unlink()
    (folder / "sage.schema.json").write_text("{}")
    assert sage("init", "--schema").code == 4
    assert not (folder / "sage.yaml").exists()


def test_an_input_is_looked_at(folder: Path, sage: Program) -> None:
    chats(folder / "my chats.jsonl")
    (folder / "specs").mkdir()
    done = sage("init", "my chats.jsonl", "specs/mine.yaml", "--schema", "--json")
    assert done.json["source"] == {"path": "../my chats.jsonl"}
    assert done.json["remarks"] == ["Read as messages (messages), 30 rows; other columns: id, src."]
    text = (folder / "specs" / "mine.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=mine.schema.json\n")
    assert "      # Read as messages (messages), 30 rows; other columns: id, src.\n" in text
    assert "      #id_column: id\n" in text
    schema = (folder / "specs" / "mine.schema.json").read_text()
    assert json.loads(schema) == json.loads(sage("schema").out) == sage("schema", "--json").json["schema"]
    assert sage("build", "--spec", "specs/mine.yaml", "-o", "o.arrow").code == 0
    # The schema is there already, and says the same.
    (folder / "specs" / "mine.yaml").unlink()
    assert sage("init", "my chats.jsonl", "specs/mine.yaml", "--schema").code == 0


def test_several_inputs_and_rows_of_no_known_shape(folder: Path, sage: Program) -> None:
    pa.parquet.write_table(pa.table({"text": ["a", "b"], "id": ["x", "x"]}), folder / "a.parquet")
    (folder / "b.csv").write_text("text,id\nc,y\n")
    assert sage("init", "a.parquet", "b.csv", "two.yaml").code == 0
    text = (folder / "two.yaml").read_text()
    assert "path: [a.parquet, b.csv]" in text
    assert "#id_column:\n" in text, "two rows have one id"
    (folder / "q.csv").write_text("Frage,Antwort\n1,2\n")
    done = sage("init", "q.csv", "q.yaml")
    assert done.code == 0
    assert "the columns are 'Frage', 'Antwort'" in done.err
    assert "prompt_column with completion_column" in (folder / "q.yaml").read_text()
    assert sage("build", "--spec", "q.yaml").code == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.jsonl"], 2, "none.jsonl: no such file"),
        (["a.yaml", "b.yml"], 2, "one spec is written"),
        (["a.toml"], 2, "one spec is written"),
        (["none/sage.yaml"], 5, "No such file or directory"),
        (["empty.jsonl"], 3, "empty.jsonl"),
    ],
)
def test_what_cannot_be_written_is_told(
    folder: Path, sage: Program, arguments: list[str], code: int, said: str
) -> None:
    (folder / "empty.jsonl").write_text("")
    done = sage("init", *arguments)
    assert done.code == code, done.err
    assert said in done.err
    assert sorted(path.name for path in folder.iterdir()) == ["empty.jsonl"]


def test_what_names_hold_cannot_forge_a_line(folder: Path, sage: Program) -> None:
    (folder / "odd.jsonl").write_text(json.dumps({"text": "a", "x\ny: 1\u001b[2J": 1}) + "\n")
    assert sage("init", "odd.jsonl").code == 0
    assert "x\\ny: 1\\x1b[2J" in (folder / "sage.yaml").read_text()
    assert sage("build", "--budget", "1", "--json").json["ok"]
