"""Run one model's DVC stage at a commit, in a git work tree of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from stellwerk.model.ports import TrainingResult


class DvcTrainer:
    """`Trainer` on the repository at `root`. `data_remotes`: the remote of each model's training data, by model."""

    def __init__(self, root: Path, *, data_remotes: Mapping[str, str | None] | None = None) -> None:
        self.root = root
        self.data_remotes = dict(data_remotes or {})

    def train(self, model: str, *, commit: str, on_line: Callable[[str], None]) -> TrainingResult:
        """Reproduce `models/<model>/dvc.yaml` at that commit. Raises `errors.TrainingFailed` where the model fails.

        The package's objects are in the repository's DVC cache afterwards.
        """
        raise NotImplementedError
