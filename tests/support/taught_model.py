"""The tiny model, tuned until it answers: a teacher that comes to an end, and calls tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["make_taught_model"]


#: Tokens that it reads.
_CONTEXT = 512
#: What its template writes before all else: the tools in few tokens.
_TOOLS = (
    "{%- if tools %}{{ '<|im_start|>system\n' }}{%- for tool in tools %}{{ tool | tojson }}{%- endfor %}"
    "{{ '<|im_end|>\n' }}{%- endif %}"
)


def make_taught_model(tiny: Path, folder: Path, rows: Sequence[dict[str, Any]], *, steps: int = 60) -> Path:
    """Write the model with the answers of these rows learned by heart."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from sage_select.render import detect_shape, to_example
    from sage_select.render.tokens import Renderer

    tokenizer = AutoTokenizer.from_pretrained(tiny, model_max_length=_CONTEXT)
    tokenizer.chat_template = _TOOLS + tokenizer.chat_template
    model = AutoModelForCausalLM.from_pretrained(tiny, max_position_embeddings=_CONTEXT)
    renderer = Renderer(tokenizer, max_length=_CONTEXT)
    found = [renderer.encode(to_example(row, detect_shape(list(row)))) for row in rows]
    longest = max(len(one.input_ids) for one in found)
    ids = torch.tensor([one.input_ids + [0] * (longest - len(one.input_ids)) for one in found])
    labels = torch.tensor([one.labels + [-100] * (longest - len(one.labels)) for one in found])
    mask = torch.tensor([[1] * len(one.input_ids) + [0] * (longest - len(one.input_ids)) for one in found])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2, weight_decay=0.0)
    torch.manual_seed(0)
    for _ in range(steps):
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
