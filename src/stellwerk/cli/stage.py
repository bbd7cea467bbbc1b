"""`stellwerk stage`: what `dvc.yaml` of a model runs, in the model's folder."""

from __future__ import annotations

import os
from pathlib import Path

import click

from stellwerk.cli.options import examples


@click.command(hidden=True, epilog=examples("cd models/shoe-demand && dvc repro"))
def command() -> int:
    """Train the model of this folder as its params.yaml says; DVC runs this."""
    from stellwerk.adapters.dvc.lifeline import LIFELINE, follow
    from stellwerk.training.stage import stage_main

    if os.environ.get(LIFELINE):
        follow(Path(os.environ[LIFELINE]))
    return stage_main(Path.cwd())
