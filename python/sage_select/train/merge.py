"""An adapter put into the weights of its base model, and the proof that the two do the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sage_select.errors import DataError, OutputError, ResourceError, UsageError
from sage_select.io.commit.lock import locked
from sage_select.io.commit.overlap import check_overlap
from sage_select.paths import user_path
from sage_select.render.adapter_files import ADAPTER_FILES, adapter_digest, adapter_folder, read_adapter
from sage_select.render.quiet import quiet_libraries
from sage_select.train.checkpoints import sync
from sage_select.train.failures import resource_failures
from sage_select.train.from_adapter import base_of_run
from sage_select.train.hardware import require_training_packages
from sage_select.train.replaced import RECORD_NAME
from sage_select.train.settings.model import Precision
from sage_select.values.location import InputSetting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sage_select.train.stages import Stages

__all__ = ["MERGE_RECORD", "Merged", "merge"]

#: What tells that a folder was written here.
MERGE_RECORD: Final = "sage_merge.json"
#: Words of the vocabulary with which the models are compared: rows of tokens, far apart.
_ROWS, _TOKENS = 2, 32
#: Share of the largest logit by which rounding in float32 may take them apart.
_ROUNDING: Final = 1e-3


@dataclass(frozen=True)
class Merged:
    """A model with its adapter in it.

    Attributes
    ----------
    output
        Its folder.
    model, adapter
        The base model and the adapter.
    dtype
        In which its weights are written.
    difference
        The largest difference of a logit between base and adapter in float32 and the written model, over some tokens.
    largest
        The largest logit there, to compare with.
    same_words
        Share of the tokens after which both have the same most likely word.
    adapter_digest
        Of the adapter's settings and weights.
    """

    output: Path
    model: str
    adapter: Path
    dtype: str
    difference: float
    largest: float
    same_words: float
    adapter_digest: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "output": str(self.output), "adapter": str(self.adapter)}


def merge(
    adapter: str | Path,
    output: str | Path,
    *,
    model: str | None = None,
    dtype: Precision | None = None,
    force: bool = False,
    stages: Stages | None = None,
    notice: Callable[[str], None] | None = None,
) -> Merged:
    """Write a base model with an adapter in its weights, the tokenizer as it lies beside the adapter.

    The base is loaded in float32, whatever it was held in when the adapter was trained: 4 bytes a weight. The sum is
    made there and rounded once; what was written is loaded again and compared with base and adapter.

    Parameters
    ----------
    adapter
        Folder of the adapter, or of the run that holds one.
    output
        Folder for the model; it appears whole or not at all.
    model
        The base model. None: the one that the adapter names.
    dtype
        In which the weights are written. None: as the base model's are.
    force
        Replace a model that was merged before; nothing else is ever replaced.
    stages, notice
        As in `sage_select.train.train`.

    Raises
    ------
    UsageError
        If there is no adapter or no base model, or the adapter is of another base model.
    DataError
        If files are damaged, or the merged model does not do what base and adapter do.
    OutputError
        If the output is there already.
    ResourceError
        If a package is missing, or memory or the disk runs out.
    """
    require_training_packages()
    folder, target = adapter_folder(adapter), user_path(output)
    content = read_adapter(folder)
    base = model or content.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise UsageError("the adapter names no base model", where=str(folder), hint="name it with --model")
    if model is None and not _may_be_there(base):
        raise UsageError(
            "the base model that the adapter names is not there",
            where=base,
            hint="it was trained in another folder, or on another machine: name the model with --model",
        )
    _refuse_of_rounded(folder)
    check_overlap(
        target,
        [InputSetting("adapter", "file", str(folder)), InputSetting("model", "file", str(base))],
        with_parts=False,
    )
    with quiet_libraries(), resource_failures(target.parent), _held(target):
        _refuse_taken(target, force=force)
        return _Merge(folder, target, str(base), dtype, stages, notice).run()


class _Merge:
    """One merge: what it is of, and how to talk."""

    def __init__(
        self,
        folder: Path,
        target: Path,
        base: str,
        dtype: Precision | None,
        stages: Stages | None,
        notice: Callable[[str], None] | None,
    ) -> None:
        from sage_select.train.stages import silent_stages

        self._folder, self._target, self._base, self._dtype = folder, target, base, dtype
        self._stages = stages or silent_stages
        self._notice = notice or (lambda _text: None)

    def run(self) -> Merged:
        import torch

        from sage_select.render.adapted import load_adapter
        from sage_select.render.model_files import load_causal_lm, load_config, model_revision

        config = load_config(self._base)
        recorded = base_of_run(self._folder)
        if recorded not in (None, model_revision(self._base)):
            raise UsageError(
                "the adapter was trained on another base model",
                where=self._base,
                expected=recorded,
                got=model_revision(self._base),
                hint="name the model of the run with --model",
            )
        stored = {"bfloat16": "bf16", "float16": "fp16"}.get(
            str(getattr(config, "dtype", "")).removeprefix("torch."), "fp32"
        )
        dtype = self._dtype or stored
        with self._stages("loading the model"):
            adapted = load_adapter(load_causal_lm(self._base, "float32"), self._folder).eval()
        expected = _logits(adapted)
        with self._stages("merging"):
            whole: Any = adapted.merge_and_unload(safe_merge=True)
        apart, largest = (expected - _logits(whole)).abs().max().item(), expected.abs().max().item()
        if not apart <= _ROUNDING * max(1.0, largest):
            raise DataError(
                "the merged model does not do what base and adapter do",
                where=str(self._folder),
                got=f"logits apart by {apart:.3g}, of at most {largest:.3g}",
                hint="the adapter cannot be merged: use it beside its base model",
            )
        whole = whole.to({"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[dtype])
        with _new_folder(self._target) as temporary, self._stages("writing the model"):
            whole.save_pretrained(str(temporary))
            del whole, adapted
            self._write_tokenizer(temporary)
            written = _logits(load_causal_lm(str(temporary), "float32"))
            result = Merged(
                output=self._target,
                model=self._base,
                adapter=self._folder,
                dtype=dtype,
                difference=(expected - written).abs().max().item(),
                largest=largest,
                same_words=(expected.argmax(-1) == written.argmax(-1)).float().mean().item(),
                adapter_digest=adapter_digest(self._folder),
            )
            text = json.dumps(result.as_dict(), indent=2, ensure_ascii=False) + "\n"
            (temporary / MERGE_RECORD).write_text(text, encoding="utf-8")
        return result

    def _write_tokenizer(self, folder: Path) -> None:
        """Write the files beside the adapter, or those of the base model where there is no tokenizer among them."""
        from sage_select.render.model_files import load_tokenizer
        from sage_select.render.tokenizer_files import tokenizer_files

        files = {
            path.relative_to(self._folder).as_posix(): path
            for path in sorted(self._folder.rglob("*"))
            if path.is_file() and path.name not in (*ADAPTER_FILES, "README.md") and path.suffix in _BESIDE
        }
        if not any(name.startswith(("tokenizer", "vocab")) for name in files):
            self._notice("no tokenizer lies beside the adapter: the base model's is written")
            tokenizer = load_tokenizer(self._base)
            files = {name: Path(path) for name, path in tokenizer_files(self._base, tokenizer).items()}
        for name, path in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, folder / name)


#: Ends of the names of files that a tokenizer may consist of.
_BESIDE: Final = frozenset({".jinja", ".json", ".model", ".txt"})


def _logits(model: Any) -> Any:
    """Return the logits of a model after some tokens, in float32."""
    import torch

    from sage_select.train.own_loss import text_only

    words = model.get_input_embeddings().weight.shape[0]
    ids = (torch.arange(_ROWS * _TOKENS).reshape(_ROWS, _TOKENS) * 7919 + 1) % words
    with torch.no_grad():
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        return model(input_ids=ids, use_cache=False, **text_only(base, ids)).logits.float()


def _may_be_there(base: str) -> bool:
    """Say whether a name is that of a folder that is there, or could be that of a repository."""
    from sage_select.render.model_files import is_local

    try:
        is_local(base)
    except UsageError:
        return False
    return True


def _refuse_of_rounded(folder: Path) -> None:
    """Refuse an adapter that makes up for what the base model lost in few bits: whole weights have lost nothing."""
    try:
        record = json.loads((folder.parent / RECORD_NAME).read_text(encoding="utf-8"))
        begins = record["identity"]["init_lora_weights"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if begins == "loftq":
        raise UsageError(
            "an adapter that began with loftq belongs to the base model in 4 bits, and cannot be merged",
            where=str(folder),
            hint="use it beside the base model loaded in 4 bits",
        )


def _refuse_taken(target: Path, *, force: bool) -> None:
    """Raise OutputError where the output is there, unless it was merged here and is to be replaced."""
    ours = (target / MERGE_RECORD).is_file()
    if not target.exists() or (target.is_dir() and not any(target.iterdir())) or (ours and force):
        return
    raise OutputError(
        "the output is there already" if ours else "the output is something that was not merged here",
        where=str(target),
        hint="replace it with --force, or name another folder" if ours else "name another folder with --output",
    )


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """Hold the place of an output alone, and put back what a merge that was killed had moved away."""
    busy = OutputError("another merge is writing this output", where=str(target), hint="wait for it, or name another")
    with ExitStack() as stack:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(_beside(target, "lock"), busy=busy))
            old = _beside(target, "old")
            if old.is_dir() and not target.exists():
                old.rename(target)
            for leftover in (old, _beside(target, "new")):
                shutil.rmtree(leftover, ignore_errors=True)
        except OSError as error:
            raise ResourceError(f"the output cannot be written: {error.strerror}", where=str(target)) from None
        yield


@contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside a target, which takes its place when the block succeeds."""
    temporary, old = _beside(target, "new"), _beside(target, "old")
    temporary.mkdir()
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, temporary, ignore_errors=True)
        yield temporary
        for path in temporary.rglob("*"):
            sync(path)
        sync(temporary)
        if target.exists():
            target.rename(old)
        temporary.rename(target)
        sync(target.parent)
        shutil.rmtree(old, ignore_errors=True)


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.{what}")
