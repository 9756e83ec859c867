"""Files behind a URL (`hf://`, `s3://`, ...), fetched through fsspec into a temporary folder."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sage_select.display import without_secrets
from sage_select.errors import ResourceError, UsageError

__all__ = ["fetch"]

_PACKAGES = {
    "hf": "huggingface_hub",
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
    "http": "aiohttp",
    "https": "aiohttp",
}


@contextlib.contextmanager
def fetch(url: str) -> Iterator[list[tuple[Path, str]]]:
    """Yield (local copy, shown name) of each file that `url` names, sorted; the copies live as long as the block.

    Raises
    ------
    UsageError
        Where the scheme is unknown, or nothing matches.
    ResourceError
        Where the scheme needs a package that is not installed, or the transfer fails.
    """
    shown = without_secrets(url)
    with tempfile.TemporaryDirectory(prefix="sage-select-") as folder:
        yield _download(url, shown, Path(folder))


def _download(url: str, shown: str, folder: Path) -> list[tuple[Path, str]]:
    import fsspec

    scheme = url.split("://", 1)[0].split("::", 1)[0].lower()
    try:
        files = fsspec.open_files(url, mode="rb", expand=True)
        if not files:
            raise FileNotFoundError(shown)
        return [_copy(file, folder, index, shown) for index, file in enumerate(sorted(files, key=_path_of))]
    except ImportError:
        package = _PACKAGES.get(scheme, f"the fsspec package for {scheme}://")
        raise ResourceError(
            f"reading {scheme}:// needs {package}", where=shown, hint=f"pip install {package}"
        ) from None
    except FileNotFoundError:
        raise UsageError("no such file", where=shown) from None
    except IsADirectoryError:
        raise UsageError("is a folder; name the files in it, for example with /*.parquet", where=shown) from None
    except ValueError as error:
        if "rotocol" in str(error):
            raise UsageError(f"no file system is known for {scheme}://", where=shown) from None
        raise ResourceError(f"cannot be read: {type(error).__name__}", where=shown) from None
    except Exception as error:
        # File systems of other packages raise what they like; their messages may hold credentials.
        raise ResourceError(f"cannot be read: {type(error).__name__}", where=shown) from None


def _path_of(file: Any) -> str:
    return str(file.path)


def _copy(file: Any, folder: Path, index: int, shown: str) -> tuple[Path, str]:
    name = PurePosixPath(_path_of(file)).name
    local = folder / f"{index}-{name}"
    with file as remote, local.open("xb") as copy:
        shutil.copyfileobj(remote, copy, 1 << 20)
    prefix, _, _ = shown.rpartition("/")
    return local, f"{prefix}/{name}"
