"""Members of other packages are refused where they are declared, with what was expected; nothing is registered then."""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import typer

from sage_select.api.call import select
from sage_select.api.pipeline import Pipeline
from sage_select.cli.build_options import RUNNING
from sage_select.cli.build_table import derived
from sage_select.cli.select import program
from sage_select.declare.registry import Registry
from sage_select.errors import UsageError
from sage_select.pipeline import STAGES
from sage_select.pipeline.clashes import PARAMETERS, PROGRAM_OPTIONS, clashes, keyword_of
from sage_select.pipeline.stage import _METHODS, FEATURES
from sage_select.stages import Select
from sage_select.strategies import STRATEGIES
from sage_select.strategies.objectives import OBJECTIVES

HEAD = """
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from sage_select.encoders import Encoder, encoder
from sage_select.pipeline import Choice, Option, Stage, stage
from sage_select.scorers import Scorer, scorer
from sage_select.strategies import STRATEGIES, Metric, Strategy, strategy
from sage_select.strategies.objectives import OBJECTIVES, Objective, objective
from sage_select.values.location import FilePath
"""

BODIES = {
    "strategy": ("Strategy", "def pick(self, request, pool): ..."),
    "objective": ("Objective", "def pick(self, request, pool): ..."),
    "scorer": ("Scorer", "def score(self, data, run): ..."),
    "encoder": ("Encoder", "def encode(self, texts, run): ..."),
    "stage": ("Stage", "def run(self, data, run): return data"),
}


def declare(code: str) -> dict[str, Any]:
    """Run a module of another package."""
    module = sys.modules["other"] = ModuleType("other")
    with warnings.catch_warnings():
        # The library that checks settings tells of names that are taken as well.
        warnings.filterwarnings("ignore", "Field name .* shadows an attribute")
        exec(compile(HEAD + code, "other.py", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def source(kind: str, traits: str = "", body: str = "", *, method: str | None = None, name: str = "mine") -> str:
    base, own = BODIES[kind]
    lines = textwrap.indent("\n".join([body, own if method is None else method]), "    ")
    decorator = f"@{kind}({', '.join([repr(name), *([traits] if traits else [])])})"
    return f'{decorator}\nclass Mine({base}):\n    """Mine."""\n{lines}\n'


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Take out what a test declared."""
    len(STAGES)
    before = {registry.kind: dict(registry._members) for registry in Registry.every}
    yield
    sys.modules.pop("other", None)
    for registry in Registry.every:
        registry._members = before[registry.kind]


#: (kind, traits, body) -> what is said of it.
TRAITS = [
    ("stage", "effect='drop'", "another effect than there is", "'keeps', 'drops', 'adds' or 'reorders'.*mean 'drops'"),
    ("stage", "scope='rows'", "another scope", "'row', 'partition' or 'global'"),
    ("stage", "scope=None", "another scope", "got: None"),
    ("stage", "place='late'", "another place", "expected: a whole number"),
    ("stage", "place=True", "another place", "expected: a whole number"),
    ("stage", "place=5", "stands where no stage", "between 10 \\(source\\) and 90 \\(sink\\)"),
    ("stage", "place=90", "stands where no stage", "between 10"),
    ("stage", "gives='scores'", "another gives", "expected: a set of names"),
    ("stage", "gives={1}", "another gives", "expected: a set of names"),
    ("stage", "gives={'score'}", "nearly a feature", "did you mean 'scores'"),
    ("stage", "gives={'embedding', 'vector'}", "nearly a feature", "did you mean 'vectors'"),
    ("stage", "effect='adds'", "brings rows", "alone may"),
    ("stage", "by_default=True", "there by default", "it runs where it is named"),
    ("stage", "ends=True", "ends the chain", "alone may"),
    ("stage", "needs={'scores'}", "cannot be told 'needs'", "by_default or chooses"),
    ("stage", "version='2'", "another version", "expected: a whole number.*got: '2'"),
    ("stage", "version=1.5", "another version", "expected: a whole number"),
    ("strategy", "nested='yes'", "another nested", "expected: True or False.*got: 'yes'"),
    ("strategy", "nested=1", "another nested", "expected: True or False"),
    ("strategy", "needs_always={'score'}", "another needs_always", "a set of 'scores', 'vectors' or 'predictions'"),
    ("strategy", "needs_always='scores'", "another needs_always", "a set of"),
    ("strategy", "needs_allways={'scores'}", "cannot be told", "did you mean 'needs_always'"),
    ("strategy", "another_order=None", "another another_order", "expected: text"),
    ("strategy", "evidence_of_picks='cells'", "another evidence_of_picks", "expected: a set of names"),
    ("objective", "metrics=('cosin',)", "another metrics", "'cosine', 'dot' or 'sqeuclidean'"),
    ("objective", "metrics='cosine'", "another metrics", "a tuple of"),
    ("objective", "metrics=()", "has no metrics", "one or more"),
    ("scorer", "given='no'", "another given", "True or False"),
    ("scorer", "implied_by='power'", "which is no option of it", "an option that it has"),
    ("encoder", "made_of_words=0", "another made_of_words", "True or False"),
]


@pytest.mark.parametrize(("kind", "traits", "what", "expected"), TRAITS)
def test_a_trait_that_is_none_is_refused(kind: str, traits: str, what: str, expected: str) -> None:
    with pytest.raises(UsageError, match=rf"(?s){kind} 'mine'.*{re.escape(what)}.*{expected}"):
        declare(source(kind, traits))


def test_what_the_body_of_a_class_says_is_checked_as_well() -> None:
    with pytest.raises(UsageError, match=r"(?s)another effect.*'keeps'"):
        declare(source("stage", body="effect = 'drop'"))
    with pytest.raises(UsageError, match=r"(?s)another version.*a whole number"):
        declare(source("scorer", body="version: ClassVar[str] = 'two'"))


def test_sets_and_tuples_may_be_written_as_any_of_them() -> None:
    declare(source("strategy", "needs_always=['scores', 'vectors']", name="listed"))
    declare(source("stage", "gives={'language'}", name="giving"))
    declare(source("objective", "metrics=['dot']", name="dotted"))
    assert STRATEGIES["listed"].needs_always == {"scores", "vectors"}
    assert STAGES["giving"].gives == frozenset({"language"})
    assert OBJECTIVES["dotted"].metrics == ("dot",)


#: kind, body (or method), name -> what is said of it.
CLASSES = [
    (source("strategy", name="My-Rule"), "'My-Rule' is no name for a strategy.*lower-case letters"),
    (source("strategy", method=""), "no method 'pick'.*def pick\\(self, request, pool\\)"),
    (source("scorer", method=""), "no method 'score'.*def score\\(self, data, run\\)"),
    (source("encoder", method=""), "no method 'encode'"),
    (source("encoder", "given=True"), "no method 'vectors'"),
    (source("stage", method=""), "no method 'run'"),
    (source("strategy", method="def pick(self, request): ..."), "another 'pick' than is called.*request, pool"),
    (source("strategy", method="@staticmethod\ndef pick(request, pool): ..."), "another 'pick' than is called"),
    (source("scorer", body="def describe(self, data): ..."), "another 'describe'.*def describe\\(self\\)"),
    (source("stage", body="def given(self): return True"), "'given' as a method.*@property"),
    (source("strategy").replace('"""Mine."""', ""), "no docstring.*first line"),
    (source("strategy").replace('"""Mine."""', '""" """'), "no docstring"),
    (source("strategy").replace("(Strategy)", ""), "is no Strategy.*class Mine\\(Strategy\\)"),
    (source("scorer").replace("(Scorer)", "(Stage)"), "is no Scorer"),
    (source("stage", name="run"), "the name of a method of Pipeline"),
    (
        source("strategy", name="hybrid"),
        "there is a strategy 'hybrid' already.*strategies.hybrid.Hybrid and other.Mine",
    ),
    (source("strategy", body="end: str = 'high'"), "'end' without an Option.*end: Annotated\\[TYPE, Option"),
    (source("strategy", body="end: Annotated[str, Option('')] = 'high'"), "'end' without help"),
    (source("strategy", body="end: Annotated[str, Option(3)] = 'high'"), "'end' without help"),
    (source("strategy", body="pick: Annotated[str, Option('x')] = ''", method=""), "a name that every strategy has"),
    (source("scorer", body="version: Annotated[int, Option('x')] = 1"), "a name that every scorer has"),
    (source("strategy", body="top: Annotated[int, Option('x', when={'mod': 'a'})] = 1"), "'mod', which is no option"),
    (
        source(
            "strategy",
            body="mode: Annotated[Literal['a', 'b'], Option('x')] = 'a'\n"
            "top: Annotated[int, Option('x', when={'mode': 'c'})] = 1",
        ),
        "another mode than there is.*expected: a or b.*got: 'c'",
    ),
    (source("strategy", body="few: Annotated[int, Option('x', ge=1)] = 0"), "default it refuses itself.*at least 1"),
    (source("strategy", body="few: Annotated[int, Option('x')] = 'many'"), "default it refuses itself.*whole number"),
    (source("strategy", body="few: Annotated[float, Option('x')] = float('nan')"), "refuses itself.*finite number"),
    (source("stage", body="few: Annotated[dict[str, int], Option('x')] = {}"), 'cannot be typed.*flag=""'),
    (source("stage", body="few: Annotated[dict[str, int] | None, Option('x')] = None"), "cannot be typed"),
    (source("strategy", body="few: Annotated[int, Option('x', flag='few')] = 1"), "another flag.*--name"),
    (source("strategy", body="few: Annotated[int, Option('x', flag='--a/--b')] = 1"), "two spellings"),
    (source("strategy", body="few: Annotated[int, Option('x', short='few')] = 1"), "another short flag.*one letter"),
    (source("strategy", body="few: Annotated[bool, Option('x', flag='--few')] = True"), "--name/--no-name"),
    (source("strategy", body="few: Annotated['Elsewhere', Option('x')] = 1"), "not known when it runs"),
]


@pytest.mark.parametrize(("code", "message"), CLASSES, ids=[message for _, message in CLASSES])
def test_a_class_that_cannot_work_is_refused(code: str, message: str) -> None:
    before = {registry.kind: list(registry) for registry in Registry.every}
    with pytest.raises(UsageError, match=f"(?s){message}"):
        declare(code)
    assert {registry.kind: list(registry) for registry in Registry.every} == before


#: kind, options -> how they clash.
CLASHES = [
    ("strategy", "budget: Annotated[int, Option('x')] = 1", "'budget'.* is one of stage 'select' as well"),
    ("objective", "metric: Metric = 'cosine'", "'metric'.* is one of strategy 'auto' as well"),
    ("strategy", "threshold: Annotated[int, Option('x')] = 1", "is int, and that of strategy 'threshold' float"),
    ("strategy", "score_share: Annotated[float, Option('x')] = 1", "with help 'x', and that of strategy 'auto' with"),
    ("strategy", "metric: Annotated[Literal['l1'], Option('x')] = 'l1'", "is one of l1, and that of .* cosine, dot"),
    ("strategy", "start: Annotated[FilePath, Option('x')] = None", "objective 'kcenter' int"),
    ("strategy", "kk: Annotated[int, Option('x', short='-k')] = 1", "typed -k, and so is 'budget' of stage 'select'"),
    ("scorer", "embeddings: Annotated[str, Option('x')] = ''", "typed --embeddings, and so is 'file' of encoder"),
    (
        "scorer",
        "budget: Annotated[str, Option('x', flag='--of')] = ''",
        "keyword of select\\(\\), and so is that of stage",
    ),
    ("scorer", "lengths: Annotated[str, Option('x', flag='--of')] = ''", "keyword of select\\(\\) that stands for"),
    ("stage", "force: Annotated[bool, Option('x')] = False", "typed --force, which stands for something else"),
    ("stage", "output: Annotated[str, Option('x')] = ''", "typed --output, and so is 'path' of stage 'sink'"),
    ("stage", "seed: Annotated[int, Option('x')] = 1", "typed --seed"),
    ("stage", "way: Annotated[bool, Option('x', flag='--way/--no-verify')] = True", "typed --no-verify"),
    ("stage", "clamp: Annotated[bool, Option('x')] = True", "typed --clamp, and so is 'clamp' of stage 'select'"),
    ("stage", "q: Annotated[int, Option('x', short='-q')] = 1", "typed -q, which stands for something else"),
]


@pytest.mark.parametrize(("kind", "body", "message"), CLASHES)
def test_options_that_clash_are_refused_with_both_that_declare_them(kind: str, body: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){kind} 'mine' cannot stand beside the others.*{message}"):
        declare(source(kind, body=body))
    assert not any("mine" in registry for registry in Registry.every)


MMR_LAMBDA = (
    "mmr_lambda: Annotated[float, Option('what difficulty counts for: 1 the hardest rows alone, 0 the least alike "
    "alone', ge=0, le=1)] = 0.9"
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("strategy", "metric: Metric = 'dot'"),
        ("strategy", "objective: Annotated[Objective, Choice(OBJECTIVES, 'kcenter', 'what it maximises')]"),
        ("stage", "force: Annotated[bool, Option('x', flag='--hard')] = False"),
        ("stage", "threshold: Annotated[int, Option('x', flag='')] = 3"),
        ("stage", "words: Annotated[list[str], Option('x')] = []"),
        ("stage", "words: Annotated[dict[str, int], Option('x', flag='')] = {}"),
        ("objective", MMR_LAMBDA),
    ],
)  # fmt: skip
def test_options_declared_alike_or_spelt_otherwise_stand(kind: str, body: str) -> None:
    declare(source(kind, body=body))
    assert not clashes(STAGES)


def test_annotations_may_be_text() -> None:
    body = "few: Annotated[int, Option('how few', ge=1)] = 1\nversion: ClassVar[int] = 3"
    code = "from __future__ import annotations\n" + HEAD + source("strategy", body=body)
    module = sys.modules["other"] = ModuleType("other")
    exec(compile(code, "other.py", "exec", dont_inherit=True), module.__dict__)
    assert STRATEGIES["mine"].version == 3
    assert "few" in STRATEGIES["mine"].model_fields


def test_of_two_that_clash_the_one_declared_last_is_refused() -> None:
    made = declare(source("strategy", body="few: Annotated[int, Option('how few')] = 1", name="mine"))
    with pytest.raises(
        UsageError, match="its option 'few' is float, and that of strategy 'mine' of the package other int"
    ):
        declare(source("strategy", body="few: Annotated[float, Option('how few')] = 1", name="and_mine"))
    assert STRATEGIES["mine"] is made["Mine"]


def test_of_two_packages_the_one_of_the_later_name_is_blamed() -> None:
    declare(source("strategy", body="few: Annotated[int, Option('how few')] = 1", name="mine"))
    declare(source("objective", body="much: Annotated[float, Option('how much')] = 1", name="mine"))
    OBJECTIVES["mine"].model_fields["few"] = OBJECTIVES["mine"].model_fields["much"]
    try:
        assert clashes(STAGES) == {
            STRATEGIES[
                "mine"
            ]: "its option 'few' is int, and that of objective 'mine' of the package other float: give "
            "it another name, or declare both alike (type, help, flag)"
        }
    finally:
        del OBJECTIVES["mine"].model_fields["few"]


def test_what_this_package_declares_clashes_nowhere() -> None:
    assert not clashes(STAGES)


def test_the_names_that_stand_for_something_else_are_those_there_are() -> None:
    command = typer.main.get_command(program()).commands["build"]  # type: ignore[attr-defined]
    own = {*RUNNING, "help"}
    typed = {name for one in command.params if one.name in own for name in (*one.opts, *one.secondary_opts)}
    typed |= set(command.get_help_option_names(typer.Context(command)))
    assert typed | {"-h", "--help"} == PROGRAM_OPTIONS
    parameters = inspect.signature(inspect.unwrap(select)).parameters
    keywords = {keyword_of(kind, name, info) for kind in STAGES.values() for name, info in kind.options().items()}
    assert set(parameters) - keywords == set(PARAMETERS)
    assert {name for name in vars(Pipeline) if not name.startswith(("_", "model_"))} == set(_METHODS)
    assert set(FEATURES) >= {feature for stage in STAGES.values() for feature in stage.gives}


def test_help_is_one_phrase_however_it_is_written() -> None:
    body = "few: Annotated[int, Option('  how few\\n   of them. ', ge=1, le=9)] = 1"
    declare(source("strategy", body=body))
    flag = next(flag for flag in derived().flags if flag.setting == "few")
    assert flag.help == "How few of them. [default: 1; 1<=x<=9]"


def test_the_command_line_tells_words_lists_and_both_spellings() -> None:
    body = (
        "words: Annotated[list[str], Option('x')] = []\n"
        "loud: Annotated[bool, Option('x')] = True\n"
        "step: Annotated[Literal[1, 2], Option('x')] = 1\n"
        "end: Annotated[Literal['low', 'high'] | None, Option('x')] = None\n"
    )
    declare(source("strategy", body=body))
    flags = {flag.setting: flag for flag in derived().flags if flag.setting in ("words", "loud", "step", "end")}
    assert {name: (flag.spelling, flag.kind, flag.metavar) for name, flag in flags.items()} == {
        "words": ("--words", "texts", None),
        "loud": ("--loud/--no-loud", "bool", None),
        "step": ("--step", "int", "[1|2]"),
        "end": ("--end", "text", "[low|high]"),
    }


def test_defaults_that_differ_are_told_with_whose_they_are() -> None:
    declare(source("objective", body="k_nn: Annotated[int, Option('x')] = 1", name="odd").replace("k_nn", "few"))
    declare(source("objective", body="few: Annotated[int, Option('x')] = 5", name="even"))
    flag = next(flag for flag in derived().flags if flag.setting == "few")
    assert flag.help == "X. [default: 5 in even, 1 in odd]"
    assert flag.group == "Objectives even and odd"


@pytest.mark.parametrize("registry", Registry.every[:], ids=lambda one: one.kind)
def test_an_unknown_member_may_be_that_of_a_package(registry: Registry[Any]) -> None:
    with pytest.raises(UsageError, match=r"unknown .* 'zzz', known are .*; is the package that declares it installed"):
        registry.need("zzz")


def test_a_field_of_the_stage_is_as_it_was() -> None:
    assert Select(strategy="random").settings() == {"strategy": "random", "budget": "10%", "clamp": False}
