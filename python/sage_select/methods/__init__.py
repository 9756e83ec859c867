"""Methods that are compared: each a pipeline and settings of training, as a value or a file."""

from __future__ import annotations

from sage_select.methods.known import known_methods, left_out_methods, named_methods
from sage_select.methods.spec import CONTROLS, DECIDED, KEYS, MethodSpec, load_method

__all__ = [
    "CONTROLS",
    "DECIDED",
    "KEYS",
    "MethodSpec",
    "known_methods",
    "left_out_methods",
    "load_method",
    "named_methods",
]
