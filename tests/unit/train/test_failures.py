"""Shortages are told apart from faults of ours, whoever reports them."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sage_select.errors import ResourceError
from sage_select.train.failures import resource_failures


def fail_with(error: Exception, folder: Path) -> None:
    with resource_failures(folder):
        raise error


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file grow beyond `size` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_memory(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(ResourceError, match=r"too little memory(.|\n)*--batch-size"):
        fail_with(error, tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_disk(tmp_path: Path, number: int) -> None:
    with pytest.raises(ResourceError, match=r"cannot be written(.|\n)*--resume"):
        fail_with(OSError(number, "words"), tmp_path)


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("shapes differ"), FileNotFoundError(2, "words")])
def test_other_errors_pass(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        fail_with(error, tmp_path)
    assert raised.value is error


@pytest.mark.train
def test_a_full_disk_as_the_libraries_report_it(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    tensor = torch.zeros(100_000)
    with (
        pytest.raises(ResourceError, match="cannot be written"),
        file_size_limit(10_000),
        resource_failures(tmp_path),
    ):
        torch.save(tensor, tmp_path / "a.pt")
    with (
        pytest.raises(ResourceError, match="cannot be written"),
        file_size_limit(10_000),
        resource_failures(tmp_path),
    ):
        save_file({"a": tensor}, tmp_path / "a.safetensors")
