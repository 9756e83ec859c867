"""The output folder of a run: what lies where, whose it is, and in which state.

`run.json` appears when a run starts and is replaced, as the last thing written, when it is finished.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sage_select.errors import OutputError, ResourceError, UsageError
from sage_select.io.commit.lock import locked
from sage_select.io.commit.overlap import check_overlap
from sage_select.io.tables.digest import digest_files
from sage_select.paths import user_path
from sage_select.train.checkpoints import sync
from sage_select.train.fingerprint import differences
from sage_select.train.kinds import KINDS, Kind
from sage_select.train.replaced import (
    EVALUATIONS_NAME,
    LEDGER_NAME,
    LOSSES_NAME,
    RECORD_NAME,
    REPLAYED_NAME,
    ROUNDS_NAME,
    SCHEDULE_NAME,
    SETTINGS_NAME,
    WEIGHT_FOLDERS,
    ReplacedRun,
    move,
    remove,
)
from sage_select.train.result import TrainResult
from sage_select.values.location import InputSetting

__all__ = ["RUN_PARTS", "Found", "RunFolder", "no_run_to_resume"]

_FORMAT_VERSION = 1
#: What a run writes into its folder: files, and all.
_FILES = (SETTINGS_NAME, SCHEDULE_NAME, REPLAYED_NAME, LOSSES_NAME, RECORD_NAME)
RUN_PARTS = ("checkpoints", "logs", *WEIGHT_FOLDERS, *_FILES)


@dataclass(frozen=True)
class Found:
    """The run that a folder holds: what defines it, its result once it is finished, and what else is known of it."""

    identity: Mapping[str, Any]
    result: TrainResult | None
    about: Mapping[str, Any] = field(default_factory=dict)


class RunFolder:
    """The folder of one run.

    Parameters
    ----------
    path
        The folder; `~` stands for the home folder.
    kind
        What the run trains.
    """

    def __init__(self, path: Path, kind: Kind = KINDS["lora"]) -> None:
        self.path = user_path(path)
        self.checkpoints = self.path / "checkpoints"
        self.logs = self.path / "logs"
        self.weights = self.path / kind.folder
        self._settings_file = kind.settings_file
        self.replaced = ReplacedRun(self.path, RUN_PARTS)
        self.ledger = self.logs / LEDGER_NAME
        self.evaluations = self.logs / EVALUATIONS_NAME
        self.rounds = self.logs / ROUNDS_NAME
        self._new_weights = self.path / ".weights.new"
        self.schedule = self.path / SCHEDULE_NAME

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and hold it alone; the lock goes with the process, however it ends.

        Raises
        ------
        OutputError
            If another process trains into this folder.
        ResourceError
            If the folder cannot be made or written.
        """
        busy = OutputError(
            "another sage-train is writing into this folder",
            where=str(self.path),
            hint="wait for it, or name another folder with --output-dir",
        )
        with ExitStack() as stack:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.path / ".sage-train.lock", busy=busy))
            except OSError as error:
                raise ResourceError(
                    f"the output folder cannot be written: {error.strerror}",
                    where=str(self.path),
                    hint="name another with --output-dir",
                ) from None
            # Left by a run that was killed.
            self.replaced.restore()
            for path in (
                *(self.path / f".{name}" for name in _FILES),
                self._new_weights,
                *(path.with_name(f".{path.name}") for path in (self.ledger, self.evaluations, self.rounds)),
            ):
                shutil.rmtree(path, ignore_errors=True)
                path.unlink(missing_ok=True)
            yield

    def refuse_inputs(self, inputs: Mapping[str, object]) -> None:
        """Refuse to write where the run reads: into a folder of its inputs, or over one of them.

        Parameters
        ----------
        inputs
            Setting -> path, or the name of a repository; None where there is none.

        Raises
        ------
        UsageError
            Naming the input, and the setting.
        """
        settings = [InputSetting(name, "file", str(value)) for name, value in inputs.items() if value is not None]
        for name in RUN_PARTS:
            check_overlap(self.path / name, settings)

    def found(self) -> Found | None:
        """Return the run in this folder, None if there is none.

        Raises
        ------
        OutputError
            If the folder holds files of something else under the names of ours.
        """
        try:
            record = self.path / RECORD_NAME
            if record.exists() and not record.is_file():  # a pipe would never end
                raise ValueError
            content = self._read()
            # A run claims these names; one of an earlier version did not, and a file of such a name is somebody else's.
            names = {*_FILES} - {RECORD_NAME, *content.get("files", ())}
            foreign = sorted(name for name in names if os.path.lexists(self.path / name))
            # Without a schedule it is a run of an earlier version, which none of this one repeats.
            finished = content["finished"] and "schedule" in content["result"]
            result = TrainResult.from_dict(content["result"], self.path) if finished else None
            if not foreign:
                return Found(dict(content["identity"]), result, dict(content.get("about") or {}))
        except FileNotFoundError:
            foreign = [name for name in RUN_PARTS if not _is_free(self.path / name)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            foreign = [RECORD_NAME]
        if foreign:
            raise OutputError(
                "the folder holds something that is not a run of sage-train",
                where=str(self.path),
                got=", ".join(foreign),
                hint="name another folder with --output-dir",
            )
        return None

    def holds_a_run(self) -> bool:
        """Say whether there is a run, finished or not."""
        return (self.path / RECORD_NAME).exists()

    def replayed(self) -> Path | None:
        """Return what the run of the folder replays; None where there is no run, or it replays nothing.

        Raises
        ------
        OutputError
            If another process trains into this folder.
        """
        if not self.path.is_dir():
            return None
        with self.locked():  # a run that was set aside when the program was killed is in its place again
            path = self.path / REPLAYED_NAME
            return path if self.holds_a_run() and path.is_file() else None

    def refuse_unless_same(self, found: Found, identity: Mapping[str, Any]) -> None:
        """Raise OutputError naming the parts in which the run in this folder differs from `identity`."""
        parts = differences(found.identity, identity)
        if parts:
            raise OutputError(
                "the folder holds another run",
                where=str(self.path),
                got="; ".join(parts),
                hint="name another folder with --output-dir, replace the run there with --force, or go on with such a "
                "change: --resume --allow-change NAME",
            )

    def start(
        self, identity: Mapping[str, Any], settings: str, about: Mapping[str, Any] | None = None, *, anew: bool
    ) -> None:
        """Claim the folder for a run; one that begins `anew` sets the run that is there aside, and nothing else.

        Parameters
        ----------
        identity
            What defines the run.
        settings
            All its settings, as a file.
        about
            What else is to be known of it, also where it does not end.
        """
        weights = {}
        if anew:
            self.replaced.set_aside()
        else:
            weights = {key: value for key, value in self._read().items() if key in WEIGHT_FOLDERS}
        claimed = {"files": list(_FILES), "about": dict(about or {}), **weights}
        self._write({"finished": False, "identity": dict(identity), **claimed})
        self._put(SETTINGS_NAME, settings)
        self.checkpoints.mkdir(exist_ok=True)
        self.logs.mkdir(exist_ok=True)

    def put_file(self, name: str, write: Callable[[Path], object]) -> None:
        """Have a file of the run written to a path that it is given, and put it in its place, at once and durably."""
        temporary = self.path / f".{name}"
        write(temporary)
        sync(temporary)
        temporary.replace(self.path / name)
        sync(self.path)

    def finish(self, identity: Mapping[str, Any], result: TrainResult) -> None:
        """Declare the run finished; everything else must have been written."""
        record = {"finished": True, "identity": dict(identity), "result": result.as_dict()}
        self._write({**self._read(), **record})

    def adapter_digest(self) -> str | None:
        """Return the digest of the settings and the weights that were trained, None if they are not there."""
        try:
            return digest_files([self.weights / self._settings_file, *_weight_files(self.weights)])
        except OSError:
            return None

    @contextmanager
    def new_weights(self) -> Iterator[Path]:
        """Give a temporary folder, and put what it holds in place of the trained weights when the block succeeds.

        What others put into their folder stays; a file of theirs that has the name of a new one gets a number.
        """
        temporary = self._new_weights
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        yield temporary
        files = [path for path in sorted(temporary.rglob("*")) if path.is_file()]
        for path in temporary.rglob("*"):
            sync(path)
        sync(temporary)
        remove(self.weights)
        names = [path.relative_to(temporary).as_posix() for path in files]
        self._write({**self._read(), self.weights.name: names})
        move(temporary, self.weights)
        sync(self.path)

    def _read(self) -> dict[str, Any]:
        """Return the record of the run that is there; it raises what a file or its parser raises."""
        content = json.loads((self.path / RECORD_NAME).read_text(encoding="utf-8"))
        return dict(content)

    def _write(self, content: Mapping[str, Any]) -> None:
        text = json.dumps({"format_version": _FORMAT_VERSION, **content}, indent=2, ensure_ascii=False) + "\n"
        self._put(RECORD_NAME, text)

    def _put(self, name: str, text: str) -> None:
        """Write a text whole, in place of one that is there."""
        self.put_file(name, lambda path: path.write_text(text, encoding="utf-8"))


def _weight_files(folder: Path) -> list[Path]:
    """Return the files of weights in a folder, sorted; it raises FileNotFoundError where there is none."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise FileNotFoundError
    return found


def _is_free(path: Path) -> bool:
    """Say whether there is nothing, or a folder with nothing in it, as a run leaves that takes no step."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


def no_run_to_resume(folder: Path) -> UsageError:
    """Return the error for --resume where nothing was begun."""
    return UsageError("there is no run to resume", where=str(folder), hint="leave out --resume to start one")
