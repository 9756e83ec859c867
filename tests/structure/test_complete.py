"""What is listed in one layer is there in the others."""

from __future__ import annotations

import re
import subprocess
import sys
import typing

import pyarrow as pa

import sage_select
from sage_select import errors
from sage_select.columns import COLUMNS, PREFIX
from sage_select.ops import OBJECTIVES as RULES
from sage_select.ops import OPS, STRATEGIES, Op, Select
from sage_select.strategies import REGISTRY
from sage_select.strategies.objectives import OBJECTIVES


def test_every_declared_strategy_is_implemented() -> None:
    assert STRATEGIES.keys() == REGISTRY.keys()
    assert len(STRATEGIES) >= 4


def test_every_declared_objective_is_implemented() -> None:
    declared = typing.get_args(Select.model_fields["objective"].annotation)
    assert set(declared) == OBJECTIVES.keys() == RULES.keys()
    assert len(declared) >= 4


def test_every_option_of_a_strategy_is_a_field() -> None:
    options = set().union(*(rule.options for rule in (*STRATEGIES.values(), *RULES.values())))
    assert options
    assert options <= Select.model_fields.keys()


def test_help_names_every_strategy_and_objective() -> None:
    code = "import sys; from sage_select.cli.select import main; sys.argv = ['sage-select', 'build', '--help']; main()"
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in (*STRATEGIES, *OBJECTIVES):
        # Not as a part of an option's name, such as --threshold.
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", text), name


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


def test_every_op_is_registered() -> None:
    assert {op.name for op in Op.__subclasses__()} == OPS.keys()
