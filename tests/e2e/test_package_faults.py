"""Packages of others: what a class does wrong when it runs is told as its fault, with what was expected."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.packages import lay_package, run_programs, write_rows


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


def order(name: str, body: str) -> str:
    return (
        f"\n@order('{name}')\nclass C_{name}(OrderRule):\n    '''Some.'''\n"
        f"    def arrange(self, shuffle, data, run):\n        {body}\n"
    )


def augmenter(name: str, body: str) -> str:
    return (
        f"\n@augmenter('{name}')\nclass C_{name}(Augmenter):\n    '''Some.'''\n"
        f"    def rewrite(self, drafts, run):\n        {body}\n"
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


ORDERS = {
    "lost": ("pass", "did not return an order of the rows.*Arrangement\\(rows\\).*NoneType"),
    "doubled": ("return Arrangement(np.zeros(data.n, np.int64))", "0 to below 5, each once"),
    "backwards": ("return Arrangement(shuffle, -np.arange(data.n))", "phases of its order.*never falling"),
    "rude": ("shuffle[0] = 1", "failed.*read-only.*theirs.py, line"),
    "needy": ("raise ValueError('why me')", "failed.*why me"),
}

AUGMENTERS = {
    "speechless": ("pass", "did not return texts.*a list of 5, one for each draft.*NoneType"),
    "brief": ("return [one.texts for one in drafts][:2]", "did not return texts.*a list of 5.*got: 2 of them"),
    "digits": ("return [[1] * len(one.texts) for one in drafts]", "a list of 1 texts for each draft.*\\[1\\]"),
    "odd_facts": ("run.tell(x={1}); return [one.texts for one in drafts]", "told 'x', which is no plain value"),
    "angry": ("raise ValueError('why me')", "failed.*why me"),
}


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


def test_what_answers_otherwise_than_it_has_to_is_named(tmp_path: Path) -> None:
    code = "".join(
        strategy(name, "return Picks.without_gains(rows, 'x')") + f"    {method}\n"
        for name, (method, _) in ANSWERS.items()
    )
    lay_package(tmp_path, "theirs", code, {"strategies": {name: f"C_{name}" for name in ANSWERS}})
    write_rows(tmp_path / "rows.jsonl")
    build = ["build", "rows.jsonl", "--budget", "5", "-o", "never.arrow", "--dry-run"]
    done = run_programs(tmp_path, tmp_path, [[*build, "--strategy", name] for name in [*ANSWERS, "diversity"]])
    for (name, (_, message)), told in zip(ANSWERS.items(), done[:-1], strict=True):
        assert told.code in (2, 5), f"{name}: {told.err}"
        assert re.search(message, told.err, flags=re.DOTALL), f"{name}: {told.err}"
        assert name in told.err
        assert "bug of ours" not in told.err
    assert done[-1].code == 0, done[-1].err


def test_what_breaks_its_word_is_named_with_what_was_expected(tmp_path: Path) -> None:
    code = "".join(strategy(name, body) for name, (body, _) in STRATEGIES.items())
    code += "".join(objective(name, body) for name, (body, _) in OBJECTIVES.items())
    code += "".join(scorer(name, body) for name, (body, _) in SCORERS.items())
    code += "".join(encoder(name, body) for name, (body, _) in ENCODERS.items())
    code += "".join(order(name, body) for name, (body, _) in ORDERS.items())
    code += "".join(augmenter(name, body) for name, (body, _) in AUGMENTERS.items())
    code += "".join(stage(name, traits, body) for name, (traits, body, _) in STAGES.items())
    groups = {
        "strategies": STRATEGIES,
        "strategies.objectives": OBJECTIVES,
        "scorers": SCORERS,
        "encoders": ENCODERS,
        "orders": ORDERS,
        "augmenters": AUGMENTERS,
        "stages": STAGES,
    }
    lay_package(tmp_path, "theirs", code, {group: {name: f"C_{name}" for name in of} for group, of in groups.items()})
    write_rows(tmp_path / "rows.jsonl")
    build = ["build", "rows.jsonl", "--budget", "5", "-o", "never.arrow"]
    commands = [
        *([*build, "--strategy", name] for name in STRATEGIES),
        *([*build, "--strategy", "diversity", "--objective", name] for name in OBJECTIVES),
        *([*build, "--strategy", "loss_topk", "--scorer", name] for name in SCORERS),
        *([*build, "--strategy", "diversity", "--encoder", name] for name in ENCODERS),
        *([*build, "--strategy", "random", "--order", name] for name in ORDERS),
        *([*build, "--strategy", "random", "--augment", name, "--augment-part", "all"] for name in AUGMENTERS),
        *([*build, "--strategy", "loss_topk", f"--{name}-on"] for name in STAGES),
    ]
    messages = [(name, fault[-1]) for of in groups.values() for name, fault in of.items()]
    for (name, message), done in zip(messages, run_programs(tmp_path, tmp_path, commands), strict=True):
        assert done.code in (2, 3, 5), f"{name}: {done.err}"
        assert re.search(message, done.err, flags=re.DOTALL), f"{name}: {done.err}"
        assert "Traceback" not in done.err
        assert done.code != 5 or f"'{name}' of the package theirs" in done.err, done.err
    assert not list(tmp_path.glob("never*"))
