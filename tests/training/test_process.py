"""A command ends with its time, its log is bounded, nothing of it lives on, and what is hidden stays hidden."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import stellwerk
from stellwerk.adapters.child import Isolation, masks
from stellwerk.adapters.process import ProcessResult, run, scrubbed_environment
from stellwerk.errors import StellwerkError

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    folder = tmp_path / "job"
    folder.mkdir()
    return folder


def start(command: list[str] | str, job: Path, **changes) -> ProcessResult:
    env = scrubbed_environment(job, declared={}, parent=os.environ)
    settings = {"cwd": job, "env": env, "timeout": 30, "log": job.parent / "log.txt", "isolation": Isolation()}
    return run(command, **{**settings, **changes})


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def pids_of(marker: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marker in (entry / "cmdline").read_bytes().decode(errors="replace"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return [pid for pid in found if is_alive(pid)]


@LINUX
@pytest.mark.parametrize("namespace", [True, False])
def test_a_command_heeds_signals_though_its_caller_does_not(job: Path, namespace: bool) -> None:
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    }
    signal.pthread_sigmask(signal.SIG_BLOCK, before)
    command = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    try:
        result = start(command, job, isolation=Isolation(namespace=namespace))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        for number, handler in before.items():
            signal.signal(number, handler)
    masks = [int(line.split()[1], 16) for line in result.log_tail.splitlines()]
    assert len(masks) == 2
    assert not any(mask & 1 << number - 1 for mask in masks for number in before)


@LINUX
def test_a_command_does_not_start_when_its_caller_is_gone_by_then(tmp_path: Path) -> None:
    confine = Path(stellwerk.__file__).parent / "worker" / "confine.py"
    plan = {"command": ["touch", "made"], "masked": [], "writable": [], "namespace": False, "parent": 1}
    command = [sys.executable, "-I", "-S", confine, "2", json.dumps(plan)]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "made").exists()


def test_exit_code_output_and_resources_are_reported(job: Path) -> None:
    lines: list[str] = []
    result = start("echo out; echo err >&2; exit 3", job, on_line=lines.append)
    assert (result.code, result.killed_by, lines) == (3, None, ["out", "err"])
    assert (job.parent / "log.txt").read_text() == "out\nerr\n" == result.log_tail
    assert 0 < result.cpu < 5
    assert result.peak_memory > 1_000_000
    assert result.duration > 0


def test_a_signal_is_128_plus_its_number(job: Path) -> None:
    assert start("kill -9 $$", job).code == 128 + 9


def test_a_program_that_does_not_exist_says_so(job: Path) -> None:
    result = start(["no-such-program"], job)
    assert result.code == 127
    assert "no-such-program" in result.log_tail


@pytest.mark.parametrize("namespace", [True, False])
@pytest.mark.parametrize("command", ["sleep {0} & sleep {0}", "(setsid sleep {0} &); sleep {0}"])
def test_a_timeout_ends_every_descendant(job: Path, namespace: bool, command: str) -> None:
    marker = f"9{os.getpid()}.{int(namespace)}{len(command)}"
    began = time.monotonic()
    result = start(command.format(marker), job, timeout=0.5, isolation=Isolation(namespace=namespace))
    assert result.killed_by == "timeout"
    assert time.monotonic() - began < 5
    assert pids_of(marker) == []


@LINUX
@pytest.mark.parametrize("namespace", [True, False])
def test_a_forked_child_does_not_outlive_its_parent(job: Path, namespace: bool) -> None:
    marker = f"8{os.getpid()}.{int(namespace)}"
    script = f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.execvp('sleep', ['sleep', '{marker}'])\ntime.sleep(0.3)"
    began = time.monotonic()
    result = start([sys.executable, "-c", script], job, isolation=Isolation(namespace=namespace))
    assert result.code == 0
    assert time.monotonic() - began < 10
    assert pids_of(marker) == []


def test_a_log_is_cut_at_its_limit_and_the_end_is_still_known(job: Path) -> None:
    result = start("head -c 1000000 /dev/zero | tr '\\0' x; echo; echo the end", job, output_limit=100_000)
    assert (result.code, result.killed_by) == (0, None)
    assert 100_000 < (job.parent / "log.txt").stat().st_size < 100_200
    assert "the log is cut: 1000009 bytes were printed, 100000 are kept" in result.log_tail
    assert "the end\n" in result.log_tail


def test_output_without_end_is_stopped(job: Path) -> None:
    result = start(["yes"], job, output_limit=10_000)
    assert result.killed_by == "output-limit"
    assert (job.parent / "log.txt").stat().st_size < 11_000


def test_ctrl_c_ends_the_command_and_is_passed_on(job: Path) -> None:
    marker = f"7{os.getpid()}.5"
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.5, lambda: __import__("signal").pthread_kill(main, 2)).start()
    with pytest.raises(KeyboardInterrupt):
        start(["sleep", marker], job)
    assert pids_of(marker) == []


def test_the_environment_is_a_short_list(job: Path) -> None:
    parent = {
        "PATH": os.environ["PATH"],
        "AWS_SECRET_ACCESS_KEY": "x",
        "GIT_DIR": "x",
        "STELLWERK_FAILURE": "x",
        "PYTHONPATH": "x",
        "OMP_NUM_THREADS": "1",
        "PYTEST_ADDOPTS": "-x",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    env = scrubbed_environment(job, declared={"STELLWERK_STEP": "train", "OTHER": "x"}, parent=parent)
    assert set(env) == {
        "PATH",
        "LANG",
        "HOME",
        "TMPDIR",
        "TZ",
        "PYTHONHASHSEED",
        "PYTHONUTF8",
        "OMP_NUM_THREADS",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD",
        "STELLWERK_STEP",
    }
    assert (env["HOME"], env["TMPDIR"], env["PYTHONHASHSEED"]) == (str(job), str(job), "0")


@pytest.mark.usefixtures("namespaces")
def test_masked_files_and_folders_cannot_be_read_by_any_way(job: Path, tmp_path: Path) -> None:
    folder, file = tmp_path / "cache", tmp_path / "data.csv"
    folder.mkdir()
    (folder / "x.csv").write_text("secret\n")
    file.write_text("secret\n")
    link = tmp_path / "link.csv"
    link.symlink_to(file)
    command = (
        f"cat {file} {link} {folder}/x.csv; umount {file}; umount {folder}; cat {file} {folder}/x.csv;"
        f"unshare -Urm sh -c 'umount {file}; cat {file}'; cat /proc/*/root{file}; ls /proc/*/cwd/;"
        f"for d in $(ls /dev/?d? /dev/vd? 2>/dev/null); do head -c 100 $d; done"
    )
    result = start(command, job, isolation=Isolation(masked=(folder, link)))
    assert result.isolation == "namespace"
    assert "secret" not in result.log_tail
    assert file.read_text() == "secret\n"


@pytest.mark.usefixtures("namespaces")
def test_only_the_working_folder_is_writable(job: Path, tmp_path: Path) -> None:
    result = start(f"echo x > inside; echo x > {tmp_path}/outside", job)
    assert result.code != 0
    assert "Read-only file system" in result.log_tail
    assert (job / "inside").exists()
    assert not (tmp_path / "outside").exists()


@pytest.mark.usefixtures("namespaces")
def test_other_processes_are_not_visible(job: Path) -> None:
    assert int(start("ls -d /proc/[0-9]* | wc -l", job).log_tail) < 10


@pytest.mark.usefixtures("namespaces")
def test_multiprocessing_works_inside(job: Path) -> None:
    script = "import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(abs, [-1, -2]))"
    assert start([sys.executable, "-c", script], job).log_tail == "[1, 2]\n"


def test_without_namespaces_the_result_says_directory(job: Path) -> None:
    result = start(["true"], job, isolation=Isolation(namespace=False))
    assert (result.isolation, result.isolation_note) == ("directory", "not asked for")


def test_hiding_what_the_command_needs_is_an_error(job: Path, tmp_path: Path) -> None:
    with pytest.raises(StellwerkError, match="is hidden from it"):
        start(["true"], job, isolation=Isolation(masked=(tmp_path,)))


def test_masks_keep_the_outermost_existing_paths(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert masks([tmp_path / "a/b", tmp_path / "a", tmp_path / "gone"], needed=()) == (str(tmp_path / "a"),)
    (tmp_path / "a-b").mkdir()
    beside = [tmp_path / "a/b", tmp_path / "a-b", tmp_path / "a"]
    assert masks(beside, needed=()) == (str(tmp_path / "a"), str(tmp_path / "a-b"))


def test_a_trivial_command_costs_little(job: Path) -> None:
    """Measured 0.07 s; the limit only catches a mistake of another order."""
    began = time.monotonic()
    start(["true"], job)
    assert time.monotonic() - began < 2


@LINUX
@pytest.mark.skipif(shutil.which("setpriv") is None or os.geteuid() != 0, reason="takes capabilities away from root")
def test_a_process_without_capabilities_falls_back_and_says_why(job: Path) -> None:
    script = (
        "import os, pathlib, sys\nfrom stellwerk.adapters.child import *\nfrom stellwerk.adapters.process import *\njob = pathlib.Path(sys.argv[1])\n"
        "env = scrubbed_environment(job, declared={}, parent=os.environ)\n"
        "done = run(['true'], cwd=job, env=env, timeout=9, log=job / 'log', isolation=Isolation())\n"
        "print(done.code, done.isolation, done.isolation_note)"
    )
    source = str(Path(stellwerk.__file__).parent.parent)
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", sys.executable, "-c", script, job]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True, check=True)
    assert done.stdout == "0 directory unshare: Operation not permitted\n"
