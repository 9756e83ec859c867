"""Keeps the talk of third-party libraries off the user's terminal; their errors still come through."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_libraries"]

_LOGGERS = ("transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "torch")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings, log lines below error level and progress bars inside the block; SAGE_DEBUG shows them."""
    if os.environ.get("SAGE_DEBUG"):
        yield
        return
    from transformers.utils import logging as transformers_logging

    bars = transformers_logging.is_progress_bar_enabled()
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers_logging.disable_progress_bar()
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            if bars:
                transformers_logging.enable_progress_bar()
