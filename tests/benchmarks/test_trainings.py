"""The benchmark of trainings runs, and says what each way took."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.own_templates
@pytest.mark.skipif(sys.platform != "linux", reason="it counts the processor time of all processes, as Linux tells it")
def test_each_way_trains_every_model_and_has_its_figures():
    script = Path(__file__).with_name("trainings.py")
    done = subprocess.run([sys.executable, script, "--models", "2"], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr  # two are too few to judge by
    figures = dict(re.findall(r"^(bare|dvc repro|stellwerk reconcile) +(\d+) ms", done.stdout, re.MULTILINE))
    assert set(figures) == {"bare", "dvc repro", "stellwerk reconcile"}, done.stdout + done.stderr
    assert all(int(milliseconds) > 0 for milliseconds in figures.values())
