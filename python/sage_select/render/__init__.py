"""A row -> its shape, its words, its tokens: one rendering for scores, embeddings and training.

`shape` tells how rows are read, `example` reads one, `text` gives its words, `canonical` its identity
and `same` what rows that say the same have in common; `tokens`
turns it into what a model sees. Nothing here imports torch or transformers before a tokenizer or a model is loaded.
"""

from __future__ import annotations

from sage_select.render.answers import answered
from sage_select.render.canonical import canonical_json
from sage_select.render.example import Conversation, Example, Text, examples, has_answer, to_example
from sage_select.render.first_words import first_words
from sage_select.render.same import BATCH_ROWS, same_text, same_texts
from sage_select.render.shape import Shape, ShapeOptions, detect_shape
from sage_select.render.text import plain_text, plain_texts
from sage_select.render.usable import unread_keys, unusable_rows

__all__ = [
    "BATCH_ROWS",
    "Conversation",
    "Example",
    "Shape",
    "ShapeOptions",
    "Text",
    "answered",
    "canonical_json",
    "detect_shape",
    "examples",
    "first_words",
    "has_answer",
    "plain_text",
    "plain_texts",
    "same_text",
    "same_texts",
    "to_example",
    "unread_keys",
    "unusable_rows",
]
