"""The files of a tokenizer, in a folder of a model or in the cache of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sage_select.paths import user_path
from sage_select.render.extras import require
from sage_select.render.model_files import is_local

__all__ = ["tokenizer_files"]

#: Files that a tokenizer may consist of, whatever its class.
_NAMES: Final = frozenset(
    {
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
        *("tokenizer.model", "tekken.json", "vocab.json", "merges.txt", "vocab.txt"),
        *("chat_template.jinja", "chat_template.json"),
    }
)


def tokenizer_files(source: str, tokenizer: Any) -> dict[str, Path]:
    """Return the files that a tokenizer was read from, by their names in the folder of the model.

    Parameters
    ----------
    source
        The model that it was read from. Files of a repository are those in the cache, perhaps none.
    tokenizer
        What was read; its class knows names of its own.
    """
    if is_local(source):
        folder = user_path(source)
    else:
        cached = require("huggingface_hub", "train").try_to_load_from_cache
        found = (cached(source, name) for name in ("tokenizer_config.json", "tokenizer.json", "config.json"))
        known = next((path for path in found if isinstance(path, str)), None)
        if known is None:
            return {}
        folder = Path(known).parent
    names = {*_NAMES, *type(tokenizer).vocab_files_names.values()}
    paths = [folder / name for name in sorted(names)] + sorted(folder.glob("additional_chat_templates/*.jinja"))
    return {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
