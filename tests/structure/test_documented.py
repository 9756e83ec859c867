"""Every public name says what it is for."""

from __future__ import annotations

import ast
from pathlib import Path

Definition = ast.FunctionDef | ast.ClassDef


def public_definitions(tree: ast.Module) -> list[Definition]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names = set(ast.literal_eval(node.value))
    top = [node for node in tree.body if isinstance(node, Definition) and node.name in names]
    methods = [
        node
        for owner in top
        if isinstance(owner, ast.ClassDef)
        for node in owner.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    return [*top, *methods]


def test_every_public_name_is_documented(root: Path) -> None:
    seen = 0
    bare = []
    for path in sorted((root / "python" / "sage_select").rglob("*.py")):
        tree = ast.parse(path.read_text())
        if ast.get_docstring(tree) is None:
            bare.append(str(path.relative_to(root)))
        for node in public_definitions(tree):
            seen += 1
            if ast.get_docstring(node) is None:
                bare.append(f"{path.relative_to(root)}: {node.name}")
    assert seen > 80, "no public names were found"
    assert not bare, "\n".join(bare)


def test_every_module_lists_its_public_names(root: Path) -> None:
    silent = []
    modules = [path for path in (root / "python" / "sage_select").rglob("*.py") if path.parent.name != "cli"]
    assert len(modules) > 30
    for path in modules:
        tree = ast.parse(path.read_text())
        defines = any(isinstance(node, Definition) and not node.name.startswith("_") for node in tree.body)
        if defines and "__all__" not in path.read_text():
            silent.append(str(path.relative_to(root)))
    assert not silent, "\n".join(silent)
