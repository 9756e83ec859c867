"""Packages of others: one that cannot be used is left out, is told of, and stops nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.packages import Told, lay_package, run_programs, write_rows

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
    write_rows(site / "rows.jsonl")
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


#: A stage that has its own order, and a rule of training order with an option.
ORDERED = """
@stage("by_loss", place=60, effect="reorders")
class ByLoss(Stage):
    '''By loss.'''
    by_loss: Annotated[bool, Option("do it")] = False
    def run(self, data, run):
        losses = data.rows.table["loss"].to_numpy()
        return data.with_feature("position", np.argsort(np.argsort(losses, kind="stable")))

@scorer("rank_of_row")
class RankOfRow(Scorer):
    '''The place of a row among all that are in.'''
    def score(self, data, run):
        return np.arange(data.n) % 7

@order("turned", needs_always={"scores"})
class Turned(OrderRule):
    '''The shuffle turned round.'''
    turned_times: Annotated[int, Option("how often", ge=1)] = 1
    def arrange(self, shuffle, data, run):
        return Arrangement(shuffle[::-1] if self.turned_times % 2 else shuffle)
"""


def test_orders_of_packages(tmp_path: Path) -> None:

    site = tmp_path / "site"
    lay_package(
        site,
        "theirs",
        ORDERED,
        {"stages": {"by_loss": "ByLoss"}, "orders": {"turned": "Turned"}, "scorers": {"rank_of_row": "RankOfRow"}},
    )
    write_rows(tmp_path / "rows.jsonl")
    build = ["build", "rows.jsonl", "--strategy", "random", "--budget", "20"]
    scored = [*build, "--score-column", "loss"]
    plain, staged, both, turned, twice, top, ranked, top_ranked, help_text = run_programs(
        site,
        tmp_path,
        [
            [*build, "-o", "plain.arrow"],
            [*build, "--by-loss", "-o", "staged.arrow"],
            [*build, "--by-loss", "--order", "length", "-o", "never.arrow"],
            [*scored, "--order", "turned", "-o", "turned.arrow"],
            [*scored, "--order", "turned", "--turned-times", "2", "-o", "twice.arrow"],
            ["top", "turned.arrow", "5", "-o", "never.arrow"],
            [*build, "--scorer", "rank_of_row", "--order", "easy_to_hard", "-o", "ranked.arrow"],
            ["top", "ranked.arrow", "5", "-o", "never.arrow"],
            ["build", "--help"],
        ],
    )
    assert [done.code for done in (plain, staged, turned, twice)] == [0] * 4, (staged.err, turned.err)
    tables = {
        name: pa.ipc.open_file(tmp_path / f"{name}.arrow").read_all() for name in ("plain", "staged", "turned", "twice")
    }
    losses = tables["staged"]["loss"].to_pylist()
    assert losses == sorted(losses) != tables["plain"]["loss"].to_pylist()
    assert (both.code, top.code) == (2, 2)
    assert "order comes after by_loss and orders the rows anew, so that by_loss does nothing" in both.err
    assert "order 'turned' goes by all rows together" in top.err
    assert (ranked.code, top_ranked.code) == (0, 2), ranked.err
    assert "not in its order: scorer 'rank_of_row' looks at these rows together" in top_ranked.err
    ids = {name: table["sage_row_id"].to_pylist() for name, table in tables.items()}
    assert ids["twice"] == ids["plain"] == ids["turned"][::-1]
    assert "--turned-times" in help_text.out
    assert "Order turned:" in help_text.out
    manifest = json.loads((tmp_path / "turned.arrow.manifest.json").read_text())
    assert [(one["kind"], one["name"]) for one in manifest["packages"]] == [("order", "turned")]
