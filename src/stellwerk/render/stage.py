"""Render a model's DVC stage: `dvc.yaml`, `params.yaml` with resolved values, and `.gitignore`. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from stellwerk.model.declared import Dataset, Limits, Model


def render_stage(model: Model, dataset: Dataset, code: tuple[str, ...], limits: Limits) -> Mapping[str, str]:
    """Path -> text of the generated files of a model that trains. `code`: every file of its code, sorted."""
    raise NotImplementedError


def ours(text: str) -> bool:
    """Whether the text carries our header."""
    raise NotImplementedError


def edited(text: str) -> bool:
    """Whether a text with our header was changed after it was rendered."""
    raise NotImplementedError
