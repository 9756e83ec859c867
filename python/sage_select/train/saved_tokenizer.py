"""The tokenizer and the generation settings beside an adapter, so that it is used, and stops, as it was trained.

Training may use a variant of the model's chat template that marks what the assistant says. Programs that run a model
know no such marks, and read files by name: so the model's own files are copied, not written in the form of a library.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from transformers import AutoTokenizer, GenerationConfig

from sage_select.render.model_files import quiet
from sage_select.render.tokenizer_files import tokenizer_files
from sage_select.render.tokens import Renderer

__all__ = ["save_tokenizer", "without_marks"]

_TEMPLATE: Final = "chat_template.jinja"
#: Where a tokenizer's templates may lie besides its settings.
_TEMPLATES: Final = re.compile(r"chat_template\.(jinja|json)|additional_chat_templates/.*")
_MARK: Final = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")


def save_tokenizer(
    renderer: Renderer, model: Any, folder: Path, *, source: str, chat_template: str | None
) -> list[str]:
    """Write the tokenizer of a model as it is there, and `generation_config.json` with the tokens that end turns.

    What differs from the model's files: a template given for the training, or ours where there is none, stands in place
    of the model's, without marks; and where turns were trained to end with another token than texts, that is the end
    token, unless the template writes the end token.

    Parameters
    ----------
    renderer
        What encoded the rows of the training.
    model
        The trained model; the tokens that stopped it before go on to.
    folder
        The adapter's.
    source
        The model that the tokenizer was read from, by the name that the user gave.
    chat_template
        The text of the template that was given in place of the model's own, if one was.

    Returns
    -------
    list of str
        What the user should know of it.
    """
    tokenizer = copy.deepcopy(renderer.tokenizer)
    templates = tokenizer.chat_template if chat_template is None else without_marks(chat_template)
    if templates is None:
        templates = without_marks(str(renderer.chat_template))
    changed = templates if isinstance(templates, str) and templates != tokenizer.chat_template else None
    tokenizer.chat_template = templates
    stops, end = renderer.stop_tokens, tokenizer.eos_token
    notices = []
    if stops and stops[0] != end:
        texts = templates.values() if isinstance(templates, Mapping) else [templates]
        if end is not None and any("eos_token" in text for text in texts):
            notices.append(
                f"the chat template writes the tokenizer's end token {end!r}, which therefore stays; "
                f"generation_config.json says where to stop: {', '.join(map(repr, stops))}"
            )
        else:
            tokenizer.eos_token = stops[0]
    if not _copied(source, folder, changed, tokenizer, end):
        tokenizer.save_pretrained(str(folder))
    before = model.generation_config.eos_token_id
    ids = [*tokenizer.convert_tokens_to_ids(stops), *([before] if isinstance(before, int) else before or ())]
    GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=list(dict.fromkeys(ids)) or None,
        pad_token_id=tokenizer.pad_token_id,
    ).save_pretrained(str(folder))
    return notices


def without_marks(template: str) -> str:
    """Return a template that writes the same without `{% generation %}`, which not every program knows.

    Examples
    --------
    >>> without_marks("{%- generation -%} {{ m.content }}{% endgeneration %}")
    '{%- if true -%} {{ m.content }}{% endif %}'
    """
    return _MARK.sub(lambda mark: f"{{%{mark[1]} {'endif' if mark[2] else 'if true'} {mark[3]}%}}", template)


def _copied(source: str, folder: Path, template: str | None, tokenizer: Any, end: str | None) -> bool:
    """Copy the files of a tokenizer, with another template and end token if need be; say whether that gives it.

    Files that do not say what they are of (a model's `config.json` does) are no tokenizer by themselves: nothing stays.
    """
    written = []
    for name, path in tokenizer_files(source, tokenizer).items():
        if template is None or not _TEMPLATES.fullmatch(name):
            written.append(folder / name)
            written[-1].parent.mkdir(exist_ok=True)
            shutil.copyfile(path, written[-1])
    if template is not None:
        written.append(folder / _TEMPLATE)
        written[-1].write_text(template, encoding="utf-8")
    _change(folder, template, tokenizer.eos_token if tokenizer.eos_token != end else None)
    if _is_in(folder, tokenizer):
        return True
    for path in written:
        path.unlink()
    shutil.rmtree(folder / "additional_chat_templates", ignore_errors=True)
    return False


def _is_in(folder: Path, tokenizer: Any) -> bool:
    """Say whether a folder holds a tokenizer that does what another does."""
    try:
        with quiet():
            there = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception:  # whatever a library says of files that it cannot read
        return False
    return _facts(there) == _facts(tokenizer)


def _change(folder: Path, template: str | None, end: str | None) -> None:
    """Set what is not None in the settings of a tokenizer, and leave all else in them."""
    for name, always in (("tokenizer_config.json", {"eos_token"}), ("special_tokens_map.json", set())):
        path = folder / name
        if not path.is_file():
            continue
        settings = json.loads(path.read_text(encoding="utf-8"))
        changes = {
            key: value
            for key, value in (("eos_token", end), ("chat_template", template))
            if value is not None and (key in settings or key in always)
        }
        if changes:
            content = json.dumps({**settings, **changes}, indent=2, ensure_ascii=False)
            path.write_text(content + "\n", encoding="utf-8")


def _facts(tokenizer: Any) -> tuple[Any, ...]:
    """Return what decides the tokens of a text, and the texts of a conversation."""
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    for state in ("truncation", "padding"):  # left there by calls
        backend.pop(state, None)
    tokens = {key: str(value) for key, value in tokenizer.special_tokens_map.items() if key != "pad_token"}
    return backend, tokens, tokenizer.chat_template
