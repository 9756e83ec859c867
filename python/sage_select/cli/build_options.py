"""The options of `sage-select build`, each with its help and the group under which it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

#: The groups of `build --help`: stages, and the strategies whose options they are.
_ROWS: Final = "Rows"
_COPIES: Final = "Copies"
_SCORES: Final = "Scores"
_VECTORS: Final = "Vectors"
_SELECTION: Final = "Selection"
_LIMITS: Final = "Limits"
_DIVERSITY: Final = "Strategies diversity and hybrid"
_BY_SCORE: Final = "Strategies hybrid and loss_topk"
_TARGET: Final = "Strategy target"
_THRESHOLD: Final = "Strategy threshold"
_OUTPUT: Final = "Output"
_RUN: Final = "Running"

Input = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="JSONL, CSV, Parquet or Arrow file, folder, glob, URL, or - (standard input); several are one pool.",
        show_default=False,
    ),
]
TextColumn = Annotated[str | None, typer.Option(help="The column to train on as plain text.", rich_help_panel=_ROWS)]
PromptColumn = Annotated[str | None, typer.Option(help="The column with the prompt.", rich_help_panel=_ROWS)]
CompletionColumn = Annotated[str | None, typer.Option(help="The column with the completion.", rich_help_panel=_ROWS)]
Template = Annotated[
    str | None, typer.Option(help='Plain text from columns, such as "{title}\\n{body}".', rich_help_panel=_ROWS)
]
IdColumn = Annotated[
    str | None,
    typer.Option(help="The column that names the rows; without it their content does.", rich_help_panel=_ROWS),
]
Spec = Annotated[
    Path | None,
    typer.Option(
        help="A pipeline in YAML or TOML; options given here win over it, and none switches its quota, pin, "
        "exclude or tokenizer off.",
        rich_help_panel=_ROWS,
    ),
]
OnBadRow = Annotated[
    str | None,
    typer.Option(
        help="Rows that cannot be used: error (tells of all) or drop. [default: error]", rich_help_panel=_ROWS
    ),
]
MaxBad = Annotated[
    str | None,
    typer.Option(help="How many of them may be dropped: 20, or 1%. [default: 1%, or one row]", rich_help_panel=_ROWS),
]
Encoding = Annotated[
    str | None, typer.Option(help="Of text files, such as cp1252. [default: utf-8]", rich_help_panel=_ROWS)
]
Delimiter = Annotated[str | None, typer.Option(help="Of CSV. [default: what the header has]", rich_help_panel=_ROWS)]
Dedup = Annotated[
    str | None,
    typer.Option(
        help="Leave out copies of earlier rows: exact (they say the same, but for white space), near (these, and "
        "rows whose vectors are almost the same) or none. Budgets are of the rows that stay. [default: exact]",
        rich_help_panel=_COPIES,
    ),
]
DedupThreshold = Annotated[
    float | None,
    typer.Option(
        help="near: the cosine similarity from which on a row repeats another; at 0.95 the same said in other "
        "words, at 0.8 much the same thing. [default: 0.95]",
        rich_help_panel=_COPIES,
    ),
]
Scores = Annotated[str | None, typer.Option(help="A .npy file with one number a row.", rich_help_panel=_SCORES)]
ScoreColumn = Annotated[
    str | None, typer.Option(help="A column of the input that holds the score.", rich_help_panel=_SCORES)
]
ScoreModel = Annotated[
    str | None,
    typer.Option(
        help="A causal language model (path or repository): score by mean token loss.", rich_help_panel=_SCORES
    ),
]
HigherIsHarder = Annotated[
    bool | None,
    typer.Option(
        "--higher-is-harder/--lower-is-harder",
        help="Which end of the score is hard. [default: higher]",
        rich_help_panel=_SCORES,
    ),
]
Embeddings = Annotated[
    str | None, typer.Option(help="A .npy file with one vector a row (float16, 32 or 64).", rich_help_panel=_VECTORS)
]
EmbeddingColumn = Annotated[
    str | None, typer.Option(help="A list column of the input that holds the vector.", rich_help_panel=_VECTORS)
]
EmbedModel = Annotated[
    str | None,
    typer.Option(
        help="A sentence-transformers model (path or repository); needs the embed extra.", rich_help_panel=_VECTORS
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        help="How vectors are compared: cosine, dot or sqeuclidean. [default: cosine]", rich_help_panel=_VECTORS
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        help="hybrid (by score and by diversity), diversity (rows that represent all), target (rows nearest to "
        "queries), threshold (the hardest rows, none too near to another), loss_topk (by score alone) or random. "
        "[default: auto, which is hybrid with scores and diversity without]",
        rich_help_panel=_SELECTION,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        "-k",
        help='How much to select: rows (300), a share (10%) or tokens ("200k tokens"). [default: 10%]',
        rich_help_panel=_SELECTION,
    ),
]
Clamp = Annotated[
    bool | None,
    typer.Option(
        "--clamp/--no-clamp",
        help="Take what there is where the budget or a quota asks for more.",
        rich_help_panel=_SELECTION,
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Same input, settings and seed give the same bytes. [default: 0]", rich_help_panel=_SELECTION),
]
Quota = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN[=MIN:MAX]",
        help="At least and at most so many rows of each value of a column; without numbers as even as can be.",
        rich_help_panel=_LIMITS,
    ),
]
Balance = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="The same as --quota COLUMN: as even as can be.", rich_help_panel=_LIMITS),
]
Pin = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Rows to select in any case: a file with one id a line.", rich_help_panel=_LIMITS
    ),
]
Exclude = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Rows never to select: a file with one id a line.", rich_help_panel=_LIMITS),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        help="Whose tokens are counted, a model (path or repository). [default: words are counted]",
        rich_help_panel=_LIMITS,
    ),
]
Objective = Annotated[
    str | None,
    typer.Option(
        help="What diversity maximises: facility (rows that represent all others), graph_cut (rows like many and "
        "unlike each other), kcenter (rows far apart), mmr (hard rows unlike those before), dpp (rows that span "
        "much), herding (rows whose mean is that of all), d2 (rows drawn by their distance from those before) or "
        "kmeans (the row in the middle of each of k cells). [default: facility]",
        rich_help_panel=_DIVERSITY,
    ),
]
OutlierGuard = Annotated[
    float | None,
    typer.Option(
        help="kcenter: the share of rows to leave out, the farthest from their region's middle. [default: 0.05]",
        rich_help_panel=_DIVERSITY,
    ),
]
Start = Annotated[
    int | None,
    typer.Option(
        help="kcenter: the row to begin with, counted from 0. [default: the lowest that is no outlier]",
        rich_help_panel=_DIVERSITY,
    ),
]
CutLambda = Annotated[
    float | None,
    typer.Option(
        help="graph_cut: the larger, the more picks crowd where rows are dense. [default: 0.05]",
        rich_help_panel=_DIVERSITY,
    ),
]
KNn = Annotated[
    int | None,
    typer.Option(
        help="facility, graph_cut: neighbours of a row, where there are over 20,000. [default: 64]",
        rich_help_panel=_DIVERSITY,
    ),
]
Neighbors = Annotated[
    str | None,
    typer.Option(help="Who finds them: cells (our own search) or faiss. [default: cells]", rich_help_panel=_DIVERSITY),
]
MmrLambda = Annotated[
    float | None,
    typer.Option(
        help="mmr: 1 the hardest rows alone, 0 the least alike alone. [default: 0.5]", rich_help_panel=_DIVERSITY
    ),
]
DppEps = Annotated[
    float | None,
    typer.Option(
        help="dpp: the larger, the sooner rows like those before come again. [default: 0.1]", rich_help_panel=_DIVERSITY
    ),
]
ScoreShare = Annotated[
    float | None,
    typer.Option(help="Share of a hybrid selection that is picked by score. [default: 0.6]", rich_help_panel=_BY_SCORE),
]
ScoreMode = Annotated[
    str | None,
    typer.Option(
        help="How hybrid and loss_topk take rows by score: stratified (from every region of the data), top (the "
        "hardest) or band (the hardest between two quantiles). [default: stratified in hybrid, else top]",
        rich_help_panel=_BY_SCORE,
    ),
]
ScoreQuantile = Annotated[
    float | None,
    typer.Option(
        help="Which row of a region: 0 its easiest, 1 its hardest. [default: 0.25]", rich_help_panel=_BY_SCORE
    ),
]
ScoreBand = Annotated[
    str | None,
    typer.Option(
        metavar="LOW:HIGH",
        help="The quantiles of a band; 0:0.9 leaves the hardest tenth out.",
        rich_help_panel=_BY_SCORE,
    ),
]
Queries = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="target: rows like those of INPUT to look for, or vectors of the encoder of --embeddings (.npy).",
        rich_help_panel=_TARGET,
    ),
]
QueryColumn = Annotated[
    str | None,
    typer.Option(
        help="target: a column that is true for rows of INPUT which are the queries.", rich_help_panel=_TARGET
    ),
]
TargetRule = Annotated[
    str | None,
    typer.Option(
        help="target: round_robin (each query in turn), max (the nearest query counts) or mean (all do). "
        "[default: round_robin]",
        rich_help_panel=_TARGET,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="threshold: from this similarity on a row is too near. [default: 0.9]", rich_help_panel=_THRESHOLD
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="Where to write; the format follows the name: .arrow .arrows .parquet .jsonl, or a folder. "
        "[default: out.arrow]",
        rich_help_panel=_OUTPUT,
    ),
]
Rows = Annotated[
    bool | None,
    typer.Option(
        "--rows/--no-rows", help="Write the row report beside the output. [default: rows]", rich_help_panel=_OUTPUT
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force", help="Replace an output of sage-select (one with its manifest beside it).", rich_help_panel=_OUTPUT
    ),
]
OverwriteForeign = Annotated[
    bool,
    typer.Option(
        "--overwrite-foreign",
        help="With --force: replace what is not an output of sage-select, too.",
        rich_help_panel=_OUTPUT,
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify",
        help="Refuse outputs of sage-select that were changed since they were written. [default: verify]",
        show_default=False,
        rich_help_panel=_OUTPUT,
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say what would be done, read no row, and leave.", rich_help_panel=_RUN)
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Say what would be done and about how much memory and time it would take, from a look at the input's "
        "footers and first piece, and leave: with exit code 5 where it would not fit.",
        rich_help_panel=_RUN,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(help="Threads to use. [default: SAGE_THREADS, else all cores]", min=1, rich_help_panel=_RUN),
]
JsonOutput = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.", rich_help_panel=_RUN)
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_RUN)]
