"""DVC's own garbage collection must not take what a record names."""

from __future__ import annotations

import shutil
import subprocess

import yaml

from stellwerk.adapters.dvc import DvcStore
from stellwerk.adapters.folders import digest_folder


def test_every_package_outlives_dvc_gc_of_cache_and_remote(released, tmp_path):
    for number in (1, 2):
        assert (released.root / f"registry/demand/{number}/version.yaml").exists()
    collected = subprocess.run(
        ["dvc", "gc", "--workspace", "--cloud", "--force"],
        cwd=released.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stderr
    shutil.rmtree(released.root / ".dvc/cache", ignore_errors=True)
    for number in (1, 2):
        package = yaml.safe_load((released.root / f"registry/demand/{number}/version.yaml").read_text())["package"]
        fetched = tmp_path / f"v{number}"
        DvcStore(released.root).fetch(package["md5"], fetched, remote="packages")
        assert digest_folder(fetched).sha256 == package["sha256"]
