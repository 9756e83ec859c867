"""What is listed in one layer is there in the others."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import sage_select
from sage_select import errors
from sage_select.cli import build_table, replay_table, train_table
from sage_select.cli.build_table import derived, written
from sage_select.cli.replay_table import derived_replay, written_replay
from sage_select.cli.train_table import derived_train, written_train
from sage_select.columns import COLUMNS, PREFIX
from sage_select.declare.checks import check
from sage_select.declare.option import option_of
from sage_select.orders import ORDERS
from sage_select.pipeline import STAGES, Registry
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

REGISTRIES = [(registry, name) for registry in Registry.every for name in registry]


def test_the_registries_have_members() -> None:
    assert min(len(STAGES), len(STRATEGIES), len(OBJECTIVES), len(ORDERS)) >= 7


@pytest.mark.parametrize(("registry", "name"), REGISTRIES, ids=[name for _, name in REGISTRIES])
def test_every_member_says_what_it_is(registry: Registry[Any], name: str) -> None:
    member = registry[name]
    assert (member.name, member.kind) == (name, registry.kind)
    assert 0 < len(member.summary()) < 100
    assert not member.summary().endswith(".")
    for setting, info in member.model_fields.items():
        option = option_of(info)
        assert option is not None or setting in member.choices(), f"{name}.{setting} is no option"
        assert option is None or not option.help.endswith("."), setting
    check(registry, name, member)


def test_options_of_one_name_are_one_option() -> None:
    seen: dict[str, str] = {}
    members = [one for one in REGISTRIES if one[0] in (STRATEGIES, OBJECTIVES)]
    for registry, name in members:
        for setting, info in registry[name].model_fields.items():
            option = option_of(info)
            if option is not None:
                assert seen.setdefault(setting, option.help) == option.help, setting
    assert len(seen) > 10


def test_the_table_of_options_is_current() -> None:
    assert written(derived()) == (Path(build_table.__file__).with_suffix(".json")).read_text(encoding="utf-8"), (
        "make generate writes it anew"
    )
    made = written_replay(derived_replay())
    assert made == (Path(replay_table.__file__).with_suffix(".json")).read_text(encoding="utf-8")
    table = written_train(derived_train())
    assert table == (Path(train_table.__file__).with_suffix(".json")).read_text(encoding="utf-8")


def test_all_that_is_derived_is_current(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "scripts")
    found = importlib.import_module("generate").generated(root)
    assert {path.name for path in found} >= {
        "README.md",
        "evaluation.md",
        "options.md",
        "replay.md",
        "spec.md",
        "spec.schema.json",
        "events.schema.json",
    }
    old = [path.name for path, text in found.items() if path.read_text(encoding="utf-8") != text]
    assert not old, f"make generate writes {', '.join(old)} anew"


def test_help_has_every_option_strategy_and_objective() -> None:
    code = "import sys; from sage_select.cli.select import main; sys.argv = ['sage-select', 'build', '--help']; main()"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    words = set(re.findall(r"[\w-]+", text))
    assert {*STRATEGIES, *OBJECTIVES, *ORDERS} <= words
    assert {flag.spelling.split("/")[0] for flag in derived().flags} <= words


def test_error_classes_have_exit_codes_of_their_own() -> None:
    classes = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    codes = {cls.__name__: cls.exit_code for cls in classes}
    assert codes == {"SageError": 1, "UsageError": 2, "DataError": 3, "OutputError": 4, "ResourceError": 5}


def test_every_public_name_can_be_had() -> None:
    assert "select" in sage_select.__all__
    for name in sage_select.__all__:
        assert getattr(sage_select, name) is not None


def test_columns_name_types_that_every_reader_keeps() -> None:
    assert all(name.startswith(PREFIX) for name in COLUMNS)
    kept = {pa.string(), pa.int64(), pa.int32(), pa.float32()}
    assert {pa.type_for_alias(kind) for kind, _ in COLUMNS.values()} <= kept
