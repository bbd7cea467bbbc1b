"""What every test stands on: an isolated process environment, a real git repository, the installed command.

A test builds its repository in its own body: `repo.gen({"mlops.yaml": "version: 1"}, commit="declare")`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

CHECKOUT = Path(__file__).resolve().parent.parent
DATE = "2026-01-31T12:00:00+00:00"
SCRIPTS = sysconfig.get_path("scripts")
INTERPRETER = ("LANG", "LC_", "PYTHON")  # what a process heeds when it starts
PRELOADED = (
    "dvc.repo.reproduce",
    "dvc_data.hashfile.build",
    "dvc_data.hashfile.transfer",
    "dvc_s3",
    "git",
    "jsonschema",
    "pandas",
    "stellwerk.app.run",
    "stellwerk.app.session",
    "stellwerk.app.setup",
    "stellwerk.cli.reconcile",
    "stellwerk.reconcile.check",
    "stellwerk.reconcile.snapshot",
)
INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
INHERITED_PREFIXES = ("STELLWERK_TEST_", "COV", "HYPOTHESIS", "PIP_", "PYTEST", "SSL_", "LD_", "REQUESTS_", "UV_")

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

settings.register_profile("patient", deadline=None)  # the first example pays for slow imports
settings.load_profile("patient")


def pytest_report_header() -> str:
    """Say which Stellwerk is tested; with STELLWERK_TEST_INSTALLED it must not be the checkout's own source."""
    import stellwerk

    origin = Path(stellwerk.__file__).resolve()
    if os.environ.get("STELLWERK_TEST_INSTALLED") and origin.is_relative_to(CHECKOUT / "src"):
        pytest.exit(f"tests must run against the installed wheel, not {origin}", returncode=4)
    return f"stellwerk {stellwerk.__version__} from {origin.parent}"


@pytest.fixture(scope="session")
def session_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables by which all runs of a session find the same templates, so that not each pays for its own imports."""
    from stellwerk.adapters.templates import held

    with held(tmp_path_factory.mktemp("forks")) as variables:
        yield variables


@pytest.fixture(autouse=True)
def isolated_environment(
    request: pytest.FixtureRequest,
    session_templates: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Give the test a home of its own; nothing of the person's git, DVC or CI gets in. Returns the home.

    Signals that the suite was told to ignore or to hold back, as `nohup pytest &` does, reach tests and what they start.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name not in INHERITED and not name.startswith(INHERITED_PREFIXES):
            monkeypatch.delenv(name)
    person = {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com", "DATE": DATE}
    for name, value in {
        "HOME": home,
        "USERPROFILE": home,
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "XDG_CONFIG_HOME": home / ".config",
        "XDG_CACHE_HOME": home / ".cache",
        "XDG_DATA_HOME": home / ".local/share",
        "XDG_STATE_HOME": home / ".local/state",
        "XDG_CONFIG_DIRS": home / "etc/xdg",
        "GIT_CONFIG_GLOBAL": home / ".gitconfig",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in person.items()},
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": home / ".config/dvc",
        "DVC_SYSTEM_CONFIG_DIR": home / "etc/dvc",
        "DVC_SITE_CACHE_DIR": home / ".cache/dvc-site",
        "STELLWERK_CACHE": home / ".cache/stellwerk",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # a model's tests need none of ours, which take 4 s to import
    }.items():
        monkeypatch.setenv(name, str(value))
    if request.node.get_closest_marker("own_templates") is None:
        for name, value in session_templates.items():
            monkeypatch.setenv(name, value)
    # `dvc` and `stellwerk` are found as in an activated environment.
    monkeypatch.setenv("PATH", f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    (home / ".gitconfig").write_text("[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n")
    time.tzset()
    return home


def run_stellwerk(
    *args: str | Path,
    cwd: Path,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a process of its own; never raises for an exit code."""
    environ = {**os.environ, **(env or {})}
    plain = any(name.startswith(INTERPRETER) for name in env or {})
    return subprocess.run(
        [*([] if plain else _forked(environ)), Path(SCRIPTS) / "stellwerk", *args],
        cwd=cwd,
        input=stdin,
        env=environ,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def _forked(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The words before the command by which a template does its work, if the session has one."""
    from stellwerk.adapters.dvc.trainer import ASK, CALL
    from stellwerk.adapters.templates import TEMPLATES, start_template

    folder = environ.get(TEMPLATES)
    if not folder or not start_template("stage", PRELOADED, at=Path(folder), name="cli", env=environ, flags=("-P",)):
        return ()
    return (*ASK, folder, "cli", CALL, "1")


@pytest.fixture(scope="session")
def forked() -> Callable[[Mapping[str, str]], tuple[str, ...]]:
    """`(*forked(environ), command, ...)` has a template of the session do the command's work, where `environ` names them."""
    return _forked


class Repo:
    """A git repository in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *args: str | Path, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """The standard output of git, without the last newline; git's own words when it fails."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.root,
            input=stdin,
            env={**os.environ, **(env or {})},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"git {' '.join(map(str, args))}: {done.stderr or done.stdout}"
        return done.stdout.removesuffix("\n")

    def gen(
        self,
        files: Mapping[str, str | bytes | None],
        *,
        commit: str | None = None,
        author: str | None = None,
        date: str = DATE,
    ) -> str:
        """Write files (None deletes) and commit them, if a message is given. Returns HEAD's id, '' when unborn.

        A text that starts with a line break is dedented, so that it can be indented as the test is; all other
        contents are written as they are. `author` is `Name <email>`.
        """
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                text = textwrap.dedent(content[1:]) if content.startswith("\n") else content
                path.write_bytes(text.encode())
            else:
                path.write_bytes(content)
        if commit is not None:
            if files:
                self.git("add", "--all", "--force", "--", *files)
            whose = ("--author", author) if author else ()
            dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
            self.git("commit", "--quiet", "--allow-empty", "--message", commit, *whose, env=dates)
        return self.head()

    def head(self) -> str:
        """The commit that is checked out; '' on an unborn branch."""
        return self.git("for-each-ref", "--count=1") and self.git("rev-parse", "HEAD")

    def read(self, name: str) -> str:
        return (self.root / name).read_bytes().decode()

    def log(self, revisions: str = "HEAD") -> list[str]:
        """One-line summaries, newest first."""
        return self.git("log", "--format=%s", revisions).splitlines()

    def status(self) -> str:
        """Everything that is not committed, in git's short form; '' when clean."""
        return self.git("status", "--porcelain", "--untracked-files=all")

    def remote(self, name: str = "origin") -> Path:
        """Create a bare repository beside this one, make it the upstream and push what is committed."""
        bare = self.root.parent / f"{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
        self.git("remote", "add", name, bare)
        if self.head():
            self.git("push", "--quiet", "--set-upstream", name, "HEAD")
        return bare

    def clone(self, name: str = "clone") -> Repo:
        """Clone the remote (or this repository, if it has none) into a folder beside it: another machine."""
        source = self.git("remote", "get-url", "origin") if self.git("remote") else str(self.root)
        target = self.root.parent / name
        subprocess.run(["git", "clone", "--quiet", source, target], check=True)
        return Repo(target)

    def stellwerk(self, *args: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        """Run the installed command in this repository."""
        return run_stellwerk(*args, cwd=self.root, **options)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """An empty git repository on an unborn `main`."""
    root = tmp_path / "repo"
    root.mkdir()
    made = Repo(root)
    made.git("init", "--quiet", "--initial-branch=main")
    return made


@pytest.fixture
def stellwerk() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The installed command: `stellwerk("plan", cwd=path)`."""
    return run_stellwerk


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The repository of Stellwerk itself, which is the reference project."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Real data that the project does not contain: `shared_data("bike_hour.csv")`; skips where absent."""
    asked = os.environ.get("STELLWERK_TEST_DATA")
    folder = Path(asked) if asked else CHECKOUT.parent / "shared/data"

    def find(name: str) -> Path:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"{name} is not in {folder}: set STELLWERK_TEST_DATA to the folder that holds it")
        return path

    return find


@pytest.fixture
def python() -> Path:
    """The interpreter the tests run in."""
    return Path(sys.executable)
