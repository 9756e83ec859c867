from __future__ import annotations

import json

import pyarrow as pa
import pytest

from sage_select.errors import DataError
from sage_select.io import read

datasets = pytest.importorskip("datasets")

ROWS = [{"a": str(number), "m": [{"role": "user", "content": "x"}]} for number in range(50)]


@pytest.fixture
def saved(tmp_path):
    dataset = datasets.Dataset.from_list(ROWS)
    dataset.select(range(40)).save_to_disk(tmp_path / "one", num_shards=3)
    datasets.DatasetDict({"train": dataset, "test": dataset}).save_to_disk(tmp_path / "splits")
    return tmp_path


def test_shards_are_read_in_order_and_named(saved) -> None:
    held = read(saved / "one")
    assert held.table.to_pylist() == ROWS[:40]
    assert held.where(39).file == str(saved / "one" / "data-00002-of-00003.arrow")
    assert read(str(saved / "one") + "/").digest == held.digest


def test_caches_beside_the_data_change_no_digest(saved) -> None:
    before = read(saved / "one").digest
    (saved / "one" / "cache-123.arrow").write_bytes(b"x")
    assert read(saved / "one").digest == before
    state = saved / "one" / "state.json"
    state.write_text(state.read_text() + " ")
    assert read(saved / "one").digest != before


def test_splits_are_named(saved) -> None:
    with pytest.raises(DataError, match=r"holds several splits(?s:.*)got: train, test(?s:.*)splits/train"):
        read(saved / "splits")
    assert read(saved / "splits" / "train").table.num_rows == 50


def test_a_selection_is_flattened_by_its_writer(tmp_path) -> None:
    datasets.Dataset.from_list(ROWS).select([5, 3]).save_to_disk(tmp_path / "x")
    assert read(tmp_path / "x").table.column("a").to_pylist() == ["5", "3"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("{", "state.json is not JSON"),
        ("[]", "state.json is not a JSON object"),
        ("{}", "names no data files"),
        (json.dumps({"_data_files": [{"filename": "../x.arrow"}]}), "names a file that is not in the folder"),
        (json.dumps({"_data_files": [{"filename": "/etc/passwd"}]}), "names a file that is not in the folder"),
        (json.dumps({"_data_files": [{"filename": "x.arrow"}]}), "the data file 'x.arrow' is missing"),
        (json.dumps({"_data_files": ["x"]}), "names a file that is not in the folder"),
        (json.dumps({"_data_files": [{"filename": "x"}], "_indices_data_files": [{}]}), "an indices file"),
    ],
)
def test_bad_folders(state, said, tmp_path) -> None:
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_damaged_data_names_the_shard(saved) -> None:
    shard = saved / "one" / "data-00001-of-00003.arrow"
    shard.write_bytes(shard.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"data-00001-of-00003\.arrow: is "):
        read(saved / "one")


def test_json_features_are_json_text(tmp_path) -> None:
    rows = [{"a": {"x": 1}}, {"a": {"y": [2]}}]
    datasets.Dataset.from_list(rows, on_mixed_types="use_json").save_to_disk(tmp_path / "x")
    from sage_select.io import decode_rows

    held = read(tmp_path / "x")
    assert held.table.schema.field("a").type == pa.string()
    assert list(decode_rows(held.table)) == rows
