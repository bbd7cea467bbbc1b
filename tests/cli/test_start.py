import subprocess
import sys

import pytest

from stellwerk import __version__

SLOW = ("yaml", "rich", "git", "pandas", "dvc", "jsonschema", "numpy", "sklearn", "stellwerk.model", "pathlib")
LIST_MODULES = "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules))); "
START = LIST_MODULES + "from stellwerk.cli.main import main; main(sys.argv[1:])"


def modules(code, *args, cwd):
    """The modules that a Python process has loaded when it ends."""
    result = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=cwd, capture_output=True, text=True, check=True, timeout=60
    )
    return set(result.stderr.split())


@pytest.mark.parametrize("args", [("--version",), ("--help",), ("completion", "bash")])
def test_starting_loads_no_slow_package_that_click_does_not_load_itself(args, tmp_path):
    loaded = modules(START, *args, cwd=tmp_path) - modules(f"{LIST_MODULES} import click", cwd=tmp_path)
    assert "stellwerk.cli.main" in loaded
    allowed = {"pathlib"} if args != ("--version",) else set()
    slow = {name for name in loaded for bad in SLOW if name == bad or name.startswith(f"{bad}.")}
    assert slow - allowed == set()


def test_only_the_verb_that_was_asked_for_is_imported(tmp_path):
    loaded = modules(START, "plan", "--help", cwd=tmp_path)
    assert {name for name in loaded if name.startswith("stellwerk.cli.")} == {
        "stellwerk.cli.boundary",
        "stellwerk.cli.console",
        "stellwerk.cli.main",
        "stellwerk.cli.options",
        "stellwerk.cli.plan",
    }


def test_the_module_runs_as_a_program_and_says_its_version(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "stellwerk", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout == f"stellwerk {__version__}\n"
