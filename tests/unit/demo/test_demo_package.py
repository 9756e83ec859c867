"""The door to the demo: light, and honest about what is demo data."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sage_select import demo


def test_paths_lead_to_files() -> None:
    for path in (demo.rows_path(), demo.heldout_path(), demo.flaws_path()):
        assert path.is_file()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja", "README.md"):
        assert (demo.model_path() / name).is_file(), name


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({"source": {"name": demo.NAME, "demo": True}}, True),
        ({"source": {"name": "x.jsonl", "demo": False}}, False),
        ({"source": {"name": "x.jsonl"}}, False),
        ({}, False),
    ],
)
def test_is_demo(manifest: dict[str, object], expected: bool) -> None:
    assert demo.is_demo(manifest) is expected


def test_import_is_light() -> None:
    heavy = "{'numpy', 'torch', 'transformers', 'pyarrow'}"
    code = f"import sys, sage_select.demo; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_training_settings_are_the_trainers() -> None:
    from sage_select.train.config import TrainConfig

    config = TrainConfig(model=str(demo.model_path()), **demo.TRAINING)
    assert all(getattr(config, name) == value for name, value in demo.TRAINING.items())
    with pytest.raises(TypeError):
        demo.TRAINING["learning_rate"] = 1.0  # type: ignore[index]
