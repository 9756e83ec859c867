"""Entries of other trainers: as their documentation has them, and read as they read, in the order of the plan."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

import datasets
import pytest
from programs import Program
from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML

import sage_select
from sage_select import DataError, UsageError
from sage_select.cli import select as program
from sage_select.export import TARGETS, Entry, export, select_for_export

N = 20


def turns(*said: tuple[str, str], role: str = "role", content: str = "content") -> list[dict[str, Any]]:
    return [{role: speaker, content: words} for speaker, words in said]


def call(i: int) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": {f"k{i}": i}}}


def tool(i: int) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {f"k{i}": {"type": "integer"}}}
    return {"type": "function", "function": {"name": "f", "description": "it does", "parameters": parameters}}


SHAPES: dict[str, Callable[[int], dict[str, Any]]] = {
    "messages": lambda i: {"messages": turns(("system", "be"), ("user", f"what is {i}?"), ("assistant", f"it is {i}"))},
    "tool_calls": lambda i: {
        "messages": [
            {"role": "user", "content": f"find {i}"},
            {"role": "assistant", "content": "", "tool_calls": [call(i)]},
            {"role": "tool", "content": f"found {i}", "tool_call_id": "c"},
            {"role": "assistant", "content": f"it is {i}"},
        ],
        "tools": [tool(i)],
    },
    "sharegpt": lambda i: {
        "conversations": turns(("human", f"what is {i}?"), ("gpt", f"it is {i}"), role="from", content="value"),
        "system": "be good",
    },
    "sharegpt_calls": lambda i: {
        "conversations": turns(
            ("human", f"find {i}"),
            ("function_call", json.dumps({"name": "f", "arguments": {"k": i}})),
            ("observation", f"found {i}"),
            ("gpt", f"it is {i}"),
            role="from",
            content="value",
        ),
        "tools": [tool(i)["function"]],
    },
    "text_tools": lambda i: {
        "conversations": turns(("human", f"what is {i}?"), ("gpt", f"it is {i}"), role="from", content="value"),
        "tools": json.dumps([tool(i)["function"]]),
    },
    "odd_names": lambda i: {"messages": turns(("human", f"what is {i}?"), ("model", f"it is {i}"))},
    "prompt_completion": lambda i: {"prompt": f"what is {i}?", "completion": f"it is {i}"},
    "instruction": lambda i: {"instruction": f"add {i}", "input": f"to {i}" if i % 2 else "", "output": f"{i}"},
    "question_answer": lambda i: {"question": f"what is {i}?", "answer": f"it is {i}"},
    "text": lambda i: {"text": f"text number {i} of some"},
}
FORMATS = (".jsonl", ".jsonl.gz", ".parquet", ".arrow", ".arrows", "")

#: What each trainer reads: shape -> formats. All else is refused.
ALL = set(FORMATS)
OBJECTS = {".jsonl", ".jsonl.gz"}
FACTORY = {".jsonl", ".parquet", ".arrow"}
READS: dict[str, dict[str, set[str]]] = {
    "axolotl": {
        **dict.fromkeys(SHAPES, ALL),
        "tool_calls": OBJECTS,
        "sharegpt_calls": set(),
        "text_tools": set(),
    },
    "llamafactory": {
        **dict.fromkeys(SHAPES, FACTORY),
        "tool_calls": set(),
        "sharegpt_calls": {".parquet", ".arrow"},
    },
    "trl": {
        **dict.fromkeys(("messages", "prompt_completion", "text"), ALL),
        "tool_calls": OBJECTS,
    },
}
CASES = [(target, shape, form) for target in READS for shape in SHAPES for form in FORMATS]
READ = [(target, shape, form) for target, shape, form in CASES if form in READS[target].get(shape, set())]


@pytest.fixture(scope="module")
def selections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a selection of each shape, in each format."""
    folder = tmp_path_factory.mktemp("export")
    for shape, row in SHAPES.items():
        chosen = sage_select.select([row(i) for i in range(N)], k=N - 4, strategy="random")
        for form in FORMATS:
            chosen.write(folder / f"{shape}{form}")
    return folder


def entry(folder: Path, target: str, shape: str, form: str) -> Entry:
    return export(select_for_export(folder / f"{shape}{form}"), TARGETS[target])


def planned(folder: Path, shape: str) -> list[dict[str, Any]]:
    """Return the rows in the order in which they are to be trained."""
    return [json.loads(line) for line in (folder / f"{shape}.jsonl").read_text().splitlines()]


def loaded(builder: str, files: str, folder: Path) -> list[dict[str, Any]]:
    found = datasets.load_dataset(builder, data_files=files, split="train", cache_dir=str(folder / "cache"))
    rows: list[dict[str, Any]] = found.to_list()
    return rows


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


# axolotl: https://docs.axolotl.ai/docs/config-reference.html, which is made from src/axolotl/utils/schemas/datasets.py
# (SFTDataset, UserDefinedPrompterType) and config.py; docs/dataset-formats/{conversation,inst_tune,pretraining}.qmd.


class Documented(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class UserDefinedPrompterType(Documented):
    system_prompt: str | None = None
    system_format: str | None = None
    field_system: str | None = None
    field_instruction: str | None = None
    field_input: str | None = None
    field_output: str | None = None
    format: str | None = None
    no_input_format: str | None = None


class SFTDataset(Documented):
    path: str
    split: str | None = None
    ds_type: Literal["json", "arrow", "parquet", "text", "csv"] | None = None
    type: Literal["chat_template", "completion"] | UserDefinedPrompterType
    field: str | None = None
    field_messages: str | None = None
    message_property_mappings: dict[str, str] | None = None
    roles: dict[str, list[str]] | None = None
    roles_to_train: list[str] | None = None
    train_on_eos: Literal["all", "turn", "last"] | None = None


class Axolotl(Documented):
    datasets: list[SFTDataset]
    shuffle_merged_datasets: bool
    curriculum_sampling: bool
    sample_packing: bool
    sample_packing_sequentially: bool | None = None


def as_axolotl_reads(made: Entry, folder: Path) -> list[Any]:
    """Return rows as `load_dataset_with_config`, `ChatTemplatePrompter` and their like read them."""
    config = Axolotl.model_validate(YAML(typ="safe").load(made.text))
    assert not config.shuffle_merged_datasets
    assert config.curriculum_sampling
    (one,) = config.datasets
    path = Path(one.path)
    if path.is_dir():
        rows = without_nulls(datasets.load_from_disk(str(path)).to_list())
    else:
        assert (one.ds_type, one.split) != (None, None)
        rows = without_nulls(loaded(str(one.ds_type), str(path), folder))
    if one.type == "completion":
        return [row[one.field or "text"] for row in rows]
    if isinstance(one.type, UserDefinedPrompterType):
        return [as_prompter_writes(one.type, row) for row in rows]
    return [as_template_sees(one, row) for row in rows]


def as_prompter_writes(prompter: UserDefinedPrompterType, row: dict[str, Any]) -> tuple[str, str]:
    instruction, answer = row[str(prompter.field_instruction)], row[str(prompter.field_output)]
    given = row.get(prompter.field_input or "")
    form = prompter.format if given else prompter.no_input_format
    return str(form).format(instruction=instruction, input=given), answer


def as_template_sees(one: SFTDataset, row: dict[str, Any]) -> list[dict[str, Any]]:
    keys = one.message_property_mappings or {"role": "role", "content": "content"}
    known = {"human": "user", "gpt": "assistant"}
    if one.roles is not None:
        known = {name: role for role, names in one.roles.items() for name in names}
    found = [{"role": "system", "content": row["system"]}] if "system" in row else []
    for message in row[str(one.field_messages)]:
        turn = {name: message[key] for name, key in keys.items() if key in message}
        turn["role"] = known.get(turn["role"], turn["role"])
        for one_call in message.get("tool_calls", ()):
            arguments = one_call["function"]["arguments"]
            one_call["function"]["arguments"] = json.loads(arguments) if isinstance(arguments, str) else arguments
            turn.setdefault("tool_calls", []).append(one_call)
        found.append(turn)
    assert isinstance(row.get("tools", []), list)
    return found


# LLaMA-Factory: https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md; src/llamafactory/data/parser.py
# (DatasetAttr), converter.py (AlpacaDatasetConverter, SharegptDatasetConverter), extras/constants.py (FILEEXT2TYPE).


class Columns(Documented):
    prompt: str | None = None
    query: str | None = None
    response: str | None = None
    history: str | None = None
    messages: str | None = None
    system: str | None = None
    tools: str | None = None


class Tags(Documented):
    role_tag: str
    content_tag: str
    user_tag: str
    assistant_tag: str
    observation_tag: str
    function_tag: str
    system_tag: str


class Description(Documented):
    file_name: str
    formatting: Literal["alpaca", "sharegpt"] = "alpaca"
    ranking: bool = False
    subset: str | None = None
    split: str = "train"
    num_samples: int | None = None
    columns: Columns
    tags: Tags | None = None


FILEEXT2TYPE = {"arrow": "arrow", "csv": "csv", "json": "json", "jsonl": "json", "parquet": "parquet", "txt": "text"}


def as_llamafactory_reads(made: Entry, folder: Path) -> list[Any]:
    ((_, one),) = json.loads(made.text).items()
    read = Description.model_validate(one)
    rows = loaded(FILEEXT2TYPE[Path(read.file_name).suffix[1:]], read.file_name, folder)
    return [(as_sharegpt if read.formatting == "sharegpt" else as_alpaca)(read, row) for row in rows]


def as_alpaca(read: Description, row: dict[str, Any]) -> tuple[str, str]:
    parts = [row[name] for name in (read.columns.prompt, read.columns.query) if name and row[name]]
    return "\n".join(parts), row[read.columns.response] if read.columns.response else ""


def as_sharegpt(read: Description, row: dict[str, Any]) -> list[tuple[str, str]] | None:
    tags, messages = read.tags, row[str(read.columns.messages)]
    assert tags is not None
    roles = {
        tags.user_tag: "user",
        tags.assistant_tag: "assistant",
        tags.observation_tag: "tool",
        tags.function_tag: "call",
        tags.system_tag: "system",
    }
    accepted = ((tags.user_tag, tags.observation_tag), (tags.assistant_tag, tags.function_tag))
    first = [(tags.role_tag, tags.system_tag)] if read.columns.system else []
    found = [("system", row[str(read.columns.system)])] if first else []
    if messages[0][tags.role_tag] == tags.system_tag:
        found = [("system", messages[0][tags.content_tag])]
        messages = messages[1:]
    if read.columns.tools:
        assert json.loads(row[read.columns.tools])
    if len(messages) % 2:
        return None
    for place, message in enumerate(messages):
        if message[tags.role_tag] not in accepted[place % 2]:
            return None
        found.append((roles[message[tags.role_tag]], message[tags.content_tag]))
    return found


# TRL: the installed library itself.


def as_trl_reads(made: Entry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    trl = pytest.importorskip("trl")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(folder / "cache"))
    config = YAML(typ="safe").load(made.text)
    mixture = trl.DatasetMixtureConfig(datasets=config.pop("datasets"))
    assert config.keys() <= {one.name for one in fields(trl.SFTConfig)}
    assert config["train_sampling_strategy"] == "sequential"
    assert not config["shuffle_dataset"]
    assert not config["packing"]
    rows: list[Any] = without_nulls(trl.get_dataset(mixture)["train"].to_list())
    return rows


def expected(target: str, shape: str, rows: list[dict[str, Any]]) -> list[Any]:
    """Return what a trainer reads of the planned rows."""
    own = [{name: value for name, value in row.items() if not name.startswith("sage_")} for row in rows]
    if target == "trl":
        return own
    if shape == "text":
        return [row["text"] if target == "axolotl" else (row["text"], "") for row in own]
    if shape in ("prompt_completion", "instruction", "question_answer"):
        gap, end = ("\n\n", "\n") if target == "axolotl" else ("\n", "")
        parts = [[str(value) for value in row.values() if value != ""] for row in own]
        return [(gap.join(said[:-1]) + end, said[-1]) for said in parts]
    known = {"human": "user", "gpt": "assistant", "model": "assistant", "observation": "tool", "function_call": "call"}
    found = []
    for row in own:
        said = [
            {**turn, "role": known.get(turn["role"], turn["role"])}
            for turn in (
                {{"from": "role", "value": "content"}.get(name, name): value for name, value in one.items()}
                for one in row.get("messages", row.get("conversations"))
            )
        ]
        for turn in said:
            turn.pop("tool_call_id", None)
        said = ([{"role": "system", "content": row["system"]}] if "system" in row else []) + said
        found.append(said if target == "axolotl" else [(turn["role"], turn["content"]) for turn in said])
    return found


@pytest.mark.parametrize(("target", "shape", "form"), READ)
def test_an_entry_is_read_as_planned(
    target: str, shape: str, form: str, selections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.disable_progress_bars()
    made = entry(selections, target, shape, form)
    readers: dict[str, Callable[[], list[Any]]] = {
        "axolotl": lambda: as_axolotl_reads(made, tmp_path),
        "llamafactory": lambda: as_llamafactory_reads(made, tmp_path),
        "trl": lambda: as_trl_reads(made, tmp_path, monkeypatch),
    }
    assert readers[target]() == expected(target, shape, planned(selections, shape))


@pytest.mark.parametrize(("target", "shape", "form"), sorted(set(CASES) - set(READ)))
def test_what_cannot_be_read_is_refused(target: str, shape: str, form: str, selections: Path) -> None:
    with pytest.raises((UsageError, DataError), match=TARGETS[target].title) as refused:
        entry(selections, target, shape, form)
    readable = READS[target].get(shape, set())
    said = str(refused.value)
    # The hint names a format that is read; where none is, it names who reads the rows.
    if readable:
        assert said.rsplit("-o ", 1)[1].removeprefix(shape) in readable
    elif form in {one.value for one in TARGETS[target].formats}:
        assert "sage-train" in said


def test_there_is_a_target_a_file() -> None:
    assert list(TARGETS) == sorted(READS)
    assert {name: TARGETS[name].name for name in TARGETS} == {name: name for name in TARGETS}
    assert TARGETS.need("LLaMA-Factory") is TARGETS["llamafactory"]
    with pytest.raises(UsageError, match="did you mean 'axolotl'"):
        TARGETS.need("axolotel")


def test_rows_that_a_trainer_would_skip_are_counted(tmp_path: Path) -> None:
    rows = [SHAPES["sharegpt"](i) for i in range(N)]
    rows[3]["conversations"].append({"from": "gpt", "value": "and more"})
    sage_select.select(rows, k=N, strategy="random").write(tmp_path / "out.jsonl")
    made = export(select_for_export(tmp_path / "out.jsonl"), TARGETS["llamafactory"])
    place = next(n for n, line in enumerate((tmp_path / "out.jsonl").read_text().splitlines(), 1) if "and more" in line)
    assert any(f"will skip 1 of {N} rows, the first line {place}" in note for note in made.notes)
    read = as_llamafactory_reads(made, tmp_path)
    assert read.count(None) == 1
    assert read[place - 1] is None

    for row in rows:
        row["conversations"] = [*row["conversations"][:2], {"from": "gpt", "value": "and more"}]
    sage_select.select(rows, k=N, strategy="random").write(tmp_path / "all.jsonl")
    with pytest.raises(DataError, match="would skip every row"):
        export(select_for_export(tmp_path / "all.jsonl"), TARGETS["llamafactory"])


@pytest.mark.parametrize("target", TARGETS)
def test_what_a_trainer_does_not_read_is_told(target: str, tmp_path: Path) -> None:
    rows = [SHAPES["messages"](i) for i in range(N)]
    rows[1]["messages"] = [*rows[1]["messages"], *turns(("user", "more")), *turns(("assistant", "no"))]
    rows[1]["messages"][2]["weight"] = 0
    path = sage_select.select(rows, k=N, strategy="random").write(tmp_path / "out.jsonl")
    text = path.read_text().replace('"sage_weight": 1.0', '"sage_weight": 0.5')
    path.with_name("plain.jsonl").write_text(text)
    notes = " ".join(export(select_for_export(path.with_name("plain.jsonl")), TARGETS[target]).notes)
    assert "sage_weight is not used" in notes
    assert "no manifest" in notes
    assert "weight" in notes.replace("sage_weight", "").replace("weights of rows", "")


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    path = sage_select.select([SHAPES["text"](i) for i in range(N)], k=5, strategy="random").write(tmp_path / "o.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.with_name("p.jsonl").write_text("".join(reversed(lines)))
    with pytest.raises(DataError, match="training order"):
        select_for_export(path.with_name("p.jsonl"))
    empty = sage_select.select([SHAPES["text"](0)], k=0, strategy="random").write(tmp_path / "e.arrow")
    with pytest.raises(DataError, match="has no rows"):
        select_for_export(empty)


def test_an_entry_alone_goes_to_standard_output(
    selections: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Program("sage-select export", program.main, capsys, monkeypatch)
    done = run(selections / "messages.parquet", "--to", "llamafactory")
    assert done.code == 0
    assert json.loads(done.out)["messages"]["file_name"] == str(selections / "messages.parquet")
    assert "disable_shuffling: true" in done.err
    quiet = run(selections / "messages.jsonl", "--to", "axolotl", "-q")
    assert quiet.err == ""
    assert YAML(typ="safe").load(quiet.out)["datasets"][0]["path"] == str(selections / "messages.jsonl")
    answer = run(selections / "messages.jsonl", "--to", "axolotl", "--json").json
    assert answer["entry"] == YAML(typ="safe").load(quiet.out)
    assert answer["target"] == "axolotl"
    assert run(selections / "messages.jsonl", "--to", "megatron").code == 2
    assert run(selections / "messages.jsonl").code == 2
    assert run(selections / "tool_calls.arrow", "--to", "axolotl").code == 2
    assert "-o tool_calls.jsonl" in run(selections / "tool_calls.arrow", "--to", "axolotl").err
    assert run(selections / "tool_calls.jsonl", "--to", "llamafactory").code == 3


def test_a_changed_selection_is_refused(tmp_path: Path) -> None:
    path = sage_select.select([SHAPES["text"](i) for i in range(N)], k=5, strategy="random").write(tmp_path / "o.jsonl")
    path.write_text(path.read_text().replace("some", "same", 1))
    with pytest.raises(DataError, match="changed"):
        select_for_export(path)
    assert len(select_for_export(path, verify=False).rows) == 5
