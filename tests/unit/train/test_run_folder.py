"""The output folder: whose it is, and that nothing foreign is ever deleted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.train.result import TrainResult
from sage_select.train.row_summary import RowSummary
from sage_select.train.run_folder import RunFolder

IDENTITY = {"epochs": 3.0, "model": "abc"}


def result(folder: RunFolder) -> TrainResult:
    return TrainResult(
        output_dir=folder.path,
        cached=False,
        resumed_from=0,
        steps=3,
        loss_first=2.0,
        loss_last=1.0,
        rows=RowSummary(4, 4, (), 0, 0, 40, 20, examples=4).as_dict(),
        precision="fp32",
        device="cpu",
        schedule={
            "digest": "s",
            "steps": 3,
            "examples": 12,
            "passes": 3.0,
            "rows_per_step": 4,
            "even": True,
            "sequences": 12,
            "forward_passes": 3,
            "tokens": 120,
            "padding_share": 0.1,
            "padding_share_in_order": 0.2,
            "kendall_tau": 1.0,
        },
        fingerprint="f",
        adapter="lora",
        parameters={"trained": 2, "total": 9},
        adapter_digest="d",
        notices=("a notice",),
    )


def test_a_run_is_found_again_unfinished_and_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run")
    with folder.locked():
        assert folder.found() is None
        folder.start(IDENTITY, "", anew=True)
        found = folder.found()
        assert found is not None
        assert found.identity == IDENTITY
        assert found.result is None
        folder.finish(IDENTITY, result(folder))
        found = folder.found()
    assert found is not None
    assert found.result == result(folder)


def test_a_run_of_an_earlier_version_is_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
    record = json.loads((tmp_path / "run.json").read_text())
    del record["result"]["schedule"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    found = folder.found()
    assert found is not None
    assert found.identity == IDENTITY
    assert found.result is None


def test_the_result_follows_a_moved_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "a")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
    (tmp_path / "a").rename(tmp_path / "b")
    found = RunFolder(tmp_path / "b").found()
    assert found is not None
    assert found.result is not None
    assert found.result.lora_weights == tmp_path / "b" / "lora_weights"


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with (
        RunFolder(tmp_path).locked(),
        pytest.raises(OutputError, match="another sage-train"),
        RunFolder(tmp_path).locked(),
    ):
        pass
    with RunFolder(tmp_path).locked():
        pass


@pytest.mark.parametrize("name", ["logs", "lora_weights", "checkpoints"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").write_text("x")
    with pytest.raises(OutputError, match=r"not a run of sage-train"):
        RunFolder(tmp_path).found()
    assert (tmp_path / name / "precious").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"finished": true}', '{"finished": true, "result": 3}'])
def test_a_damaged_record_is_not_taken_for_a_run(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(OutputError, match=r"not a run of sage-train"):
        RunFolder(tmp_path).found()


def test_files_beside_ours_are_let_be(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    folder = RunFolder(tmp_path)
    with folder.locked():
        assert folder.found() is None
        folder.start({"epochs": 1.0}, "", anew=True)
        (folder.checkpoints / "checkpoint-1").mkdir()
        folder.start(IDENTITY, "", anew=False)
        assert (folder.checkpoints / "checkpoint-1").exists()
        folder.start(IDENTITY, "", anew=True)
        assert not (folder.checkpoints / "checkpoint-1").exists()
        folder.replaced.discard()
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",
        "logs",
        "notes.txt",
        "run.json",
        "settings.yaml",
    ]


def test_a_difference_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        found = folder.found()
        assert found is not None
        folder.refuse_unless_same(found, IDENTITY)
        with pytest.raises(OutputError, match=r"epochs: 3.0 before, 1.0 now"):
            folder.refuse_unless_same(found, {**IDENTITY, "epochs": 1.0})


def fill_the_disk(folder: RunFolder) -> None:
    with folder.new_weights() as temporary:
        (temporary / "adapter_config.json").write_text("2")
        raise OSError("disk")


def test_weights_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        with folder.new_weights() as temporary:
            (temporary / "adapter_config.json").write_text("1")
            (temporary / "adapter_model.safetensors").write_text("1")
        before = folder.adapter_digest()
        assert before is not None
        with pytest.raises(OSError, match="disk"):
            fill_the_disk(folder)
        assert folder.adapter_digest() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_resource_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ResourceError, match="cannot be written"), RunFolder(tmp_path / "run").locked():
        pass


def test_a_file_in_the_way_is_a_resource_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(ResourceError, match="cannot be written"), RunFolder(tmp_path / "run").locked():
        pass


def test_the_record_is_readable_json(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
    content = json.loads((tmp_path / "run.json").read_text())
    assert content["format_version"] == 1
    assert content["finished"] is True
    assert content["result"]["loss_last"] == 1.0


@pytest.mark.parametrize(
    "content", ["", "[]", "5", '{"finished": true}', '{"finished": false, "identity": 5}', "[" * 100_000]
)
def test_a_record_that_is_none_is_nobody_s(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(OutputError, match="not a run of sage-train"):
        RunFolder(tmp_path).found()


@pytest.mark.parametrize(
    ("name", "value"), [("steps", "many"), ("loss_last", []), ("rows", {}), ("rows", {"rows_in": "x"}), ("notices", 5)]
)
def test_a_result_of_other_types_is_refused(tmp_path: Path, name: str, value: object) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
    content = json.loads((tmp_path / "run.json").read_text())
    assert folder.found() is not None
    content["result"][name] = value
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(OutputError, match="not a run of sage-train"):
        folder.found()


def test_a_record_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(OutputError, match="not a run of sage-train"):
        RunFolder(tmp_path).found()


def test_a_run_never_writes_into_what_it_reads(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "deep").mkdir(parents=True)
    rows = tmp_path / "run" / "logs" / "rows.jsonl"
    rows.parent.mkdir(parents=True)
    rows.write_text("{}")
    (tmp_path / "link").symlink_to(model)
    for folder, inputs in (
        (model, {"model": model}),
        (model / "deep", {"model": model}),
        (tmp_path / "link", {"model": model}),
        (model, {"model": tmp_path / "link"}),
        (tmp_path / "run", {"selection": rows}),
        (tmp_path / "run", {"eval_data": rows.parent}),
    ):
        with pytest.raises(UsageError, match=next(iter(inputs))):
            RunFolder(folder).refuse_inputs(inputs)
    RunFolder(tmp_path).refuse_inputs({"model": model, "selection": rows, "chat_template": None})
    RunFolder(tmp_path / "other").refuse_inputs({"model": model, "selection": "org/name"})


def test_a_run_that_begins_anew_deletes_what_a_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.txt").write_text("")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.weights.symlink_to(elsewhere)
        ours = [folder.checkpoints / "checkpoint-3" / "a", folder.ledger, folder.logs / "events.out.tfevents.1"]
        theirs = [
            folder.checkpoints / "notes.txt",
            folder.checkpoints / "checkpoint-best" / "a",
            folder.logs / "plot.png",
        ]
        for path in (*ours, *theirs):
            path.parent.mkdir(exist_ok=True)
            path.write_text("")
        folder.start(IDENTITY, "", anew=True)
        assert not any(path.exists() for path in (*ours, *theirs))
        folder.replaced.discard()
    assert not any(path.exists() for path in ours)
    assert not (folder.path / ".replaced").exists()
    assert all(path.exists() for path in theirs)
    assert (elsewhere / "kept.txt").exists()
    assert not folder.weights.exists()


def write_weights(folder: RunFolder, *names: str) -> None:
    with folder.new_weights() as temporary:
        for name in names:
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("ours")


def files_in(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_others_put_beside_the_adapter_outlives_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    adapter = ("adapter_config.json", "adapter_model.safetensors", "tokenizer.json")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        write_weights(folder, *adapter, "additional_chat_templates/tool_use.jinja")
        folder.finish(IDENTITY, result(folder))
        for name in ("notes.txt", "vocab.txt", "additional_chat_templates/mine.jinja", "merged/model.safetensors"):
            path = folder.weights / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
        # Another run, of a tokenizer with other files, one of them by a name that the user took.
        folder.start({"epochs": 1.0}, "", anew=True)
        folder.replaced.discard()
        write_weights(folder, *adapter[:2], "vocab.txt")
        assert files_in(folder.weights) == {
            **dict.fromkeys((*adapter[:2], "vocab.txt"), "ours"),
            "notes.txt": "notes.txt",
            "vocab.txt.1": "vocab.txt",
            "additional_chat_templates/mine.jinja": "additional_chat_templates/mine.jinja",
            "merged/model.safetensors": "merged/model.safetensors",
        }
        # Taken up again after it was killed before it could say that it is finished.
        folder.start({"epochs": 1.0}, "", anew=False)
        write_weights(folder, *adapter)
        assert set(files_in(folder.weights)) >= {*adapter, "notes.txt", "vocab.txt.1"}
        assert not (folder.weights / "vocab.txt").exists()


@pytest.mark.parametrize(
    "name", ["../../other.txt", "/etc/hostname", "link/other.txt", "", ".", "x" * 5000, "\ud800", 5]
)
def test_a_record_deletes_nothing_elsewhere(tmp_path: Path, name: object) -> None:
    (tmp_path / "other.txt").write_text("theirs")
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        write_weights(folder, "adapter_config.json")
        (folder.weights / "link").symlink_to(tmp_path)
        content = json.loads((tmp_path / "run" / "run.json").read_text())
        (tmp_path / "run" / "run.json").write_text(json.dumps({**content, "lora_weights": [name]}))
        folder.start(IDENTITY, "", anew=True)
        folder.replaced.discard()
    assert (tmp_path / "other.txt").read_text() == "theirs"
    assert Path("/etc/hostname").exists()
    assert [path.name for path in folder.weights.iterdir()] == ["link"]


def test_a_run_that_ends_before_its_first_step_leaves_the_one_it_was_to_replace(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.ledger.write_text("old")
        folder.weights.mkdir()
        (folder.weights / "weights").write_text("old")
        folder.finish(IDENTITY, result(folder))
    with folder.locked():
        folder.start({"epochs": 1.0}, "", anew=True)
        folder.ledger.write_text("new")
        assert not folder.weights.exists()
    # Killed: whoever comes next finds the old run.
    with folder.locked():
        found = folder.found()
    assert found is not None
    assert found.identity == IDENTITY
    assert found.result == result(folder)
    assert folder.ledger.read_text() == (folder.weights / "weights").read_text() == "old"
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "checkpoints",
        "logs",
        "lora_weights",
        "run.json",
        "settings.yaml",
    ]


def test_a_run_that_is_killed_while_it_deletes_the_old_one_goes_on(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
        folder.start({"epochs": 1.0}, "", anew=True)
        (folder.path / ".replaced").rename(folder.path / ".discarded")
    with folder.locked():
        found = folder.found()
    assert found is not None
    assert found.identity == {"epochs": 1.0}
    assert not (folder.path / ".discarded").exists()


@pytest.mark.parametrize("name", ["settings.yaml", "schedule.arrow", "ledger.arrow"])
def test_a_file_that_a_run_of_an_earlier_version_did_not_write_is_somebody_else_s(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked():
        folder.start(IDENTITY, "", anew=True)
        folder.finish(IDENTITY, result(folder))
        record = json.loads((tmp_path / "run.json").read_text())
        del record["files"]
        (tmp_path / "run.json").write_text(json.dumps(record))
        (tmp_path / "settings.yaml").unlink()
        assert folder.found() is not None
        (tmp_path / name).write_text("theirs")
        with pytest.raises(OutputError, match=name):
            folder.found()
        assert (tmp_path / name).read_text() == "theirs"
