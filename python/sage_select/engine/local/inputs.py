"""What a run reads, as content digests: with the plan they are the identity of its result."""

from __future__ import annotations

from pathlib import Path

from sage_select import io
from sage_select.io.digest import digest_files
from sage_select.io.inputs import existing_file
from sage_select.ops import InputSetting
from sage_select.paths import user_path
from sage_select.render.weight_files import model_files
from sage_select.spec import Pipeline

__all__ = ["input_digests", "setting_digest"]


def input_digests(pipeline: Pipeline, rows: io.Rows) -> dict[str, str]:
    """Return name -> digest of every file the run depends on.

    A model that is no local folder stands by its name; the revision it resolves to is in the manifest.

    Raises
    ------
    UsageError
        If a named file is missing.
    """
    digests = {"source": rows.digest}
    for setting in pipeline.inputs():
        if setting.kind != "rows":
            digests[setting.name] = setting_digest(setting)
    return digests


def setting_digest(setting: InputSetting) -> str:
    """Return the digest of the file or the model that a setting names.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    if setting.kind == "model":
        return _model_digest(setting.value)
    return _file_digest(user_path(setting.value))


def _file_digest(path: Path) -> str:
    return digest_files([existing_file(path)])


def _model_digest(model: str) -> str:
    folder = user_path(model)
    if not folder.is_dir():
        return model
    return digest_files(model_files(folder))
