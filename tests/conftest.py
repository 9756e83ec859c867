"""Fixtures every test may use."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import make_tiny_model

# OpenMP's threads otherwise spin while they wait: on a machine that does other work as well, training takes ten times
# as long. Set before anything loads OpenMP.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# No test asks a network for a model.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

_CACHES = itertools.count()
ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, beside: str) -> Path:
    folder = Path(os.environ.get(variable) or ROOT.parent / "shared" / beside)
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}: name one in {variable} to run this test on real data")
    return folder


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt this process, and its children: what a script starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own, made where it is used: no test finds what another has computed."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(_CACHES)}"
    monkeypatch.setenv("SAGE_CACHE_DIR", str(folder))


@pytest.fixture(autouse=True)
def _one_torch_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold torch to one thread in tests that train: models this small only wait for each other on more."""
    if request.node.get_closest_marker("train") is None:
        yield
        return
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a random Llama with a tokenizer and a chat template."""
    return make_tiny_model(tmp_path_factory.mktemp("tiny_model"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data sets (SAGE_DATA, else ../shared/data)."""
    return _folder("SAGE_DATA", "data")


@pytest.fixture(scope="session")
def shared_model() -> Path:
    """Return the folder of a tiny real language model (SAGE_MODELS names its parent folder)."""
    folder = _folder("SAGE_MODELS", "models") / "stories260k"
    if not folder.is_dir():
        pytest.skip(f"no model folder {folder}")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the project root."""
    return ROOT
