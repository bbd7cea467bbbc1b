"""A package's contract and digest are laws of its content."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Command
from stellwerk.training.contract import Code, Contract
from stellwerk.training.package import package_digest, read_contract


def made(cls, **parts):
    """Values of that class, whose hints name what only its own module knows."""
    return st.fixed_dictionaries(parts).map(lambda values: cls(**values))


NAMES = st.text(min_size=1, max_size=20)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
CODE = made(
    Code,
    source=st.none() | NAMES,
    command=st.none() | st.builds(Command, train=NAMES, predict=NAMES),
    files=st.lists(NAMES, max_size=3).map(tuple),
    requirements=st.none() | NAMES,
    params=st.dictionaries(NAMES, SCALARS, max_size=3),
    seed=st.integers(),
    target=NAMES,
    data_format=st.sampled_from(["csv", "jsonl", "parquet"]),
)
CONTRACTS = made(
    Contract,
    code=CODE,
    format=st.sampled_from(["skops", "joblib", "pickle", "command"]),
    task=st.sampled_from(["regression", "classification"]),
    positive=SCALARS,
    columns=st.dictionaries(NAMES, st.sampled_from(["int64", "str"]), max_size=4),
    python=st.just("3.11"),
)


@given(CONTRACTS)
def test_a_contract_read_back_is_the_same(contract: Contract) -> None:
    assert Contract.from_json(json.loads(json.dumps(contract.to_json()))) == contract


def folder(path: Path, files: dict[str, bytes]) -> Path:
    contract = Contract(
        code=Code(
            source="m.py", command=None, files=(), requirements=None, params={}, seed=0, target="y", data_format="csv"
        ),
        format="pickle",
        task="regression",
        positive=None,
        columns={},
        python="3.11",
    )
    path.mkdir(parents=True)
    (path / "package.json").write_text(json.dumps(contract.to_json()))
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def test_the_digest_is_of_names_and_bytes_only(tmp_path) -> None:
    one = folder(tmp_path / "one", {"code/a.py": b"a", "code/b.py": b"b", "model.pkl": b"m"})
    two = folder(tmp_path / "elsewhere/two", {"model.pkl": b"m", "code/b.py": b"b", "code/a.py": b"a"})
    digest = package_digest(one)
    assert package_digest(two) == digest
    assert (digest.files, digest.format) == (4, "pickle")
    assert digest.size == sum(path.stat().st_size for path in one.rglob("*") if path.is_file())
    swapped = folder(tmp_path / "three", {"code/a.py": b"b", "code/b.py": b"a", "model.pkl": b"m"})
    renamed = folder(tmp_path / "four", {"code/a.py": b"a", "code/c.py": b"b", "model.pkl": b"m"})
    assert len({package_digest(path).sha256 for path in (one, swapped, renamed)}) == 3


def test_links_in_a_package_are_refused(tmp_path) -> None:
    made = folder(tmp_path / "one", {})
    (made / "link").symlink_to("/etc/passwd")
    with pytest.raises(StellwerkError, match="link is a link or a device"):
        package_digest(made)


def test_a_folder_that_is_no_package_says_so(tmp_path) -> None:
    (tmp_path / "package.json").write_text("[]")
    with pytest.raises(StellwerkError, match="this is no package of Stellwerk"):
        read_contract(tmp_path)
