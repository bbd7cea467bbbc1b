"""`stellwerk stage`: what `dvc.yaml` of a model runs, in the model's folder."""

from __future__ import annotations

from pathlib import Path

import click

from stellwerk.cli.options import examples


@click.command(hidden=True, epilog=examples("cd models/shoe-demand && dvc repro"))
def command() -> int:
    """Train the model of this folder as its params.yaml says; DVC runs this."""
    from stellwerk.training.stage import stage_main

    return stage_main(Path.cwd())
