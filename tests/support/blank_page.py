"""Pages without drawings, for what figures are not asked about."""

from __future__ import annotations

import pytest

from sage_select.report import page as page_module
from sage_select.report.charts.chart import Drawn

__all__ = ["blank"]


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: figures are empty images."""
    image = {(narrow, dark): b"<svg/>" for narrow in (False, True) for dark in (False, True)}
    monkeypatch.setattr(page_module, "drawn", lambda _: Drawn(image, "image/svg+xml", b"png", (2, 1), (1, 1)))
