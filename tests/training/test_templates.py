"""A fork of a template does what a new process does, sees as little, and ends with its run."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stellwerk.adapters.templates import TEMPLATES, held
from stellwerk.errors import TrainingFailed
from stellwerk.training.jobs import preloaded

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="Linux only"), pytest.mark.own_templates]


@pytest.fixture
def variables(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A folder in which templates live until the test ends."""
    folder = tmp_path / "templates"
    folder.mkdir()
    with held(folder) as found:
        yield found
    assert templates_in(folder) == [], "the run has ended, and so have its templates"


def templates_in(folder: Path) -> list[int]:
    """The processes whose current folder it is."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder.resolve():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def sockets(variables: dict[str, str]) -> list[str]:
    return sorted(path.name for path in Path(variables[TEMPLATES]).glob("worker-" + "?" * 16))


def around(variables: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **variables}


def told(model) -> dict[str, object]:
    """What the model's code printed as JSON while it was trained."""
    log = (model.out / "training/log.txt").read_text()
    return json.loads(next(line for line in log.splitlines() if line.startswith("{")))


SNOOPING = """
import json, os, sys

def train(frame):
    status = open("/proc/self/status").read().splitlines()
    print(json.dumps({
        "files": sorted(int(name) for name in os.listdir("/proc/self/fd"))[:-1],
        "capabilities": [line.split()[1] for line in status if line.startswith("Cap")],
        "privileges": [line.split()[1] for line in status if line.startswith("NoNewPrivs")],
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),
        "folder": os.getcwd()[-5:],
        "templates": os.path.isdir(%r) and os.listdir(%r),
        "main": sys.modules["__main__"].__name__,
        "packages": sorted({name.partition(".")[0] for name in sys.modules} & {"numpy", "pandas", "sklearn", "yaml"}),
        "arguments": len(sys.argv),
        "path": len(sys.path),
    }))
    return 1.0

def predict(model, frame):
    return [model] * len(frame)
"""


@pytest.mark.usefixtures("namespaces")
def test_a_fork_sees_as_little_as_a_new_process_and_records_the_same(model, variables) -> None:
    folder = variables[TEMPLATES]
    model.source(SNOOPING % (folder, folder))
    masked = (model.root / "data", Path(folder))
    alone = model.run(masked=masked)
    seen_alone, digest = told(model), alone.report["package"]
    forked = model.run(masked=masked, parent=around(variables))
    assert sockets(variables), "a template served"
    assert told(model) | {"main": ""} == seen_alone | {"main": ""}
    assert seen_alone["templates"] == []
    assert seen_alone["files"] == [0, 1, 2]
    assert forked.report["package"] == digest
    changing = ("duration", "cpu", "peak_memory")
    assert {k: v for k, v in forked.report.items() if k not in changing} == {
        k: v for k, v in alone.report.items() if k not in changing
    }


def test_libraries_of_the_code_are_imported_before_and_are_recorded_alike(model, variables) -> None:
    model.source(
        "from sklearn.linear_model import LinearRegression\n\n"
        "def train(frame):\n    return LinearRegression().fit(frame[['x']], frame['y'])\n\n"
        "def predict(model, frame):\n    return model.predict(frame[['x']])\n"
    )
    alone = model.run().report
    began = time.process_time()
    forked = [model.run(parent=around(variables)).report for _ in range(2)]
    assert time.process_time() - began < 60
    assert [report["packages"] for report in forked] == [alone["packages"]] * 2
    assert [report["package"] for report in forked] == [alone["package"]] * 2
    assert forked[1]["cpu"] < alone["cpu"] / 2, "two imports of scikit-learn were saved"
    assert len(sockets(variables)) == 1


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import numpy as np\nfrom scipy import stats\n", ("numpy", "pandas", "scipy", "scipy.stats")),
        ("from sklearn.svm import SVC\nimport os, torch\n", ("pandas", "sklearn.svm")),
        ("def train(frame):\n    import sklearn\n", ("pandas",)),
        ("from .near import numpy\n", ("pandas",)),
        ("if True:\n    import numpy\n", ("pandas",)),
        ("not Python", ("pandas",)),
    ],
)
def test_a_template_imports_what_the_outermost_statements_of_the_code_import(source, modules) -> None:
    assert preloaded(source.encode()) == modules


def test_code_that_sets_variables_gets_a_process_of_its_own(model, variables) -> None:
    """A library that is imported already would not read them any more."""
    model.source(
        'import os\nos.environ["OMP_NUM_THREADS"] = "1"\nimport sys\nLOADED = "pandas" in sys.modules\n\n'
        "def train(frame):\n    assert not LOADED\n    return 1.0\n\ndef predict(model, frame):\n    return [model] * len(frame)\n"
    )
    model.run(parent=around(variables))
    assert sockets(variables) == []


def test_a_module_beside_the_code_is_not_hidden_by_one_of_the_same_name(model, variables) -> None:
    model.write({"models/m/confine.py": "ANSWER = 42.0\n"})
    model.params["model"]["code"].append("models/m/confine.py")
    model.source(
        "import confine\n\ndef train(frame):\n    return confine.ANSWER\n\n"
        "def predict(model, frame):\n    return [model] * len(frame)\n"
    )
    model.run(parent=around(variables))
    assert sockets(variables), "there was a template, which refused"
    assert pickle.loads((model.out / "package/model.pkl").read_bytes()) == 42.0


def test_a_fork_that_takes_too_long_is_ended_with_all_it_started(model, variables) -> None:
    marker = f"9{os.getpid()}.77"
    model.source(
        f"import subprocess, time\n\ndef train(frame):\n    subprocess.Popen(['sleep', '{marker}'], start_new_session=True)\n"
        f"    time.sleep({marker})\n"
    )
    model.params["train"]["timeout"] = 2
    with pytest.raises(TrainingFailed) as caught:
        model.run(parent=around(variables))
    assert caught.value.kind == "timeout"
    assert not any(marker in command for command in commands())


def commands() -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                found.append((entry / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(("code", "kind"), [("raise ValueError(3)", "raised"), ("os.kill(os.getpid(), 9)", "killed")])
def test_the_ways_to_fail_are_told_apart(model, variables, code, kind) -> None:
    model.source(f"import os\n\ndef train(frame):\n    print('so far', flush=True)\n    {code}\n")
    with pytest.raises(TrainingFailed) as caught:
        model.run(parent=around(variables))
    assert (caught.value.kind, "so far" in caught.value.log) == (kind, True)


def test_without_namespaces_a_fork_is_a_directory_s_isolation(model, variables) -> None:
    done = model.run(parent=around(variables), namespace=False)
    assert done.report["isolation"] == "directory"
    assert sockets(variables)


def test_an_interrupted_caller_ends_the_fork(model, variables) -> None:
    marker = f"9{os.getpid()}.88"
    model.source(f"import subprocess\n\ndef train(frame):\n    subprocess.run(['sleep', '{marker}'])\n")
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        while not any(marker in command for command in commands()):
            time.sleep(0.02)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        model.run(parent=around(variables))
    assert not any(marker in command for command in commands())


def test_templates_end_with_a_run_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from stellwerk.adapters.templates import held, worker_template\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "with held(folder):\n    assert worker_template((), at=folder, env={})\n"
        "    assert worker_template((), at=folder, env={}), 'asked again, the same serves'\n    os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    limit = time.monotonic() + 30
    while templates_in(tmp_path) and time.monotonic() < limit:
        time.sleep(0.02)
    assert templates_in(tmp_path) == []


def test_a_template_that_is_gone_is_done_without(model, variables) -> None:
    model.run(parent=around(variables))
    for pid in templates_in(Path(variables[TEMPLATES])):
        os.kill(pid, signal.SIGKILL)
    assert model.run(parent=around(variables)).report["task"] == "regression"
