"""Options that people type from the habit of other trainers."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from sage_select.cli.habits import unknown_option
from sage_select.cli.train import app
from sage_select.cli.train_habits import TRAIN_HABITS
from sage_select.cli.train_table import derived_train


def options() -> set[str]:
    command = typer.main.get_command(app)
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}


@pytest.fixture
def parsed() -> Any:
    command = typer.main.get_command(app)

    def parse(*arguments: str) -> dict[str, Any]:
        context = typer.Context(command)
        command.parse_args(context, list(arguments))
        return {name.rpartition("__")[2]: value for name, value in context.params.items()}

    return parse


def test_a_habit_is_taken_for_what_it_means(parsed: Any) -> None:
    for typed, name, value in (
        (("--lr", "1e-4"), "learning_rate", 1e-4),
        (("--lr=1e-4",), "learning_rate", 1e-4),
        (("--learning_rate", "1e-4"), "learning_rate", 1e-4),
        (("--lora-rank", "8"), "lora_r", 8),
        (("--lora_r=8",), "lora_r", 8),
        (("--num_train_epochs", "2"), "epochs", 2.0),
        (("--per_device_train_batch_size", "3"), "batch_size", 3),
        (("--qlora",), "load_in_4bit", True),
        (("--use_dora",), "adapter", "dora"),
        (("--full",), "adapter", "full"),
        (("-o", "run"), "output_dir", None),
    ):
        got = parsed(*typed)[name]
        assert (str(got) == "run") if value is None else got == value, typed


def test_every_alias_leads_to_an_option_and_hides_none() -> None:
    known = options()
    table = derived_train()
    assert {one.setting for one in table.aliases.values()} <= {flag.setting for flag in table.flags}
    assert not (set(table.aliases) | set(TRAIN_HABITS)) & known
    assert not set(table.aliases) & set(TRAIN_HABITS)


@pytest.mark.parametrize(
    "typed",
    [
        "--merge",
        "--shuffle",
        "--packing-strategy",
        "--group_by_length",
        "--lora",
        "--deepspeed",
        "--resume_from_checkpoint",
    ],
)
def test_what_there_is_not_is_explained(typed: str) -> None:
    told = str(unknown_option(typed, options(), TRAIN_HABITS))
    assert f"there is no option {typed}" in told
    assert TRAIN_HABITS[typed.replace("_", "-")] in told


def test_values_are_never_translated(parsed: Any) -> None:
    assert parsed("--template", "--lr is a word")["template"] == "--lr is a word"
    assert parsed("--lora-target", "q_proj", "--lora-target", "v_proj")["lora_target"] == ["q_proj", "v_proj"]
    with pytest.raises(Exception, match="No such option: --nonsense"):
        parsed("--nonsense")
