"""Paths of a spec file are relative to the folder it lies in, wherever the program is called from."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from sage_select.display import is_url
from sage_select.paths import STREAM, streamed_end
from sage_select.pipeline.pipeline import Pipeline
from sage_select.values.location import Reads, Writes

__all__ = ["beside"]


def beside(pipeline: Pipeline, folder: Path) -> Pipeline:
    """Return the pipeline with its relative paths taken from `folder`.

    URLs, absolute paths and those from a home folder stay. The name of a model is a path where it begins with `./` or
    `../`, or where the folder holds one of that name; else it is a repository.
    """

    def place(text: str, mark: Reads | Writes) -> str:
        if folder == Path() or _is_stream(text, mark) or is_url(text) or text.startswith("~") or os.path.isabs(text):  # noqa: PTH117
            return text
        path = folder / text
        if mark.kind == "model" and not text.startswith(("./", "../")) and not path.is_dir():
            return text
        if glob.has_magic(text) and not os.path.lexists(path):
            return str(Path(glob.escape(str(folder))) / text)
        return str(path)

    return pipeline.model_copy(update={"steps": tuple(step.relocated(place) for step in pipeline.steps)})


def _is_stream(text: str, mark: Reads | Writes) -> bool:
    return text == STREAM or (isinstance(mark, Writes) and streamed_end(text) is not None)
