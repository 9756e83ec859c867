"""The stub of the native module says exactly what the module has."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from sage_select import _native


def stub_names(root: Path) -> dict[str, ast.stmt]:
    tree = ast.parse((root / "python" / "sage_select" / "_native.pyi").read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def test_the_stub_has_the_names_of_the_module(root: Path) -> None:
    names = stub_names(root)
    constants = {
        node.target.id
        for node in ast.parse((root / "python" / "sage_select" / "_native.pyi").read_text()).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.target.id.startswith("_")
    }
    assert len(names) > 5
    assert set(names) | constants == {name for name in dir(_native) if not name.startswith("_")}


def test_the_stub_has_the_parameters_of_the_module(root: Path) -> None:
    checked = 0
    for name, node in stub_names(root).items():
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            stub = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            assert stub == list(inspect.signature(getattr(_native, name)).parameters), name
            checked += 1
    assert checked > 5


def test_every_native_function_is_documented(root: Path) -> None:
    for name in stub_names(root):
        assert getattr(_native, name).__doc__, name
