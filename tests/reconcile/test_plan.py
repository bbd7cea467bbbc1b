"""`plan` changes nothing and is exact; `reconcile` does what was planned, or refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from stellwerk.errors import StellwerkError


def files_below(root: Path) -> dict[str, tuple[int, int]]:
    """Every file's size and time of change, the plan's cache left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        if ".git/stellwerk" not in path.as_posix() and not path.is_dir():
            stat = path.lstat()
            found[str(path)] = (stat.st_size, stat.st_mtime_ns)
    return found


def test_plan_writes_nothing_but_its_cache(small):
    before = files_below(small.root.parent)
    for verb in (["plan"], ["plan", "--at", "HEAD"], ["status"], ["validate"], ["why", "demand"], ["log", "demand"]):
        assert small.repo.stellwerk(*verb).returncode == 0, verb
    assert files_below(small.root.parent) == before
    assert [path.name for path in (small.root / ".git/stellwerk").iterdir()] == ["cache"]


def test_plan_says_the_same_on_a_read_only_file_system(small, tmp_path):
    normal = small.repo.stellwerk("plan", "--format", "json")
    shutil.rmtree(small.root / ".git/stellwerk")
    command = Path(shutil.which("true")).parent
    unshare = shutil.which("unshare")
    mounted = (
        f"mount --bind {small.root} {small.root} && mount -o remount,bind,ro {small.root} && ! touch {small.root}/x"
    )
    if unshare is None or os.name != "posix":
        pytest.skip("no unshare here")
    able = subprocess.run([unshare, "-rm", "sh", "-c", f"{mounted} 2>/dev/null"], capture_output=True, check=False)
    if able.returncode != 0:
        pytest.skip(f"no mount namespace here: {able.stderr.decode().strip()}")
    import sysconfig

    stellwerk = Path(sysconfig.get_path("scripts")) / "stellwerk"
    done = subprocess.run(
        [
            unshare,
            "-rm",
            "sh",
            "-c",
            f"{mounted} 2>/dev/null && cd {small.root} && exec {stellwerk} plan --format json",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(normal.stdout)
    assert command


def test_a_plan_for_a_revision_does_not_see_the_files_here(small):
    small.reconcile()
    small.edit("mlops.yaml", "target: sold", "target: x", commit=None)
    assert "train:demand" in small.steps()
    assert small.steps(at="HEAD") == []
    assert small.steps(at="HEAD~3") != []
    done = small.repo.stellwerk("plan", "--at", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no commit 'nowhere' here" in done.stderr


def test_a_plan_file_is_carried_out_exactly(small):
    done = small.repo.stellwerk("plan", "--out", "../plan.json", "--detailed-exitcode")
    assert done.returncode == 2
    text = (small.root.parent / "plan.json").read_text()
    planned = small.steps()
    outcome = small.reconcile(plan_text=text)
    rendered = [key for key in planned if key.startswith("render:")]
    assert [item.step.key for item in outcome.done] == [rendered[0], *planned[len(rendered) :]]
    assert small.repo.stellwerk("plan", "--detailed-exitcode").returncode == 0


def test_a_stale_plan_is_refused(small):
    small.repo.stellwerk("plan", "--out", "../plan.json")
    small.edit("mlops.yaml", "train: {data: sales}", "train: {data: sales, seed: 5}")
    done = small.repo.stellwerk("reconcile", "../plan.json")
    assert done.returncode == 1
    assert "the plan is stale" in done.stderr
    assert "stellwerk plan --out" in done.stderr
    assert small.trainings() == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", '{"version": 1}', "null", '{"version": 99, "steps": []}'])
def test_a_damaged_plan_is_an_error_in_words(small, text):
    with pytest.raises(StellwerkError):
        small.reconcile(plan_text=text)


def test_a_plan_can_be_asked_of_one_model_or_one_environment(released):
    text = released.repo.read("mlops.yaml")
    second = text[text.index("  demand:\n") :].replace("  demand:\n", "  supply:\n").replace("bias: 2.0", "bias: 0.5")
    released.repo.gen({"mlops.yaml": text + second}, commit="another model")
    assert {key.split(":")[1].split("/")[1] if "/" in key else key.split(":")[1] for key in released.steps()} == {
        "supply"
    }
    assert released.steps(model="demand") == []
    assert "train:supply" in released.steps(model="supply")
    released.edit("mlops.yaml", "bias: 2.0", "bias: 1.0")
    outcome = released.reconcile(model="demand")
    assert outcome.problems == ()
    assert (released.running(), released.running(model="supply")) == (1, None)
    done = released.repo.stellwerk("plan", "--model", "nobody")
    assert done.returncode == 1
    assert "there is no model 'nobody'" in done.stderr


def test_a_reconcile_of_one_environment_leaves_the_others(released):
    released.add("environments/integration.yaml", "deploy: {target: local, path: deployed/integration}\n")
    released.reconcile(environment="integration")
    assert released.running("integration") == 2
    assert released.steps() == []


def test_uncommitted_inputs_are_named_and_refused(small):
    small.edit("models/demand/demand.py", "x", "x", commit=None)
    small.repo.gen({"models/demand/demand.py": small.repo.read("models/demand/demand.py") + "\n# later\n"})
    done = small.repo.stellwerk("reconcile")
    assert done.returncode == 1
    assert "uncommitted changes: models/demand/demand.py" in done.stderr
    assert "git commit" in done.stderr
    assert small.repo.log() == ["start"]


def test_other_uncommitted_files_are_left_alone(small):
    small.repo.gen({"notes.txt": "staged", "models/demand/draft.py": "x = 1\n"})
    small.repo.git("add", "notes.txt")
    assert small.reconcile().problems == ()
    assert small.repo.status() == "A  notes.txt\n?? models/demand/draft.py"
    assert small.trainings() == ["train: demand v1"]


def test_a_plan_is_the_same_bytes_twice(small):
    first = small.repo.stellwerk("plan", "--format", "json").stdout
    assert small.repo.stellwerk("plan", "--format", "json").stdout == first
