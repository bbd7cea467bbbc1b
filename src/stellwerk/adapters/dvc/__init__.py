"""DVC, in process: content by hash (`DvcStore`), a model's stage (`DvcTrainer`), sources of snapshots, set-up.

Importing this package does not import DVC; its classes do, when first used.
"""

from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.source import fetch_source, put_in_place
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.adapters.dvc.trainer import DvcTrainer
from stellwerk.adapters.dvc.worktree import run_templates

__all__ = ["DvcStore", "DvcTrainer", "fetch_source", "init_dvc", "put_in_place", "run_templates"]
