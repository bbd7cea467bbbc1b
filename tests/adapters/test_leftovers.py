"""What a killed process left beside a file is known by its name and removed; what a living one works on is not."""

import os
import subprocess
import sys

from stellwerk.adapters import leftovers
from stellwerk.adapters.leftovers import FORGOTTEN, beside, sweep, sweep_folder

KILLED = """\
import os, signal, sys
from pathlib import Path
from stellwerk.adapters.leftovers import beside
for path in sys.argv[1:]:
    beside(Path(path)).write_text("half")
    room = beside(Path(path))
    room.mkdir()
    (room / "inside").write_text("half")
os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def killed(*paths):
    assert subprocess.run([sys.executable, "-c", KILLED, *paths], check=False).returncode == -9


def test_what_a_killed_process_left_for_a_path_is_removed_by_the_next_one(tmp_path):
    killed(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert len(names(tmp_path)) == 4
    fresh = beside(tmp_path / "a.yaml")
    assert names(tmp_path) == names(tmp_path)[:2]
    assert all(name.startswith(".b.yaml.") for name in names(tmp_path))
    assert not fresh.exists()
    sweep_folder(tmp_path)
    assert names(tmp_path) == []


def test_what_a_living_process_works_on_and_what_people_wrote_stays(tmp_path):
    mine = beside(tmp_path / "a.yaml")
    mine.touch()
    (tmp_path / ".a.yaml.swp").touch()
    (tmp_path / ".a.yaml.0123abcd-99999999-0123abc").touch()
    sweep(tmp_path / "a.yaml")
    sweep_folder(tmp_path)
    assert len(names(tmp_path)) == 3


def test_what_another_host_left_is_removed_after_a_day(tmp_path, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(leftovers, "_host", lambda: "0" * 8)
        left = beside(tmp_path / "a.yaml")
        left.touch()
    sweep(tmp_path / "a.yaml")
    assert left.exists()
    os.utime(left, (left.stat().st_mtime - FORGOTTEN - 60,) * 2)
    sweep(tmp_path / "a.yaml")
    assert not left.exists()


def test_a_name_as_long_as_can_be_has_room_for_the_mark(tmp_path):
    long = tmp_path / ("größe" * 36)
    long.touch()
    beside(long).touch()
    assert len(names(tmp_path)) == 2
