"""`stellwerk lock`: real pip, a folder of small wheels in the place of an index."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stellwerk import __version__

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "adapters"))
from fake_wheels import make_wheel

FILE = ".github/stellwerk.txt"
WHEELS = """
    version: 1
    workflows: {python: "3.13", install: {from: wheels}}
"""
S3 = (
    "['remote \"storage\"']\n    url = s3://bucket/data\n['remote \"packages\"']\n    url = remote://storage/packages\n"
)


def make_folder(folder: Path) -> dict[str, str]:
    """A small tree: what is needed on Linux with Python 3.13, and what is needed elsewhere only."""
    needs = [
        "Needed.Always>=1",
        'only-windows; sys_platform == "win32"',
        'only-old; python_version < "3.13"',
        'only-new; python_full_version >= "3.13.1"',
        'pygithub; extra == "github"',
        'dvc-s3; extra == "s3"',
        'dvc-azure; extra == "azure"',
    ]
    extras = ("github", "s3", "azure")
    return {
        "stellwerk": make_wheel(folder, "stellwerk", __version__, needs=needs, extras=extras),
        "needed-always": make_wheel(folder, "Needed.Always", "1.5", needs=["compiled"]),
        "compiled": make_wheel(folder, "compiled", "2", tag="cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64"),
        "only-new": make_wheel(folder, "only_new", "1"),
        "pygithub": make_wheel(folder, "pygithub", "2.10"),
        "dvc-s3": make_wheel(folder, "dvc_s3", "3.2"),
    }


@pytest.fixture
def offline(repo):
    digests = make_folder(repo.root / "wheels")
    repo.gen({"mlops.yaml": WHEELS, ".dvc/config": S3})
    return repo, digests


def test_the_file_pins_what_the_runner_needs_whatever_this_machine_is(offline):
    repo, digests = offline
    done = repo.stellwerk("lock")
    assert done.returncode == 0, done.stderr
    text = repo.read(FILE)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line.partition("==")[0] for line in lines[::2]] == sorted(digests)
    assert dict(zip((line.partition("==")[0] for line in lines[::2]), lines[1::2], strict=True)) == {
        name: f"    --hash=sha256:{digest}" for name, digest in digests.items()
    }
    assert text.startswith("# What stellwerk[github,s3]==")
    assert "://" not in text
    assert "6 packages" in done.stdout
    assert "up to date" in repo.stellwerk("lock").stdout
    assert repo.stellwerk("lock", "--check").returncode == 0


def test_pip_installs_from_the_file_with_every_hash_required(repo, tmp_path):
    make_folder(repo.root / "wheels")
    make_wheel(repo.root / "wheels", "compiled", "3")  # for any machine, so for this Python as well
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    repo.gen({"mlops.yaml": WHEELS.replace("3.13", here)})
    make_wheel(repo.root / "wheels", "only_old", "1")
    assert repo.stellwerk("lock").returncode == 0
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--require-hashes", "--no-index"]
    command += ["--only-binary", ":all:", "--find-links", "wheels", "--requirement", FILE]
    environ = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, cwd=repo.root, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = subprocess.run(
        [python, "-c", "import stellwerk, pygithub; print(stellwerk.VERSION)"], capture_output=True, check=True
    )
    assert seen.stdout.decode().strip() == __version__
    make_wheel(repo.root / "wheels", "pygithub", "2.10", needs=["evil"])
    again = subprocess.run(
        [*command, "--force-reinstall"], cwd=repo.root, env=environ, capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in again.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "it is not there"),
        ("", "it does not pin stellwerk"),
        (f"stellwerk=={__version__}\n", "has no hash"),
        ("stellwerk==0.0.1 --hash=sha256:" + "0" * 64 + "\n", f"it pins stellwerk 0.0.1, not {__version__}"),
        (f"stellwerk=={__version__} --hash=sha256:{'0' * 64}\nmore>=1\n", "line 2: 'more>=1' has no hash"),
        (f"--index-url x\nstellwerk=={__version__} --hash=sha256:{'0' * 64}\n", "line 1"),
        (f"stellwerk=={__version__} --hash=md5:{'0' * 32}\n", "has no hash"),
    ],
)
def test_check_says_what_no_job_could_install_from(repo, text, words):
    repo.gen({"mlops.yaml": "version: 1\nworkflows: {}\n", **({FILE: text} if text is not None else {})})
    done = repo.stellwerk("lock", "--check")
    assert done.returncode == 1
    assert words in done.stdout


def test_a_version_that_is_nowhere_says_what_to_do_and_a_written_file_stays(offline):
    repo, _ = offline
    repo.gen({FILE: "mine\n"})
    done = repo.stellwerk("lock", "--version", "9.9")
    assert done.returncode == 1
    assert "stellwerk[github,s3]==9.9 is not in the folder of wheels" in done.stderr
    assert "--wheels DIR" in done.stderr
    assert "from: checkout" in done.stderr
    assert repo.read(FILE) == "mine\n"


def test_what_pip_says_is_shown(offline):
    repo, _ = offline
    (repo.root / "wheels/compiled-2-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl").unlink()
    done = repo.stellwerk("lock")
    assert done.returncode == 1
    assert "ERROR: No matching distribution found for compiled" in done.stderr
    assert not (repo.root / FILE).exists()


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("", "no workflows are declared"),
        ("workflows: {install: {from: checkout}}", "there is nothing to lock"),
        ("workflows: {install: {from: wheels}}", "there is no folder of wheels"),
        ("workflows: {install: {requirements: ../out.txt}}", "leads out of the repository"),
    ],
)
def test_where_nothing_can_be_locked_it_says_why(repo, declared, words):
    repo.gen({"mlops.yaml": f"version: 1\n{declared}\n"})
    done = repo.stellwerk("lock")
    assert done.returncode == 1
    assert words in done.stdout + done.stderr


def test_nothing_is_written_through_a_link(offline):
    repo, _ = offline
    (repo.root / ".github").symlink_to("wheels")
    repo.git("add", ".github")
    done = repo.stellwerk("lock")
    assert done.returncode == 1
    assert "symbolic link" in done.stdout + done.stderr
    assert not (repo.root / "wheels/stellwerk.txt").exists()


def test_validate_warns_until_the_file_is_there_and_whole(offline):
    repo, _ = offline
    assert (
        "warning[SW217]: the workflows install Stellwerk from .github/stellwerk.txt"
        in repo.stellwerk("validate").stdout
    )
    assert repo.stellwerk("lock").returncode == 0
    assert "SW217" not in repo.stellwerk("validate").stdout
    repo.gen({FILE: repo.read(FILE) + "more==1\n"})
    told = repo.stellwerk("validate")
    assert told.returncode == 0
    assert f"{FILE}:15" in told.stdout
    assert "'more==1' has no hash" in told.stdout
