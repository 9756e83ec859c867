"""Imports go one way, and only one module opens the door to the native code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Bottom to top. A module may import its own layer and those before it.
LAYERS = (
    "display | errors columns seeds | paths | values | declare | kernels | demo | io | cache | render | score | encode"
    " | contamination rewriting | data | pipeline | strategies scorers encoders orders augmenters predictors | evidence"
    " | replay | stages | inspection difference | engine | report | api | polars | train | evaluate | evaluators"
    " | teaching | agent | export | methods | comparison | cli"
)
RANKS = {name: rank for rank, group in enumerate(LAYERS.split("|")) for name in group.split()}

#: The folders of one layer, bottom to top, where it has any.
FOLDERS = {"io": "guards | tables | source | commit | formats | inputs | output"}

#: Lower layers that a layer must do without: a training run reads the selection's file, never the engine.
WITHOUT = {
    name: {"pipeline", "strategies", "stages", "engine", "api"}
    for name in ("train", "evaluate", "evaluators", "teaching")
}


def modules(root: Path) -> list[Path]:
    found = sorted((root / "python" / "sage_select").rglob("*.py"))
    assert len(found) > 30, "the package was not found"
    return found


def layer_of(root: Path, path: Path) -> str:
    return path.relative_to(root / "python" / "sage_select").with_suffix("").parts[0]


def imports(path: Path) -> Iterator[str]:
    """Yield the full names imported anywhere in the file, inside functions as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_one_way(root: Path) -> None:
    seen = 0
    wrong = []
    for path in modules(root):
        layer = layer_of(root, path)
        if layer == "__init__":
            continue
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "sage_select" or len(parts) < 2 or parts[1] not in RANKS:
                continue
            seen += 1
            if RANKS[parts[1]] > RANKS[layer] or parts[1] in WITHOUT.get(layer, set()):
                wrong.append(f"{path.relative_to(root)} imports {name}")
            if parts[1] != layer and RANKS[parts[1]] == RANKS[layer]:
                wrong.append(f"{path.relative_to(root)} imports its sibling {name}")
    assert seen > 50, "no imports were found"
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("layer", FOLDERS)
def test_folders_of_a_layer_go_one_way(root: Path, layer: str) -> None:
    ranks = {name: rank for rank, name in enumerate(FOLDERS[layer].split(" | "))}
    package = root / "python" / "sage_select" / layer
    assert {path.name for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"} == ranks.keys()
    assert [path.name for path in package.glob("*.py")] == ["__init__.py"]
    wrong = []
    for path in package.glob("*/*.py"):
        for name in imports(path):
            parts = name.split(".")
            if parts[:2] != ["sage_select", layer]:
                continue
            # A folder reached through the door of the layer would be reached whatever its rank.
            if len(parts) < 4 or ranks[parts[2]] > ranks[path.parent.name]:
                wrong.append(f"{path.relative_to(root)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_module_has_a_layer(root: Path) -> None:
    known = {*RANKS, "__init__"}
    assert {layer_of(root, path) for path in modules(root)} == known


def test_only_kernels_opens_the_native_door(root: Path) -> None:
    users = {layer_of(root, path) for path in modules(root) for name in imports(path) if "_native" in name.split(".")}
    assert users == {"kernels"}


def test_the_rust_core_knows_no_python(root: Path) -> None:
    manifest = (root / "rust" / "core" / "Cargo.toml").read_text()
    assert "blake3" in manifest
    assert "pyo3" not in manifest
    assert "arrow" not in manifest
