"""Packages of others: what is wrong with one is told as its fault, and stops nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.support.packages import Told, lay_package, run_programs

GOOD = """
print("loaded")

@strategy("firsts", nested=True)
class Firsts(Strategy):
    '''The first rows.'''
    words: Annotated[list[str], Option("words that count")] = []
    loud: Annotated[bool, Option("shout")] = True
    power: Annotated[int, Option("how much", ge=1, le=9)] = 2
    def pick(self, request, pool):
        print("picking")
        rows = take_admissible(request, pool, np.arange(pool.n))
        return Picks.without_gains(rows, "-".join([*self.words, str(self.loud)]))
"""


def rule(kind: str, name: str, traits: str, option: str = "") -> str:
    """Return the code of a class that declares something."""
    base, method = {
        "strategy": ("Strategy", "pick(self, request, pool)"),
        "scorer": ("Scorer", "score(self, data, run)"),
        "stage": ("Stage", "run(self, data, run)"),
    }[kind]
    body = f"    '''Some.'''\n    {option}\n    def {method}: return [1] * data.n\n"
    return f"\n@{kind}({traits})\nclass {name}({base}):\n{body}"


#: A module that asks for everything before it has declared anything.
EAGER = """
from sage_select import Pipeline, select
from sage_select.strategies import STRATEGIES
from sage_select.scorers import SCORERS
KNOWN = [*STRATEGIES, *SCORERS]

@stage("calm", effect="keeps")
class Calm(Stage):
    '''Some.'''
    def run(self, data, run): return data

@strategy("lasts")
class Lasts(Strategy):
    '''Some.'''
    width_of: Annotated[int, Option("how wide")] = 1
    def pick(self, request, pool):
        rows = take_admissible(request, pool, np.arange(pool.n)[::-1])
        return Picks.without_gains(rows, "last")
"""

#: Module -> code, what it declares, and why that is left out.
BROKEN = {
    "bad_import": (
        "import nowhere_to_be_found",
        {"strategies": {"gone": "Gone"}, "scorers": {"louder": "Louder"}},
        "No module",
    ),
    "bad_end": ("import sys; sys.exit(7)", {"stages": {"departs": "Departs"}}, "SystemExit: 7 (bad_end.py, line "),
    "bad_class": ("Plain = dict", {"encoders": {"plain": "Plain"}}, "it is no encoder"),
    "bad_group": ("A = 1", {"strategy": {"a": "A"}}, "there is no group 'sage_select.strategy'"),
    "bad_trait": (
        rule("stage", "Odd", "'odd', effect='drop'"),
        {"stages": {"odd": "Odd"}},
        "did you mean 'drops'",
    ),
    "bad_second": (
        rule("scorer", "Fine", "'fine'") + rule("strategy", "NotFine", "'not_fine', nested='yes'"),
        {"scorers": {"fine": "Fine"}, "strategies": {"not_fine": "NotFine"}},
        "strategy 'not_fine' has another nested",
    ),
    "bad_option": (
        rule("strategy", "Greedy", "'greedy'", "output: Annotated[str, Option('x')] = ''"),
        {"strategies": {"greedy": "Greedy"}},
        "its option 'output' is typed --output, and so is 'path' of stage 'sink'",
    ),
    "bad_twin": (
        rule("strategy", "Other", "'firsts'"),
        {"strategies": {"seconds": "Other"}},
        "there is a strategy 'firsts' already",
    ),
    "bad_name": (
        rule("strategy", "Other", "'thirds'"),
        {"strategies": {"three": "Other"}},
        "registered by @strategy('thirds'): its entry point has to have the same name",
    ),
    "bad_pair": (
        rule("scorer", "Pair", "'pair'", "power: Annotated[float, Option('x', flag='--strength')] = 1"),
        {"scorers": {"pair": "Pair"}},
        "keyword of select(), and so is that of strategy 'firsts' of the package a_good",
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a package that works and many that do not, and rows."""
    site = tmp_path_factory.mktemp("site")
    lay_package(site, "a_good", GOOD, {"strategies": {"firsts": "Firsts"}}, version="2.5")
    lay_package(site, "eager", EAGER, {"stages": {"calm": "Calm"}, "strategies": {"lasts": "Lasts"}})
    for name, (code, entries, _) in BROKEN.items():
        lay_package(site, name, code, entries)
    lines = [{"id": f"r{row}", "text": f"row {row} {'much ' * (row % 5)}", "loss": row % 11} for row in range(40)]
    (site / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (site / "broken.yaml").write_text(
        "version: 1\nsteps:\n  - source: {path: rows.jsonl}\n  - odd: {}\n  - select: {strategy: random}\n"
    )
    return site


BUILD = ("build", "rows.jsonl", "--budget", "5", "--force")


@pytest.fixture(scope="module")
def told(site: Path) -> dict[str, Told]:
    commands = {
        "version": ["--version"],
        "help": ["--help"],
        "build help": ["build", "--help"],
        "quiet": [*BUILD, "--strategy", "random", "-q"],
        "json": [
            *BUILD,
            "--strategy",
            "firsts",
            "--json",
            "--no-loud",
            "--words",
            "a",
            "--words",
            "b",
            "-o",
            "f.arrow",
        ],
        "eager": [*BUILD, "--strategy", "lasts", "--width-of", "2", "-q"],
        "top": ["top", "f.arrow", "3", "-o", "g.arrow"],
        "named strategy": [*BUILD, "--strategy", "gone"],
        "named scorer": [*BUILD, "--scorer", "fine"],
        "named stage": ["build", "--spec", "broken.yaml"],
        "option": [*BUILD, "--end", "low", "-q"],
        "clash": [*BUILD, "--strategy", "greedy"],
        "nested too far": [*BUILD, "--strategy", "firsts", "--power", "10"],
    }
    return dict(zip(commands, run_programs(site, site, list(commands.values())), strict=True))


@pytest.mark.parametrize("command", ["version", "help", "build help", "json", "top"])
def test_every_command_works_beside_broken_packages_and_names_them(told: dict[str, Told], command: str) -> None:
    done = told[command]
    assert done.code == 0, done.err
    for name, (_, _, reason) in BROKEN.items():
        lines = [line for line in done.err.splitlines() if f"package {name.replace('_', '-')} " in line]
        assert len(lines) == 1, done.err
        assert reason in lines[0]
        assert lines[0].startswith("note: ")


def test_a_package_may_ask_for_all_before_it_declares_its_own(told: dict[str, Told]) -> None:
    assert (told["eager"].code, told["eager"].err) == (0, "")


def test_what_is_left_out_is_not_there_and_the_rest_is(told: dict[str, Told]) -> None:
    shown = told["build help"].out
    assert "--words" in shown
    assert "--loud / --no-loud" in shown
    assert "[default: 2; 1<=x<=9]" in " ".join(shown.split())
    for name in ("gone", "louder", "departs", "odd", "fine", "greedy", "not_fine"):
        assert not re.search(rf"\b{name}\b", shown), name


def test_standard_output_holds_results_alone(told: dict[str, Told]) -> None:
    assert told["version"].out.startswith("sage-select ")
    assert "loaded" in told["version"].err
    assert told["quiet"].err == ""
    assert told["quiet"].out == ""
    result = json.loads(told["json"].out)
    assert len([notice for notice in result["notices"] if "left out" in notice]) == len(BROKEN)
    assert "picking" in told["json"].err
    assert result["manifest"]["rows"]["reasons"] == {"a-b-False": 5}
    assert result["manifest"]["packages"] == [
        {"kind": "strategy", "name": "firsts", "package": "a-good", "version": "2.5"}
    ]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("named strategy", "the strategy 'gone' of the package bad-import was left out.*nowhere_to_be_found"),
        ("named scorer", "the scorer 'fine' of the package bad-second was left out.*another nested"),
        ("named stage", "the stage 'odd' of the package bad-trait was left out.*'drops'"),
        ("clash", "the strategy 'greedy' of the package bad-option was left out.*'path' of stage 'sink'"),
    ],
)
def test_what_was_left_out_is_an_error_where_it_is_named(told: dict[str, Told], command: str, message: str) -> None:
    done = told[command]
    assert done.code == 5
    error = done.err[done.err.index("error: ") :]
    assert re.search(message, error, flags=re.DOTALL), error
    assert "pip uninstall bad-" in error


def test_an_unknown_option_may_be_of_what_was_left_out(told: dict[str, Told]) -> None:
    assert told["option"].code == 2
    assert re.search(
        "no option --end.*options of what was left out of bad-class, bad-end", told["option"].err, re.DOTALL
    )


def test_values_out_of_bounds_are_refused(told: dict[str, Told]) -> None:
    assert told["nested too far"].code == 2
    assert "--power: expected at most 9, got 10" in told["nested too far"].err


def test_a_selection_says_which_package_made_it_where_that_is_missing(
    told: dict[str, Told], site: Path, tmp_path: Path
) -> None:
    assert told["top"].code == 0
    commands = [("top", str(site / "f.arrow"), "3", "-o", "g.arrow"), ("why", str(site / "f.arrow"), "0")]
    top, why = run_programs(tmp_path, tmp_path, commands)
    assert top.code == 5
    assert "made with strategy 'firsts' of the package a-good 2.5, which is not installed here" in top.err
    assert "hint: pip install a-good" in top.err
    assert why.code == 0


def test_python_warns_once_of_what_is_left_out(site: Path) -> None:
    import os
    import subprocess
    import sys

    import sage_select

    code = (
        "import warnings, sage_select\n"
        "with warnings.catch_warnings(record=True) as told:\n"
        "    warnings.simplefilter('always')\n"
        "    sage_select.select, sage_select.Pipeline\n"
        "print(len([one for one in told if issubclass(one.category, sage_select.SageWarning)]))\n"
        "try: sage_select.select(scores=[1., 2.], k=1, strategy='gone')\n"
        "except sage_select.ResourceError as error: print('nowhere_to_be_found' in str(error))\n"
        "print('width_of' in sage_select.select.__doc__)\n"
        "print(sage_select.select('rows.jsonl', k=2, strategy='lasts', width_of=2).indices[0])\n"
        "try: sage_select.Pipeline.read('rows.jsonl').odd()\n"
        "except sage_select.ResourceError as error: print('drops' in str(error))\n"
    )
    path = f"{site}{os.pathsep}{Path(sage_select.__file__).parent.parent}"
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], cwd=site, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == [str(len(BROKEN)), "True", "True", "39", "True"], done.stderr


def scorer(name: str, body: str) -> str:
    return (
        f"\n@scorer('{name}')\nclass C_{name}(Scorer):\n    '''Some.'''\n"
        f"    def score(self, data, run):\n        {body}\n"
    )


def encoder(name: str, body: str) -> str:
    return (
        f"\n@encoder('{name}')\nclass C_{name}(Encoder):\n    '''Some.'''\n"
        f"    def encode(self, texts, run):\n        n = len(texts); {body}\n"
    )


def stage(name: str, traits: str, body: str) -> str:
    return (
        f"\n@stage('{name}', place=25, {traits})\nclass C_{name}(Stage):\n    '''Some.'''\n"
        f"    {name}_on: Annotated[bool, Option('do it')] = False\n"
        f"    def run(self, data, run):\n        cause = Cause(run.label(self), 'x'); {body}\n"
    )


def strategy(name: str, body: str) -> str:
    return (
        f"\n@strategy('{name}', needs_always={{'scores', 'vectors'}})\nclass C_{name}(Strategy):\n    '''Some.'''\n"
        f"    def pick(self, request, pool):\n        rows = take_admissible(request, pool, np.arange(pool.n))\n"
        f"        k = len(rows); none = np.full(k, np.nan, np.float32); {body}\n"
    )


def objective(name: str, body: str) -> str:
    return (
        f"\n@objective('{name}')\nclass C_{name}(Objective):\n    '''Some.'''\n"
        f"    def pick(self, request, pool):\n        rows = take_admissible(request, pool, np.arange(pool.n))\n"
        f"        gains = np.zeros(len(rows), np.float32); {body}\n"
    )


#: Name -> body, and what is said of it.
STRATEGIES = {
    "reason": ("return Picks.without_gains(rows, 5)", "reasons that are no pairs of a short text"),
    "silence": ("return Picks.without_gains(rows, '')", "reasons that are no pairs"),
    "essay": ("return Picks.without_gains(rows, 'so ' * 99)", "reasons that are no pairs"),
    "letters": ("return Picks(rows, none, 'score')", "reasons that are no pairs.*: score"),
    "counts": ("return Picks(rows, none, (('x', k + 1), ('y', -1)))", "reasons that are no pairs"),
    "more": ("return Picks(rows, none, (('x', k + 1),))", "reasons of 6 rows, of 5"),
    "gain": ("return Picks(rows, None, (('x', k),))", "gains that are no array of 5 floats"),
    "endless": ("return Picks(rows, np.full(k, np.inf, np.float32), (('x', k),))", "gains that are no array"),
    "proof": ("return Picks.without_gains(rows, 'x', [1])", "evidence that is no mapping, but list"),
    "kind": ("return Picks.without_gains(rows, 'x', {'mean': np.float32(1)})", "told 'mean', which is no plain value"),
    "limit": ("return Picks.without_gains(rows, 'x', {'mean': float('nan')})", "told 'mean', which is no plain value"),
    "areas": ("return Picks(rows, none, (('x', k),), {}, np.zeros(3, np.int32))", "regions that are no array of 40"),
    "reader": (
        "pool.need_matrix().take([-1])",
        "-1 is negative\n  in strategy 'reader' of the package theirs \\(theirs.py",
    ),
    "writer": ("pool.need_difficulty()[:] = 0", "failed.*read-only"),
    "leaver": ("import sys; sys.exit(0)", "failed.*SystemExit: 0 \\(theirs.py, line"),
    "raiser": ("raise BaseException('odd')", "failed.*BaseException: odd"),
    "twister": ("return self.pick(request, pool)", "failed.*RecursionError"),
}
OBJECTIVES = {
    "rows": ("return rows", "did not return its picks.*Greedy\\(rows, gains.*got: ndarray"),
    "facts": ("return Greedy(rows, gains, 0, 'x'), None", "did not return its picks"),
    "halves_of": ("return Greedy(rows / 2, gains, 0, 'x'), {}", "no one-dimensional int64 array, but float64"),
    "again": ("return Greedy(rows * 0, gains, 0, 'x'), {}", "a row twice"),
}
SCORERS = {
    "short": ("return np.zeros(3)", "shape \\(40,\\).*got: ndarray of dtype float64 and shape \\(3,\\)"),
    "imaginary": ("return np.zeros(data.n, complex)", "got: ndarray of dtype complex128"),
    "words": ("return ['a'] * data.n", "got: list of dtype <U1"),
    "columns": ("return np.zeros((data.n, 1))", "shape \\(40, 1\\)"),
    "nothing": ("return", "got: nothing"),
    "ragged": ("return [[1.0], [1.0, 2.0]]", "got: lists of several lengths"),
    "truths": ("return np.ones(data.n, bool)", "dtype bool"),
    "one": ("return 1.0", "shape \\(\\)"),
    "nans": ("return np.full(data.n, np.nan)", "scorer nans, row 0: 40 scores are not finite"),
    "fails": ("raise KeyError('mine')", "failed.*KeyError: 'mine' \\(theirs.py, line \\d+\\).*SAGE_DEBUG"),
    "refuses": ("raise UsageError('no words', hint='give some')", "error: no words\n  hint: give some"),
    "asks": ("return data.feature('vectors').take(np.array([-1]))", "failed.*AttributeError"),
}
ENCODERS = {
    "few": ("return Embeddings(np.ones((3, 4), np.float32), name='x')", "\\(40, d\\).*float32 of shape \\(3, 4\\)"),
    "bare": ("return np.ones((n, 4), np.float32)", "expected: Embeddings\\(array, name=...\\).*got: ndarray"),
    "whole": ("return Embeddings(np.ones((n, 4), int), name='x')", "got: int64"),
    "flat": ("return Embeddings(np.ones(n, np.float32), name='x')", "got: float32 of shape \\(40,\\)"),
    "empty": ("return Embeddings(np.zeros((n, 4), np.float32), name='x')", "encoder 'empty', row 0.*all zeros"),
    "hole": (
        "a = np.ones((n, 4), np.float32); a[5] = np.nan; return Embeddings(a, name='x')",
        "encoder 'hole', row 5: the value is NaN",
    ),
}  # fmt: skip
STAGES = {
    "below": ("effect='drops'", "return data.drop([-1], cause)", "each once: got row -1"),
    "beyond": ("effect='drops'", "return data.drop([data.n], cause)", "got row 40"),
    "twice": ("effect='drops'", "return data.drop([1, 2, 1], cause)", "got row 1 more than once"),
    "mask": ("effect='drops'", "return data.drop(np.ones(3, bool), cause)", "40 truth values: got .* shape \\(3,\\)"),
    "halves": ("effect='drops'", "return data.drop([0.5], cause)", "got float64"),
    "why": ("effect='drops'", "return data.drop([1], 'short')", "takes a Cause\\(.*got 'short'"),
    "silent": ("effect='drops'", "pass", "did not return the rows.*a Dataset.*NoneType"),
    "still": ("effect='reorders', gives={'position'}", "return data", "did not give the rows another order"),
    "heap": (
        "effect='reorders'",
        "return data.with_feature('position', np.zeros(data.n, np.int64))",
        "did not give the rows another order.*0 to 39, each once",
    ),
    "liar": ("effect='keeps'", "return data.drop([1], cause)", "other rows than it declares.*40 rows.*got: 39"),
    "mean": ("gives={'scores'}", "return data", "did not give 'scores'.*with_feature"),
    "arrays": ("gives={'scores'}", "return data.with_feature('scores', np.zeros(data.n))", "expected: Scores"),
    "lists": ("gives={'scores'}", "return data.with_feature('scores', Scores([1] * data.n))", "float32 array.*list"),
    "less": ("gives={'scores'}", "return data.with_feature('scores', Scores(np.zeros(3, np.float32)))", "40 rows.*: 3"),
    "wide": (
        "gives={'scores'}",
        "return data.with_feature('scores', Scores(np.full(data.n, np.inf, np.float32)))",
        "stage 'wide', row 0: 40 scores are not finite",
    ),
}  # fmt: skip


#: Name -> another method of a strategy, and what is said of it.
ANSWERS = {
    "nothing_needed": ("def needs(self): return None", "answers 'needs' with something else.*a set of features.*None"),
    "list_needed": ("def needs(self): return ['scores']", "answers 'needs'.*got: \\['scores'\\]"),
    "other_needed": ("def needs(self): return {'score'}", "strategy 'other_needed' needs score, and no stage gives"),
    "mute": ("def describe(self): return None", "answers 'describe'.*a line of text"),
    "stutters": ("def describe(self): return self.nowhere", "failed.*AttributeError.*\\(theirs.py, line"),
    "priceless": ("def cost(self, size): return 'much'", "failed"),
    "dear": ("def cost(self, size): return 1 / 0", "failed.*ZeroDivisionError.*\\(theirs.py, line"),
}  # fmt: skip


def test_what_answers_otherwise_than_it_has_to_is_named(site: Path, tmp_path: Path) -> None:
    code = "".join(
        strategy(name, "return Picks.without_gains(rows, 'x')") + f"    {method}\n"
        for name, (method, _) in ANSWERS.items()
    )
    lay_package(tmp_path, "theirs", code, {"strategies": {name: f"C_{name}" for name in ANSWERS}})
    build = ["build", str(site / "rows.jsonl"), "--budget", "5", "-o", "never.arrow", "--dry-run"]
    done = run_programs(tmp_path, tmp_path, [[*build, "--strategy", name] for name in [*ANSWERS, "diversity"]])
    for (name, (_, message)), told in zip(ANSWERS.items(), done[:-1], strict=True):
        assert told.code in (2, 5), f"{name}: {told.err}"
        assert re.search(message, told.err, flags=re.DOTALL), f"{name}: {told.err}"
        assert name in told.err
        assert "bug of ours" not in told.err
    assert done[-1].code == 0, done[-1].err


def test_what_breaks_its_word_is_named_with_what_was_expected(site: Path, tmp_path: Path) -> None:
    code = "".join(strategy(name, body) for name, (body, _) in STRATEGIES.items())
    code += "".join(objective(name, body) for name, (body, _) in OBJECTIVES.items())
    code += "".join(scorer(name, body) for name, (body, _) in SCORERS.items())
    code += "".join(encoder(name, body) for name, (body, _) in ENCODERS.items())
    code += "".join(stage(name, traits, body) for name, (traits, body, _) in STAGES.items())
    groups = {
        "strategies": STRATEGIES,
        "strategies.objectives": OBJECTIVES,
        "scorers": SCORERS,
        "encoders": ENCODERS,
        "stages": STAGES,
    }
    lay_package(tmp_path, "theirs", code, {group: {name: f"C_{name}" for name in of} for group, of in groups.items()})
    build = ["build", str(site / "rows.jsonl"), "--budget", "5", "-o", "never.arrow"]
    commands = [
        *([*build, "--strategy", name] for name in STRATEGIES),
        *([*build, "--strategy", "diversity", "--objective", name] for name in OBJECTIVES),
        *([*build, "--strategy", "loss_topk", "--scorer", name] for name in SCORERS),
        *([*build, "--strategy", "diversity", "--encoder", name] for name in ENCODERS),
        *([*build, "--strategy", "loss_topk", f"--{name}-on"] for name in STAGES),
    ]
    messages = [(name, fault[-1]) for of in groups.values() for name, fault in of.items()]
    for (name, message), done in zip(messages, run_programs(tmp_path, tmp_path, commands), strict=True):
        assert done.code in (2, 3, 5), f"{name}: {done.err}"
        assert re.search(message, done.err, flags=re.DOTALL), f"{name}: {done.err}"
        assert "Traceback" not in done.err
        assert done.code != 5 or f"'{name}' of the package theirs" in done.err, done.err
    assert not list(tmp_path.glob("never*"))
