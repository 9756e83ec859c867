"""Files that are read beside the rows: what is read of one is what its digest tells."""

from __future__ import annotations

from sage_select.errors import DataError
from sage_select.io.source.named import existing_file
from sage_select.io.source.opened import Input
from sage_select.paths import user_path

__all__ = ["Beside"]


class Beside:
    """The files of scores, vectors, ids and queries of one run, each known again at every use by what it was first."""

    def __init__(self) -> None:
        self._files: dict[str, Input] = {}
        self._digests: dict[str, str] = {}

    def file(self, name: str) -> Input:
        """Return the file of this name, always the same one; its use raises where another has taken its place.

        Raises
        ------
        UsageError, ResourceError
            Where there is no such file, or it may not be read.
        """
        if name not in self._files:
            self._files[name] = Input(existing_file(user_path(name)), name, hold=False)
        return self._files[name]

    def digest(self, name: str) -> str:
        """Return the digest of the file; it raises as `file` does, and where the file is another one by now."""
        if name not in self._digests:
            file = self.file(name)
            self._digests[name] = file.digest()
            file.release()
        return self._digests[name]

    def known(self, name: str) -> str | None:
        """Return the digest of what was read under this name, None where nothing was yet."""
        return self._digests.get(name)

    def was_read(self, name: str, digest: str) -> None:
        """Take note of the digest of what was read under this name by other means.

        Raises
        ------
        DataError
            Where it is not what was there before.
        """
        if self._digests.setdefault(name, digest) != digest:
            raise DataError("changed while it was read", where=name, hint="read it again when its writer is done")
