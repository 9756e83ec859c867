"""Write the report of a selection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sage_select import __version__
from sage_select.io.commit.manifest import manifest_refused
from sage_select.io.commit.names import OutputNames, PageNames
from sage_select.io.output.page import preflight_page, write_page
from sage_select.paths import output_path, user_path
from sage_select.pipeline.run import Reporter, Silence
from sage_select.render.extras import require
from sage_select.report.page import written
from sage_select.report.selection import Facts, selection_page
from sage_select.values.location import InputSetting

__all__ = ["Report", "default_path", "write_report"]

_EXTRA: Final = "report"


@dataclass(frozen=True)
class Report:
    """What was written, or lay there as it would be.

    Attributes
    ----------
    page
        The page.
    figures
        The folder of its figures.
    size
        Bytes of the page.
    absent
        (what, why) of all that the page does not show.
    cached
        Whether the same report lay there already.
    """

    page: Path
    figures: Path
    size: int
    absent: tuple[tuple[str, str], ...]
    cached: bool


def default_path(selection: Path) -> Path:
    """Return where the report of a selection goes, where nothing else is said.

    Examples
    --------
    >>> default_path(Path("picks/out.arrow")).as_posix()
    'picks/out.report.html'
    """
    return selection.with_name(f"{selection.stem}.report.html")


def write_report(
    selection: str | Path,
    output: str | Path | None = None,
    *,
    embeddings: str | Path | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
    force: bool = False,
    overwrite_foreign: bool = False,
    verify: bool = True,
    threads: int | None = None,
) -> Report:
    """Write one page of HTML about a selection, and its figures as PNG files in a folder beside it.

    Parameters
    ----------
    selection
        An output of a build, with its manifest and, for most of what is shown, its row report.
    output
        The page; by default `NAME.report.html` beside the selection. The figures go to `NAME.report.figures`.
    embeddings
        A `.npy` file with one vector for each row of the input, for the map; by default the vectors of the run are read
        again, taken from the cache, or made anew by the hashing encoder. No model is run.
    cache
        The folder in which values of models are held (`sage_select.cache.cache_folder`); None for no cache.
    reporter
        Who is told of progress.
    force, overwrite_foreign
        Replace a report of this program; with both, any file, and a folder that holds nothing but `.png` files.
    verify
        Refuse a selection that has been changed since it was written.
    threads
        Threads to use; None for all. No figure depends on it.

    Returns
    -------
    Report
        With `cached` set where the same report lay there already: then nothing is written.

    Raises
    ------
    UsageError
        If this is no output of a build, or the page would take the place of it.
    DataError
        If the selection has been changed since it was written.
    OutputError
        If something is there that may not be replaced.
    ResourceError
        If the extra `report` is not installed, or the folder is missing or cannot be written.

    Notes
    -----
    The same selection gives the same bytes. Memory: the row report, the rows of the selection, and two numbers for each
    row; of vectors a sample and a block, where they lie in a file.
    """
    for package in ("matplotlib", "jinja2"):
        require(package, _EXTRA)
    reporter = Silence() if reporter is None else reporter
    source = user_path(selection)
    target = output_path(str(default_path(source) if output is None else output))
    read = [InputSetting("selection", "rows", str(source))]
    if embeddings is not None:
        read.append(InputSetting("embeddings", "file", str(embeddings)))
    preflight_page(target, read, force=force, overwrite_foreign=overwrite_foreign)
    with reporter.progress("reading") as progress:
        facts = Facts.read(source, progress=progress, verify=verify, threads=threads)
    with manifest_refused(OutputNames(source).manifest):
        page = selection_page(facts, reporter, embeddings=None if embeddings is None else str(embeddings), cache=cache)
    with reporter.progress("drawing") as progress:
        made = written(page, progress)
    manifest = {"sage_select": __version__, "of": {"file": source.name, "digest": facts.manifest["output"]["digest"]}}
    new = write_page(made.html, made.figures, target, manifest, force=force, overwrite_foreign=overwrite_foreign)
    return Report(target, PageNames(target).figures, len(made.html.encode()), tuple(page.absent()), not new)
