"""Selection from Python: `select`, `Pipeline`, and what they return."""

from __future__ import annotations

import warnings

from sage_select.api.call import select
from sage_select.api.options import document
from sage_select.api.pipeline import Pipeline
from sage_select.api.selection import Selection
from sage_select.declare.others import notices
from sage_select.declare.registry import Registry, left_out
from sage_select.display import displayed
from sage_select.errors import SageWarning

__all__ = ["Pipeline", "Selection", "select"]

# By now what other packages import from here is there, should they do so while they are loaded.
document(select)
# While others are being loaded, who asked for that tells of it.
for _text in () if Registry.loading else notices(left_out()):
    warnings.warn(displayed(_text), SageWarning, stacklevel=2)
