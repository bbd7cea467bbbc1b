"""The fixtures keep their promises; every other test leans on them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def test_the_home_and_git_configuration_of_the_person_are_out_of_reach(repo, isolated_environment):
    assert os.environ["HOME"] == str(isolated_environment)
    origins = repo.git("config", "--list", "--show-origin").splitlines()
    allowed = (f"file:{isolated_environment}", "file:.git/config")
    assert all(line.startswith(allowed) for line in origins)


def test_two_repositories_with_the_same_content_have_the_same_commit(repo, tmp_path):
    first = repo.gen({"a.txt": "one"}, commit="say one")
    other = type(repo)(tmp_path / "other")
    other.root.mkdir()
    other.git("init", "--quiet")
    assert other.gen({"a.txt": "one"}, commit="say one") == first


def test_gen_dedents_text_that_starts_with_a_line_break_and_leaves_other_text_alone(repo):
    repo.gen({"a.yaml": "\n        a:\n          b: 1\n", "b.txt": "  kept\r\n", "c.bin": b"\x00\xff"})
    assert repo.read("a.yaml") == "a:\n  b: 1\n"
    assert (repo.root / "b.txt").read_bytes() == b"  kept\r\n"
    assert (repo.root / "c.bin").read_bytes() == b"\x00\xff"


def test_gen_deletes_with_none(repo):
    repo.gen({"a.txt": "one", "b.txt": "two"}, commit="write")
    repo.gen({"a.txt": None}, commit="delete")
    assert repo.git("ls-files") == "b.txt"
    assert repo.status() == ""


def test_an_unborn_repository_has_no_head(repo):
    assert repo.head() == ""
    assert repo.gen({"a.txt": "one"}) == ""


def test_a_clone_sees_what_the_remote_got(repo):
    head = repo.gen({"a.txt": "one"}, commit="write")
    repo.remote()
    assert repo.clone().head() == head


@pytest.mark.own_templates
def test_the_installed_command_runs_as_a_process(stellwerk, tmp_path: Path):
    done = stellwerk("--version", cwd=tmp_path)
    assert isinstance(done, subprocess.CompletedProcess)
    assert (done.returncode, done.stderr) == (0, "")
    assert "stellwerk" in done.stdout.lower()
