"""pyarrow, which looks for pandas when it makes its first table, and loads all of it."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

from sage_select.cli.build_table import others_declare

__all__ = ["load_pyarrow"]


def load_pyarrow() -> None:
    """Load pyarrow so that it does not load pandas, which takes long and of which no command has a use.

    pyarrow looks once, and again where somebody asks it for pandas itself. Members of other packages may hand it what
    pandas holds: where there are some it looks as ever.
    """
    if "pandas" in sys.modules or others_declare():
        return
    import pyarrow as pa

    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([None])  # both of its halves look: Cython by the list, C++ by the value
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas(MetaPathFinder):
    @classmethod
    def find_spec(cls, fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG003
        if fullname == "pandas":
            raise ModuleNotFoundError("not now", name=fullname)
