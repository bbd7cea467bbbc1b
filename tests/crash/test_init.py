"""`stellwerk init` killed at any effect: the next one finishes, and nothing is there twice or by half."""

import os
import re

from scenarios import SHORT, Company, write_files

ALL = os.environ.get("STELLWERK_CRASH") == "all"
FEW = 3
UNIMPORTANT = re.compile(
    r"repo/\.git/(hooks|info|description|index|objects|refs|branches)(/|$)|repo/\.dvc/tmp/(?!\..*)"
)


def contents(company):
    """Every file that a person would see or DVC reads, by path."""
    found = {}
    for file in sorted(company.base.rglob("*")):
        path = file.relative_to(company.base).as_posix()
        if file.is_file() and not UNIMPORTANT.match(path):
            found[path] = file.read_bytes()
    found["repo/.dvcignore"] = "repo/.dvcignore" in found  # a comment of DVC's
    return found


def test_a_killed_init_is_finished_by_the_next_one(victims, tmp_path):
    fresh = Company(tmp_path / "fresh", victims)
    write_files(fresh, {path: text for path, text in SHORT.items() if path != "mlops.yaml"})
    done = fresh.copy(tmp_path / "done")
    effects = done.good("init", watch=True).effects
    expected = contents(done)
    assert "repo/mlops.yaml" in expected
    assert "repo/.dvc/config" in expected
    indices = range(len(effects)) if ALL else range(1, len(effects), len(effects) // FEW)
    for index in indices:
        company = fresh.copy(tmp_path / f"{index}")
        killed = company.run("init", stop=index)
        assert killed.killed
        company.good("init")
        assert contents(company) == expected, f"killed at {index}, {killed.words}"
        company.good("init")
        assert contents(company) == expected
        company.remove()
