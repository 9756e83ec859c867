"""Pipelines from Python: built stage by stage, read from specs, explained and run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sage_select.api.given import Given
from sage_select.api.reporter import Callback
from sage_select.api.selection import Selection
from sage_select.cache import cache_folder
from sage_select.engine import Outcome, finish, run
from sage_select.errors import UsageError, nearest
from sage_select.pipeline import STAGES
from sage_select.pipeline import Pipeline as Chain
from sage_select.pipeline.plan import explain, resolve
from sage_select.pipeline.spec import load_spec
from sage_select.pipeline.spec.write import to_toml, to_yaml
from sage_select.stages import Sink, Source

__all__ = ["Pipeline"]


class Pipeline(Chain):
    """A chain of stages, as a value: making one reads nothing, and two that say the same are equal.

    It has a method for each stage there is, those of other packages included; each returns a longer pipeline. The
    first setting of a stage may be given without its name.

    Examples
    --------
    >>> from sage_select import Pipeline
    >>> pipeline = Pipeline.read("data/*.jsonl").dedup("near").select("hybrid", budget="10%").write("out.arrow")
    >>> [step.name for step in pipeline.plan().steps]
    ['source', 'embed', 'dedup', 'score', 'select', 'compare', 'order', 'sink']
    """

    @classmethod
    def read(cls, path: str | Path | list[str | Path], *, seed: int = 0, **settings: Any) -> Self:
        """Return the pipeline that reads rows and does nothing else.

        Parameters
        ----------
        path
            A file, pattern, folder or URL, or several, which are one pool.
        seed
            The run seed: same input, settings and seed, same bytes.
        **settings
            Of the source stage, such as `id_column`.

        Raises
        ------
        UsageError
            If a setting is wrong.
        """
        several = [str(one) for one in path] if isinstance(path, list) else str(path)
        return cls(seed=seed, steps=(Source.make(path=several, **settings),))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return the pipeline of a spec in YAML or TOML; its paths are relative to the folder it lies in.

        Raises
        ------
        UsageError
            If the file is missing, or anything in it is wrong: all problems are listed.
        """
        return cls._of(load_spec(Path(path)))

    def write(self, path: str | Path, **settings: Any) -> Self:
        """Return the pipeline that also writes the rows, with their manifest; the format follows the name."""
        return self._with(Sink.make(path=str(path), **settings))

    def plan(self) -> Self:
        """Return the pipeline as it will run: what is left open decided, and the stages added that others need.

        Raises
        ------
        UsageError
            If a need cannot be met, or something that was named is used by nothing.
        """
        return self._of(resolve(self))

    def explain(self) -> str:
        """Return what it will do, a line a stage; no row is read."""
        return explain(self.plan())

    def run(
        self,
        data: Any = None,
        *,
        force: bool = False,
        overwrite_foreign: bool = False,
        verify: bool = True,
        cache: bool | str | Path = True,
        threads: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Selection | Outcome:
        """Run it.

        Parameters
        ----------
        data
            An object with rows, as `select` takes it, to be read in place of the source's path.
        force, overwrite_foreign
            Replace an output of this program; with both, also a file or saved dataset that is none.
        verify
            Refuse files that this program has written and that were changed since.
        cache
            Where values of models are held, so that none is computed twice: a folder, True for `SAGE_CACHE_DIR` or
            `~/.cache/sage-select`, False to compute all.
        threads
            Threads to use; None for `SAGE_THREADS` or all cores. No result depends on it.
        progress
            Called with (done, total) while long work runs.

        Returns
        -------
        Selection or Outcome
            Where the pipeline ends in `write`, what was written or was there already: `output`, `manifest`, `cached`.
            Otherwise the rows.

        Raises
        ------
        SageError
            Whatever is wrong with the plan, the data, the output or the environment; nothing is left behind.
        """
        reporter = Callback(progress)
        if self.find(Sink) is not None and data is None:
            return run(
                resolve(self),
                reporter,
                force=force,
                overwrite_foreign=overwrite_foreign,
                verify=verify,
                threads=threads,
                cache=cache_folder(cache),
            )
        given, chain, notices = Given(), Chain(seed=self.seed, steps=self.steps), list[str]()
        if data is not None:
            path = given.rows(data)
            chain = chain.replaced(chain.step(Source).changed(path=path, demo=False))
        plan = resolve(chain, notices.append)
        folder = cache_folder(cache)
        done = Selection(
            finish(plan, reporter, given.values, notices=notices, verify=verify, threads=threads, cache=folder)
        )
        sink = self.find(Sink)
        if sink is not None:
            done.write(sink.path, force=force, overwrite_foreign=overwrite_foreign, rows=sink.rows)
        return done

    def to_yaml(self) -> str:
        """Return the spec that `load` reads back, URLs bare of credentials."""
        return to_yaml(self)

    def to_toml(self) -> str:
        """Return the spec that `load` reads back, in TOML."""
        return to_toml(self)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in STAGES:
            if not name.startswith("_"):
                STAGES.refuse_left_out(name)
            hint = nearest(name, STAGES)
            raise AttributeError(f"a pipeline has no stage {name!r}" + (f"; {hint}" if hint else ""))
        kind = STAGES[name]
        first = next(iter(kind.model_fields), None)

        def method(*value: Any, **settings: Any) -> Pipeline:
            if len(value) > (first is not None):
                raise UsageError(f"{name} takes one setting without a name", got=f"{len(value)} of them")
            return self._with(kind.make(**({first: value[0]} if first and value else {}), **settings))

        method.__name__ = name
        method.__doc__ = inspect.getdoc(kind)
        return method

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *STAGES})

    def _with(self, step: Any) -> Self:
        return type(self)(seed=self.seed, steps=(*self.steps, step))

    @classmethod
    def _of(cls, chain: Chain) -> Self:
        return cls(seed=chain.seed, steps=chain.steps)
