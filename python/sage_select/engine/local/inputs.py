"""What a run reads, as content digests: with the plan they are the identity of its result."""

from __future__ import annotations

from sage_select import io
from sage_select.io.digest import digest_files
from sage_select.ops import InputSetting
from sage_select.paths import user_path
from sage_select.render.weight_files import model_files
from sage_select.spec import Pipeline

__all__ = ["input_digests", "setting_digest"]


def input_digests(pipeline: Pipeline, rows: io.Rows, files: io.Beside) -> dict[str, str]:
    """Return name -> digest of every file the run depends on; those beside the rows are then read from `files`.

    A model that is no local folder stands by its name; the revision it resolves to is in the manifest.

    Raises
    ------
    UsageError
        If a named file is missing.
    """
    digests = {"source": rows.digest}
    for setting in pipeline.inputs():
        if setting.kind != "rows":
            digests[setting.name] = setting_digest(setting, files)
    return digests


def setting_digest(setting: InputSetting, files: io.Beside) -> str:
    """Return the digest of the file or the model that a setting names.

    Raises
    ------
    UsageError
        If there is no such file.
    """
    if setting.kind == "model":
        return _model_digest(setting.value)
    return files.digest(setting.value)


def _model_digest(model: str) -> str:
    folder = user_path(model)
    if not folder.is_dir():
        return model
    return digest_files(model_files(folder))
