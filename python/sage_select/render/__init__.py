"""A row -> its shape, its words, its tokens: one rendering for scores, embeddings and training.

`shape` tells how rows are read, `example` reads one, `text` gives the words of many, `canonical` their identity and
what rows that say the same have in common; `tokens` turns a row into what a model sees. Nothing here imports torch or
transformers before a tokenizer or a model is loaded.
"""

from __future__ import annotations

from sage_select.render.canonical import canonical_json, row_digests, same_texts
from sage_select.render.example import (
    Conversation,
    Example,
    JoinedExamples,
    RowExamples,
    Text,
    examples,
    has_answer,
    to_example,
)
from sage_select.render.first_words import first_words
from sage_select.render.parts import TextPart, part_of, part_texts
from sage_select.render.shape import Shape, ShapeOptions, detect_shape
from sage_select.render.text import RenderedRows, answered, plain_text, plain_texts, render_rows
from sage_select.render.unread import unread_keys

__all__ = [
    "Conversation",
    "Example",
    "JoinedExamples",
    "RenderedRows",
    "RowExamples",
    "Shape",
    "ShapeOptions",
    "Text",
    "TextPart",
    "answered",
    "canonical_json",
    "detect_shape",
    "examples",
    "first_words",
    "has_answer",
    "part_of",
    "part_texts",
    "plain_text",
    "plain_texts",
    "render_rows",
    "row_digests",
    "same_texts",
    "to_example",
    "unread_keys",
]
