"""Training in a work tree of its own, with a stage command that stands in for the real one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest
from msgspec.structs import replace

from stellwerk.adapters.dvc.output import captured
from stellwerk.adapters.dvc.setup import init_dvc
from stellwerk.adapters.dvc.store import DvcStore
from stellwerk.adapters.dvc.trainer import DvcTrainer
from stellwerk.adapters.dvc.worktree import ROOMS, work_tree
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.declared import Dataset, Limits, Model, Train
from stellwerk.render.stage import render_stage

SALES = Dataset(name="sales", path="data/sales.csv")
CODE = "models/demand/demand.py"
DEMAND = Model(name="demand", source=CODE, target="sold", train=Train(data="sales"))
FAKE = """#!/bin/sh
set -e
[ "$1" = stage ]
echo "ran in $PWD" >> "$STELLWERK_TEST_RUNS"
echo "split"; echo "trained" >&2
. ./demand.py
mkdir -p package/code training
cp ../../data/sales.csv package/model.bin
cp demand.py package/code/
echo '{"task": "regression"}' > training/report.json
echo '{"columns": []}' > training/profile.json
echo '{"mae": 1.5}' > metrics.json
"""


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("STELLWERK_TEST_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def command(tmp_path) -> tuple[str, ...]:
    script = tmp_path / "it's stellwerk"
    script.write_text(FAKE)
    script.chmod(0o755)
    return (str(script),)


def declare(repo, *, code: str = ":\n", rows: str = "day,sold\n1,2\n", model: Model = DEMAND) -> str:
    """A repository with one model, its stage rendered and its data tracked; returns the commit."""
    init_dvc(repo.root)
    (repo.root / "data/sales.csv").unlink(missing_ok=True)
    repo.gen({"data/sales.csv": rows})
    added = DvcStore(repo.root).add("data/sales.csv")
    files = render_stage(model, SALES, (CODE,), Limits())
    config = {name: repo.read(name) for name in (".dvc/config", ".dvc/.gitignore", ".dvcignore")}
    return repo.gen({**files, **added.files, **config, CODE: code, "unrelated/big.txt": "x"}, commit="declare")


def ran(runs: Path) -> int:
    return len(runs.read_text().splitlines()) if runs.exists() else 0


def left_behind(repo) -> list[str]:
    rooms = repo.root / ROOMS
    return (
        [*(p.name for p in rooms.iterdir()), *repo.git("worktree", "list").splitlines()[1:]] if rooms.exists() else []
    )


def test_a_training_returns_its_outputs_and_leaves_nothing_behind(repo, runs, command, capfd):
    commit = declare(repo)
    before = repo.status()
    lines: list[str] = []
    result = DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=lines.append)
    assert lines == ["split", "trained"]
    assert result.report == {"task": "regression"}
    assert result.profile == '{"columns": []}\n'
    assert set(result.files) == {"models/demand/dvc.lock", "models/demand/metrics.json"}
    assert result.files["models/demand/metrics.json"] == b'{"mae": 1.5}\n'
    assert result.package_md5.endswith(".dir")
    DvcStore(repo.root).fetch(result.package_md5, repo.root / "out", remote=None)
    assert repo.read("out/model.bin") == "day,sold\n1,2\n"
    shutil.rmtree(repo.root / "out")
    assert left_behind(repo) == []
    assert repo.status() == before
    assert capfd.readouterr() == ("", "")


def test_the_lock_of_a_training_leaves_dvc_clean_in_the_repository(repo, runs, command):
    commit = declare(repo)
    result = DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    repo.gen(result.files, commit="trained")
    target = "models/demand/dvc.yaml:train"
    subprocess.run(["dvc", "checkout", "-q", target], cwd=repo.root, check=True)
    assert subprocess.run(["dvc", "status", "-q"], cwd=repo.root, check=False).returncode == 0
    assert repo.read("models/demand/package/model.bin") == "day,sold\n1,2\n"


def test_training_again_at_the_same_inputs_does_not_run_the_command(repo, runs, command):
    trainer = DvcTrainer(repo.root, command=command)
    first = trainer.train("demand", commit=declare(repo), on_line=print)
    other = trainer.train("demand", commit=declare(repo, code="x=2\n"), on_line=print)
    again = trainer.train("demand", commit=declare(repo), on_line=print)
    assert ran(runs) == 2
    assert again == first
    assert other.package_md5 != first.package_md5


def test_a_run_cache_that_a_killed_run_left_empty_is_no_obstacle(repo, runs, command):
    trainer, commit = DvcTrainer(repo.root, command=command), declare(repo)
    first = trainer.train("demand", commit=commit, on_line=print)
    (entry,) = (repo.root / ".dvc/cache/runs").glob("*/*/*")
    entry.unlink()  # killed after the folder was made and before the file was
    os.utime(entry.parent, (0, 0))
    assert trainer.train("demand", commit=commit, on_line=print) == first
    assert ran(runs) == 2
    assert entry.exists()


def test_changed_data_code_or_parameters_run_the_command(repo, runs, command):
    trainer = DvcTrainer(repo.root, command=command)
    changed = replace(DEMAND, train=Train(data="sales", seed=1))
    for number, what in enumerate(({}, {"code": "x=1\n"}, {"rows": "day,sold\n1,3\n"}, {"model": changed}), start=1):
        trainer.train("demand", commit=declare(repo, **what), on_line=print)
        assert ran(runs) == number


def test_uncommitted_files_have_no_part_in_a_training(repo, runs, command):
    commit = declare(repo)
    repo.gen({CODE: "exit 1\n", "data/sales.csv.dvc": "broken", "models/demand/params.yaml": "broken"})
    DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    assert ran(runs) == 1


def test_only_the_files_of_the_training_are_checked_out(repo, runs, command):
    commit = declare(repo)
    with work_tree(repo.root, commit) as tree:
        tree.check_out(["models/demand"])
        found = {p.relative_to(tree.root).as_posix() for p in tree.root.rglob("*") if p.is_file()}
        listed = subprocess.run(["git", "ls-files"], cwd=tree.root, capture_output=True, text=True, check=True).stdout
    assert set(listed.splitlines()) == found - {".git", ".dvc/config.local"}, "nor does git's index grow with the rest"
    assert "unrelated/big.txt" not in found
    assert CODE in found


def test_an_empty_cache_is_filled_from_the_remote(repo, runs, command):
    commit = declare(repo)
    md5 = DvcStore(repo.root).add("data/sales.csv").pointer.md5
    DvcStore(repo.root).push([md5], remote="storage")
    clone = repo.clone()
    result = DvcTrainer(clone.root, data_remotes={"demand": "storage"}, command=command).train(
        "demand", commit=commit, on_line=print
    )
    assert DvcStore(clone.root).missing([result.package_md5], remote=None) == {result.package_md5}
    DvcStore(clone.root).push([result.package_md5], remote="packages")
    assert left_behind(clone) == []


def test_settings_that_only_this_machine_has_count_in_the_work_tree(repo, runs, command, tmp_path):
    commit = declare(repo)
    subprocess.run(["dvc", "cache", "dir", "-q", "--local", tmp_path / "cache of its own"], cwd=repo.root, check=True)
    subprocess.run(["dvc", "config", "-q", "--local", "core.autostage", "true"], cwd=repo.root, check=True)
    DvcStore(repo.root).add("data/sales.csv")
    result = DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    name = result.package_md5
    assert (tmp_path / "cache of its own/files/md5" / name[:2] / name[2:]).exists()


@pytest.mark.parametrize("kind", ["raised", "timeout"])
def test_a_failure_of_the_model_carries_its_own_words_and_leaves_nothing(repo, runs, command, kind):
    said = f'{{"kind": "{kind}", "message": "no rows", "log": "Traceback"}}'
    commit = declare(repo, code=f"echo '{said}' > \"$STELLWERK_FAILURE\"\nexit 1\n")
    with pytest.raises(TrainingFailed, match="no rows") as caught:
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    assert (caught.value.kind, caught.value.log, caught.value.where) == (kind, "Traceback", "models/demand")
    assert left_behind(repo) == []
    with pytest.raises(TrainingFailed):
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    assert ran(runs) == 2


def test_a_stage_that_dies_without_words_says_what_it_last_printed(repo, runs, command):
    commit = declare(repo, code="echo broken pipe dream; exit 3\n")
    with pytest.raises(StellwerkError, match="broken pipe dream") as caught:
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    assert not isinstance(caught.value, TrainingFailed)


def test_a_stage_that_fails_is_told_with_its_error_and_its_hint(repo, runs, command):
    code = "echo 'error: data/sales.csv: no column solld' >&2\necho '  → the columns are day, sold' >&2\nexit 1\n"
    with pytest.raises(StellwerkError, match=r"data/sales\.csv: no column solld → the columns are day, sold$"):
        DvcTrainer(repo.root, command=command).train("demand", commit=declare(repo, code=code), on_line=print)


def test_a_killed_stage_is_a_failed_training_and_an_interrupted_one_an_interrupt(repo, runs, command):
    with pytest.raises(TrainingFailed) as caught:
        DvcTrainer(repo.root, command=command).train("demand", commit=declare(repo, code="kill -9 $$\n"), on_line=print)
    assert caught.value.kind == "killed"
    with pytest.raises(KeyboardInterrupt):
        DvcTrainer(repo.root, command=command).train("demand", commit=declare(repo, code="kill -2 $$\n"), on_line=print)
    assert left_behind(repo) == []


def test_a_stage_that_leaves_no_package_is_an_error(repo, runs, command):
    commit = declare(repo, code="exit 0\n")
    with pytest.raises(StellwerkError, match="package"):
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)


def test_inputs_that_are_not_committed_are_named(repo, runs, command):
    declare(repo)
    commit = repo.gen({"data/sales.csv.dvc": None}, commit="lose the pointer")
    with pytest.raises(StellwerkError, match=r"data/sales\.csv\.dvc is not in commit"):
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    with pytest.raises(StellwerkError, match=r"models/other/dvc\.yaml is not in commit"):
        DvcTrainer(repo.root, command=command).train("other", commit=commit, on_line=print)


def test_a_shell_that_refuses_to_run_commands_is_not_used(repo, runs, command, monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/false")
    DvcTrainer(repo.root, command=command).train("demand", commit=declare(repo), on_line=print)
    assert os.environ["SHELL"] == "/bin/false"


def test_hooks_of_the_repository_do_not_run(repo, runs, command):
    commit = declare(repo)
    hook = repo.root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran-hook\nexit 1\n")
    hook.chmod(0o755)
    DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)


def test_a_listener_that_raises_does_not_stop_the_stage_and_is_heard_afterwards(repo, runs, command):
    def on_line(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="split"):
        DvcTrainer(repo.root, command=command).train("demand", commit=declare(repo), on_line=on_line)
    assert ran(runs) == 1


def test_much_output_in_long_lines_is_passed_on(repo, runs, command):
    commit = declare(repo, code="yes 0123456789 | tr -d '\\n' | head -c 3000000; echo; echo end\n")
    lines: list[str] = []
    DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=lines.append)
    assert lines[-1] == "end"
    assert max(map(len, lines)) <= 10_000


def test_what_a_killed_process_left_is_removed_by_the_next_training(repo, runs, command, tmp_path):
    commit = declare(repo)
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom stellwerk.adapters.dvc.worktree import work_tree\n"
        f"with work_tree(Path({str(repo.root)!r}), {commit!r}):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(left_behind(repo)) == 2
    DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
    assert left_behind(repo) == []


def test_a_command_that_starts_when_the_run_has_gone_already_waits_for_nobody(tmp_path):
    with captured(tmp_path, "command", ("echo", "hello"), print):
        pass
    assert subprocess.run([tmp_path / "bin/command"], timeout=30, check=False).returncode in (0, 1, -signal.SIGPIPE)


def test_a_stage_that_cannot_be_interrupted_is_killed_when_its_run_has_gone(tmp_path):
    """An exception raised by a signal may get lost in code of others."""
    script = """
        import pathlib, signal
        from stellwerk.adapters.dvc import lifeline
        lifeline.GRACE = 0.1
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        lifeline.follow(pathlib.Path("absent"))
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        signal.pause()
    """
    command = [sys.executable, "-c", dedent(script)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("interrupted\n", -signal.SIGKILL)


def test_two_trainings_at_once_do_not_disturb_each_other(repo, runs, command):
    commit = declare(repo, code="sleep 0.5\n")
    with work_tree(repo.root, commit):
        DvcTrainer(repo.root, command=command).train("demand", commit=commit, on_line=print)
        assert len(left_behind(repo)) == 2


def test_dvc_takes_less_than_a_second_of_this_process_per_training(repo, runs, command):
    """Processor time, because the machine may be busy; usual are 0.3 s."""
    trainer = DvcTrainer(repo.root, command=command)
    trainer.train("demand", commit=declare(repo), on_line=print)
    took = []
    for number in range(3):
        commit = declare(repo, code=f"x={number}\n")
        start = time.process_time()
        trainer.train("demand", commit=commit, on_line=print)
        took.append(time.process_time() - start)
    assert min(took) < 1, took
