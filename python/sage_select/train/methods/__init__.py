"""Training methods, one a file: each says what it needs, what names that, and the loss of a forward pass.

Nothing heavy is loaded here: settings are checked by these declarations before torch is. A loss is loaded when it is
used.
"""

from __future__ import annotations

from sage_select.train.methods.method import LIKELIHOOD, METHODS, Material, Method, method

__all__ = ["LIKELIHOOD", "METHODS", "Material", "Method", "method"]
