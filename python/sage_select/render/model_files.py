"""Models and tokenizers from a folder or a repository, with errors that say what was expected.

Only safetensors are read and no code that a model brings is run. A repository is fetched by `transformers` under its
own settings (a cache, an offline mode); a folder never needs a network.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from sage_select.errors import DataError, ResourceError, SageError, UsageError
from sage_select.io.guards.panics import panics_refused
from sage_select.io.tables.digest import digest_bytes, digest_files
from sage_select.paths import user_path
from sage_select.render.extras import require
from sage_select.render.weight_files import (
    INDEX,
    check_regular,
    index_shards,
    model_files,
    refuse_adapter,
    weight_files,
)

__all__ = [
    "is_local",
    "load_causal_lm",
    "load_config",
    "load_tokenizer",
    "load_writer",
    "loaded",
    "model_content",
    "model_revision",
    "quiet",
    "require_vocabulary",
    "resolved_name",
]

_EXTRA: Final = "train"
_REPOSITORY = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_CAUSAL: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
#: Those that read a text and write another have the second kind of name, or one of their own.
_WRITING: Final = (*_CAUSAL, "MTModel")
_EXPECTED: Final = "a folder with config.json, *.safetensors and tokenizer.json, or the name of a model repository"

Loaded = TypeVar("Loaded")


def is_local(source: str) -> bool:
    """Return whether `source` is a folder here, rather than the name of a repository.

    Raises
    ------
    UsageError
        It is neither: a file, or a path at which there is nothing.
    """
    path = user_path(source)
    if path.is_dir():
        return True
    if path.exists():
        raise UsageError("the model is a file", where=source, expected=_EXPECTED)
    # A name below a folder that exists is a path with a typing error, not a repository to be asked for.
    if path.is_absolute() or (path.parent != Path() and path.parent.is_dir()) or not _REPOSITORY.fullmatch(source):
        close = difflib.get_close_matches(path.name, _names(path.parent), n=1)
        raise UsageError(
            "there is no such model folder",
            where=source,
            expected=_EXPECTED,
            hint=f"did you mean {str(path.parent / close[0])!r}?" if close else None,
        )
    return False


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []


def load_tokenizer(source: str) -> Any:
    """Return the tokenizer of a model.

    Raises
    ------
    UsageError
        `source` is no model, or has no tokenizer.
    DataError
        Its files are damaged.
    ResourceError
        The extra is missing.
    """
    transformers = require("transformers", _EXTRA)
    if is_local(source):
        folder = _folder(source)
        if not any(folder.glob("tokenizer*")) and not any(folder.glob("vocab*")):
            raise UsageError("the folder holds no tokenizer", where=source, expected="tokenizer.json")
        check_regular(folder)

    def load() -> Any:
        tokenizer = transformers.AutoTokenizer.from_pretrained(resolved_name(source), trust_remote_code=False)
        # Settings such as the length are first looked at with words: one of another kind is damage, no fault of a row.
        tokenizer.decode(tokenizer("a")["input_ids"], skip_special_tokens=True)
        return tokenizer

    return loaded(source, load, "tokenizer")


def load_config(source: str, *, kinds: tuple[str, ...] = _CAUSAL, what: str = "a causal language model") -> Any:
    """Return the configuration of a model whose class has a name of these kinds; it raises as `load_causal_lm` does."""
    transformers = require("transformers", _EXTRA)
    if is_local(source):
        _require_files(source)
    config = loaded(
        source,
        lambda: transformers.AutoConfig.from_pretrained(resolved_name(source), trust_remote_code=False),
        "configuration",
    )
    names = getattr(config, "architectures", None) or []
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise DataError("the configuration names no classes", where=source, expected="architectures as a list of names")
    if names and not any(name.endswith(kinds) for name in names):
        raise UsageError(f"this is not {what}", where=source, got=", ".join(names))
    if getattr(config, "transformers_weights", None) is not None:
        raise UsageError(
            "the configuration names a file of weights of its own",
            where=source,
            got=f"transformers_weights = {config.transformers_weights!r}",
            hint="save the model again with save_pretrained",
        )
    return config


def load_causal_lm(source: str, dtype: str, quantization: Any = None, **options: Any) -> Any:
    """Return a causal language model in evaluation mode.

    Parameters
    ----------
    source
        A folder or a repository.
    dtype
        `float32`, `bfloat16` or `float16`.
    quantization
        A quantisation configuration of transformers.
    options
        Further arguments of `from_pretrained`, such as `device_map`.

    Raises
    ------
    UsageError
        `source` is no causal language model.
    DataError
        Its files are damaged or lack weights; they would be filled with random numbers.
    ResourceError
        The extra is missing, or there is too little memory.
    """
    transformers = require("transformers", _EXTRA)
    if quantization is not None:
        options["quantization_config"] = quantization
    return _loaded_model(source, load_config(source), transformers.AutoModelForCausalLM, dtype, **options)


def load_writer(source: str, dtype: str) -> Any:
    """Return a model that writes texts, in evaluation mode: a causal one, or one that reads a text and writes another.

    The latter (T5, BART, Marian) has `config.is_encoder_decoder` set. It raises as `load_causal_lm` does.
    """
    transformers = require("transformers", _EXTRA)
    config = load_config(source, kinds=_WRITING, what="a model that writes texts")
    both = bool(getattr(config, "is_encoder_decoder", False))
    kind = transformers.AutoModelForSeq2SeqLM if both else transformers.AutoModelForCausalLM
    return _loaded_model(source, config, kind, dtype)


def _loaded_model(source: str, config: Any, kind: Any, dtype: str, **options: Any) -> Any:
    torch = require("torch", _EXTRA)
    if not is_local(source):
        _check_repository(source)

    def load() -> tuple[Any, dict[str, Any]]:
        pair: tuple[Any, dict[str, Any]] = kind.from_pretrained(
            resolved_name(source),
            config=config,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, with the name of the weight
            **options,
        )
        return pair

    model, report = loaded(source, load, "model")
    # A mismatched key is a tuple (name, shape in the file, shape in the model).
    bad = sorted({*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])})
    if bad:
        raise DataError(
            f"{len(bad)} weights of the model are missing or have another shape, first {bad[0]}",
            where=source,
            hint="fetch or save the model again",
        )
    model.eval()
    return model


def model_revision(source: str) -> str:
    """Return what pins the content of a loaded model: a repository's commit, or the digest of a folder's weights.

    The digest reads all weights, at about 1 GB/s. Where a repository's commit cannot be told it is "unknown".
    """
    if is_local(source):
        folder = _folder(source)
        if (folder / "modules.json").is_file():
            return digest_files(model_files(folder))
        return digest_files([folder / "config.json", *weight_files(folder, source)])
    found = require("huggingface_hub", _EXTRA).try_to_load_from_cache(source, "config.json")
    return Path(found).parent.name if isinstance(found, str) else "unknown"


def model_content(source: str) -> str | None:
    """Return what pins everything a model consists of, its tokenizer included: values made by it are named by that.

    A repository's commit, as far as it was fetched before, or the digest of all files of a folder, read at about 1 GB/s
    once in a process; None where neither can be told. Nothing is loaded.
    """
    if is_local(source):
        try:
            folder = _folder(source)
            state = tuple((str(file.relative_to(folder)), *_state(file)) for file in model_files(folder))
        except OSError:
            return None
        return _digest_of(folder, state)
    revision = model_revision(source)
    return None if revision == "unknown" else f"{source}@{revision}"


def _state(file: Path) -> tuple[int, int, int]:
    """Return what changes with any write to a file, whoever sets its times."""
    status = file.stat()
    return status.st_ino, status.st_size, status.st_ctime_ns


@cache
def _digest_of(folder: Path, files: tuple[tuple[str, int, int, int], ...]) -> str:
    """Return the digest of files and their names; of the same ones, unchanged within this process, what it was."""
    return digest_bytes("".join(f"{name} {digest_files([folder / name])}\n" for name, *_ in files).encode())


def require_vocabulary(model: Any, tokenizer: Any, source: str) -> None:
    """Check that the model has an embedding for each token.

    Raises
    ------
    UsageError
        The tokenizer has more tokens than the model; it belongs to another one.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise UsageError(
            f"the tokenizer has {len(tokenizer)} tokens and the model only {rows} embeddings",
            where=source,
            hint="use the tokenizer that belongs to the model",
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and tables while it loads; we report ourselves."""
    logging = require("transformers.utils.logging", _EXTRA)
    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _folder(source: str) -> Path:
    return user_path(source)


def resolved_name(source: str) -> str:
    """Return what `from_pretrained` is to be given: the folder with `~` expanded, or the repository."""
    return str(_folder(source)) if is_local(source) else source


def _require_files(source: str) -> None:
    """Check that a folder looks like a model."""
    folder = _folder(source)
    check_regular(folder)
    if not (folder / "config.json").is_file():
        adapter = (folder / "adapter_config.json").is_file()
        raise UsageError(
            "the folder holds an adapter, not a model" if adapter else "the folder holds no model",
            where=source,
            expected=_EXPECTED,
            hint="name the model that the adapter was trained on" if adapter else None,
        )
    refuse_adapter(folder, source)
    weight_files(folder, source)


def _check_repository(source: str) -> None:
    """Check what the index of a repository's weights names, before anything of it is loaded."""
    hub = require("transformers.utils.hub", _EXTRA)

    def found(name: str) -> str | None:
        path: str | None = hub.cached_file(
            source,
            name,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_connection_errors=False,
        )
        return path

    adapter = loaded(source, lambda: found("adapter_config.json"), "model")
    if adapter is not None:
        raise UsageError("the repository holds an adapter", where=source, hint="name the model that it was trained on")
    index = loaded(source, lambda: found(INDEX), "model")
    if index is not None:
        index_shards(Path(index), source)


def loaded(source: str, load: Callable[[], Loaded], what: str) -> Loaded:
    """Return `load()`, quietly and with the errors of transformers turned into ours.

    Parameters
    ----------
    source
        The folder or repository that `load` reads.
    load
        What to do.
    what
        What comes of it, for messages: `model`, `tokenizer`.
    """
    try:
        with quiet(), panics_refused(lambda said: _unreadable(source, said, what), silently=what == "tokenizer"):
            return load()
    except SageError:
        raise
    except MemoryError:
        raise ResourceError(f"there is too little memory for the {what}", where=source) from None
    except Exception as error:
        raise _translated(source, error, what) from None


def _translated(source: str, error: Exception, what: str) -> SageError:
    said = str(error).strip().partition("\n")[0] or type(error).__name__
    if "trust_remote_code" in str(error):
        return UsageError(f"the {what} needs code of its own, which is never run", where=source)
    if type(error).__name__ == "OutOfMemoryError":
        return ResourceError(f"there is too little memory for the {what}", where=source)
    if isinstance(error, OSError) and not is_local(source):
        return UsageError(
            "this is no folder here, and no model repository of this name could be read",
            where=source,
            expected=_EXPECTED,
            hint="check the name, and the connection if the repository is not in the cache",
        )
    if isinstance(error, ImportError):
        return ResourceError(f"the {what} needs a package that is not installed", where=source, got=said)
    if isinstance(error, ValueError) and "nrecognized" in said:
        return UsageError(f"this is not a causal language model: {said}", where=source, expected=_EXPECTED)
    return _unreadable(source, said, what)


def _unreadable(source: str, said: str, what: str) -> DataError:
    return DataError(f"the {what} cannot be read", where=source, got=said, hint="its files may be damaged")
