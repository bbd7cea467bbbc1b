"""A model's environment is made once per requirements and Python, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stellwerk.adapters.environments import cache_folder, python_for
from stellwerk.errors import StellwerkError


def test_without_requirements_the_running_interpreter_serves(tmp_path) -> None:
    assert python_for(None, cache_dir=tmp_path) == Path(sys.executable)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_where_the_environment_says() -> None:
    assert cache_folder({"STELLWERK_CACHE": "/a"}) == Path("/a")
    assert cache_folder({"XDG_CACHE_HOME": "/b"}) == Path("/b/stellwerk")
    assert cache_folder({}) == Path.home() / ".cache/stellwerk"


def test_an_environment_is_made_once_even_when_two_ask(tmp_path, bare_environment) -> None:
    requirements = tmp_path / bare_environment(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: python_for(requirements, cache_dir=tmp_path / "cache"), range(2))
    assert first == second
    answer = subprocess.run(
        [first, "-c", "import small; print(small.VERSION)"], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "1\n"
    marker = first.parent.parent / ".complete"
    made = marker.stat().st_mtime_ns
    assert python_for(requirements, cache_dir=tmp_path / "cache") == first
    assert marker.stat().st_mtime_ns == made


def test_requirements_that_cannot_be_met_show_pips_words_and_leave_nothing(tmp_path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{tmp_path}/gone-1-py3-none-any.whl\n")
    with pytest.raises(StellwerkError, match="cannot be made") as caught:
        python_for(requirements, cache_dir=tmp_path / "cache")
    assert "gone-1-py3-none-any.whl" in caught.value.message
    assert caught.value.where == str(requirements)
    assert [path.suffix for path in (tmp_path / "cache/environments").iterdir() if path.is_dir()] == []


def test_unreadable_requirements_are_an_error(tmp_path) -> None:
    with pytest.raises(StellwerkError, match="cannot be read"):
        python_for(tmp_path / "gone.txt", cache_dir=tmp_path)
