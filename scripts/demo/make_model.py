"""Pre-train the built-in demo model on generated text and write it with its tokenizer.

The text has the language and the format of the demo data, but other tools, other requests and other small talk
(`demo_text/composed_tools.py`). The run is seeded; on another number of threads or another processor the weights
differ in their last bits.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import time
from pathlib import Path
from typing import Final

import torch
from demo_text.pretraining import Settings, encode, new_model, pretrain, pretraining_dialogues
from demo_text.tokenizer import train_tokenizer, wrap
from demo_text.words import vocabulary
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

_HERE: Final = Path(__file__).resolve().parent
_SHIPPED: Final = _HERE.parents[1] / "python" / "sage_select" / "demo" / "model"
_VOCABULARY_SIZE: Final = 1408
_TOKENIZER_DIALOGUES: Final = 6_000
# Free text is rare beside tool names; repeated, its words become tokens of their own.
_WORD_REPEATS: Final = 60


def main() -> None:
    """Run the command."""
    default = Settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output-dir", type=Path, default=_SHIPPED, help="where to write (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=default.seed, help="seed of text and weights")
    parser.add_argument(
        "--dialogues", type=int, default=default.dialogues, help="how many to train on (default: %(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default: %(default)s)")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    settings = Settings(dialogues=chosen.dialogues, seed=chosen.seed)

    tokenizer = _tokenizer(settings.seed)
    dialogues = pretraining_dialogues(settings.dialogues, settings.seed)
    examples = [encode(tokenizer, dialogue) for dialogue in dialogues]
    print(f"{len(examples)} dialogues, {sum(len(each.tokens) for each in examples)} tokens", flush=True)
    model = new_model(tokenizer, settings.seed)
    pretrain(model, examples, settings, _Progress())
    _save(model, tokenizer, chosen.output_dir)


def _tokenizer(seed: int) -> PreTrainedTokenizerFast:
    """Return a tokenizer learned from the pre-training text and its vocabulary."""
    dialogues = itertools.islice(pretraining_dialogues(_TOKENIZER_DIALOGUES, seed), _TOKENIZER_DIALOGUES)
    bytes_only = wrap(train_tokenizer([], 0))
    texts = [bytes_only.apply_chat_template(each.messages, tools=each.tools, tokenize=False) for each in dialogues]
    words = " " + " ".join(vocabulary())
    return wrap(train_tokenizer([*texts, *[words] * _WORD_REPEATS], _VOCABULARY_SIZE))


class _Progress:
    """Prints the mean loss of the assistant's tokens a hundred times or so."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._losses: list[float] = []

    def __call__(self, step: int, steps: int, loss: float) -> None:
        self._losses.append(loss)
        if (step + 1) % 50 == 0 or step + 1 == steps:
            mean = sum(self._losses) / len(self._losses)
            print(f"step {step + 1}/{steps} loss {mean:.4f} {time.monotonic() - self._start:.0f} s", flush=True)
            self._losses.clear()


def _save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the weights in bfloat16, marked to be used in float32, and the tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(_HERE / "model_card.md", folder / "README.md")
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{size:,} bytes in {folder}")


if __name__ == "__main__":
    main()
