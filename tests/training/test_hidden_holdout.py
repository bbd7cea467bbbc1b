"""The held-out target never reaches the model's process, however hard it looks."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from stellwerk.data.holdout import split
from stellwerk.errors import TrainingFailed
from stellwerk.model.declared import Holdout
from stellwerk.training.masked import masked_paths
from stellwerk.training.snapshot import read_snapshot

pytestmark = [pytest.mark.usefixtures("namespaces"), pytest.mark.own_templates]

SNOOP = """
import os

FOUND = set()
NEEDLES = [needle[::-1] for needle in {needles!r}]

def look(path):
    try:
        with open(path, "rb") as file:
            text = file.read(1 << 20)
    except OSError:
        return
    FOUND.update(n for n in NEEDLES if n.encode() in text)

def walk(top, depth):
    try:
        entries = list(os.scandir(top))
    except OSError:
        return
    for entry in entries:
        try:
            folder, file = entry.is_dir(follow_symlinks=False), entry.is_file()
        except OSError:
            continue
        if folder and depth and entry.name not in ("usr", "lib", "sys", "boot"):
            walk(entry.path, depth - 1)
        elif file:
            look(entry.path)

def search():
    for path in {paths!r}:
        look(path)
        walk(path, 4)
    place = os.getcwd()
    while place != "/":
        place = os.path.dirname(place)
        walk(place, 2)
    for process in os.listdir("/proc"):
        if process.isdigit():
            for name in ("environ", "cmdline", "maps"):
                look(f"/proc/{{process}}/{{name}}")
            for name in ("root", "cwd", "fd"):
                for path in {paths!r}:
                    look(f"/proc/{{process}}/{{name}}" + path)
    for value in os.environ.values():
        look(value)
        walk(value, 2)
    for device in os.listdir("/dev"):
        if device.startswith(("vd", "sd", "nvme", "loop", "dm-")):
            look("/dev/" + device)
"""


def held_out(model) -> list[str]:
    """The targets of the held-out rows: texts that appear nowhere else."""
    frame = read_snapshot(model.root / "data/d.csv", "csv").rows
    return frame[split(frame, Holdout(), seed=0, identity=("id",), time=None).held]["y"].tolist()


@pytest.fixture
def hideouts(model, tmp_path: Path) -> list[Path]:
    """Copies of the data where a project has them: work tree, DVC's cache and local remote, git's history."""
    model.redraw(time.time_ns())  # the search must not find what an earlier run left in the temporary folder
    text = (model.root / "data/d.csv").read_text()
    places = [
        model.root / ".dvc/cache/files/md5/aa/bb",
        tmp_path / "storage/files/md5/aa/bb",
        model.root / "other/copy.csv",
        tmp_path / "origin.git/objects/loose",
    ]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (model.root / "other/copy.csv.dvc").write_text("outs: []\n")
    (model.root / "data/d.csv.dvc").write_text("outs: []\n")
    (model.root / ".dvc/config").write_text("[core]\n    remote = s\n['remote \"s\"']\n    url = ../../storage\n")
    git = ["git", "-C", str(model.root)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "remote", "add", "origin", str(tmp_path / "origin.git")], check=True)
    (model.root / ".git/leftover").write_text(text)
    return [*places, model.root / "data/d.csv", model.root / ".git/leftover"]


def masked(model) -> tuple[Path, ...]:
    return masked_paths(model.root, "data/d.csv", parent=dict(os.environ))


def test_a_source_model_finds_no_held_out_target(model, hideouts) -> None:
    needles = held_out(model)
    assert len(needles) > 50
    snoop = SNOOP.format(
        needles=[needle[::-1] for needle in needles], paths=[str(path) for path in (*hideouts, model.root)]
    )
    model.source(
        f"{snoop}\ndef train(frame):\n    search()\n    assert frame['y'].notna().all()\n    return len(FOUND)\n\n"
        "def predict(model, frame):\n    assert 'y' not in frame.columns\n    search()\n"
        "    return [float(max(model, len(FOUND)))] * len(frame)\n"
    )
    model.run(masked=masked(model))
    assert pickle.loads((model.out / "package/model.pkl").read_bytes()) == 0
    assert json.loads((model.out / "metrics.json").read_text())["bias"] == pytest.approx(
        -sum(map(float, needles)) / len(needles)
    )


def test_the_search_finds_what_is_not_hidden(model, hideouts) -> None:
    """The test above can fail."""
    needles = held_out(model)
    snoop = SNOOP.format(needles=[needle[::-1] for needle in needles], paths=[str(hideouts[-2])])
    model.source(
        f"{snoop}\ndef train(frame):\n    search()\n    return len(FOUND)\n\ndef predict(model, frame):\n    return frame['x']\n"
    )
    model.run(masked=())
    assert pickle.loads((model.out / "package/model.pkl").read_bytes()) == len(needles)


def test_a_source_model_reads_no_held_out_target_by_name(model, hideouts) -> None:
    paths = [str(path) for path in hideouts]
    model.source(
        f"""
import os, subprocess

def readable():
    seen = []
    for path in {paths!r}:
        try:
            text = open(path).read()
        except OSError:
            text = ""
        text += subprocess.run(["cat", path, f"/proc/1/root{{path}}", f"/proc/{{os.getppid()}}/root{{path}}"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.decode()
        seen.append(len(text))
    return seen

def train(frame):
    subprocess.run(["umount", *{paths!r}], stderr=subprocess.DEVNULL)
    return readable()

def predict(model, frame):
    return [float(sum(model) + sum(readable()))] * len(frame)
"""
    )
    model.run(masked=masked(model))
    assert pickle.loads((model.out / "package/model.pkl").read_bytes()) == [0] * len(paths)
    bias = json.loads((model.out / "metrics.json").read_text())["bias"]
    assert bias < 0, "it predicted 0 for every row: nothing was readable"


def test_a_command_model_reads_no_held_out_target(model, hideouts) -> None:
    look = " ".join(str(path) for path in hideouts)
    steal = f"for f in {look} /proc/*/root{hideouts[-2]} ../../*/data/*.csv; do cat $f; done 2>/dev/null"
    needles = held_out(model)
    model.command(
        f"({steal}) > $STELLWERK_MODEL/loot; true",
        f"({steal}) >> $STELLWERK_MODEL/loot; wc -c < $STELLWERK_MODEL/loot; "
        "awk 'NR == 1 { print \"prediction\" } NR > 1 { print 0 }' $STELLWERK_DATA > $STELLWERK_PREDICTIONS",
    )
    model.run(masked=masked(model))
    loot = (model.out / "package/model/loot").read_text()
    assert not [needle for needle in needles if needle in loot]


def test_without_hiding_the_same_search_finds_them(model, hideouts) -> None:
    """The test above can fail: with directory isolation only, a command reads everything."""
    model.command(
        f"cat {hideouts[-2]} > $STELLWERK_MODEL/loot",
        "awk 'NR == 1 { print \"prediction\" } NR > 1 { print 0 }' $STELLWERK_DATA > $STELLWERK_PREDICTIONS",
    )
    done = model.run(masked=masked(model), namespace=False)
    loot = (model.out / "package/model/loot").read_text()
    assert all(needle in loot for needle in held_out(model))
    assert done.report["isolation"] == "directory"


def test_without_namespaces_python_code_is_refused_at_least_the_open_file(model, hideouts) -> None:
    model.source(f"def train(frame):\n    return open({str(hideouts[-2])!r}).read()\n")
    with pytest.raises(TrainingFailed, match="is hidden from the model's code"):
        model.run(masked=masked(model), namespace=False)


def test_a_linked_work_tree_hides_the_main_one_too(tmp_path: Path) -> None:
    main = tmp_path / "main"
    main.mkdir()
    git = ["git", "-C", str(main)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    subprocess.run([*git, "worktree", "add", "--quiet", str(tmp_path / "linked")], check=True)
    found = masked_paths(tmp_path / "linked", "data/d.csv", parent={"HOME": str(tmp_path / "home")})
    assert {main / "data/d.csv", main / ".git", main / ".dvc", tmp_path / "linked/data/d.csv"} <= set(found)


def test_another_run_in_the_same_temporary_folder_is_hidden(model) -> None:
    with tempfile.TemporaryDirectory(prefix="stellwerk-job-") as other:
        (Path(other) / "train.csv").write_text("secret")
        model.command(f"cat {other}/train.csv; echo 1 > $STELLWERK_MODEL/m; exit 1", "true")
        with pytest.raises(TrainingFailed) as caught:
            model.run()
    assert "No such file" in caught.value.log
    assert "secret" not in caught.value.log
