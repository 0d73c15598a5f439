"""``neuronsim reproduce``: the experiments of the source papers, each one command."""

from __future__ import annotations

import typer

from .reproduce_adaptor import noise_adaptor_command

reproduce_app = typer.Typer(
    help="Repeat what the source papers did, with their values beside ours.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
reproduce_app.command("noise-adaptor")(noise_adaptor_command)
# A group of one command would be run in the command's place.
reproduce_app.callback()(lambda: None)
