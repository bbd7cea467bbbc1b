"""The reference project: what ships is what the repository shows, and it is what its documentation claims."""

from __future__ import annotations

import csv
import json
import tomllib

import pytest
import yaml
from jsonschema import Draft202012Validator

from stellwerk.demo.reference import FILES, OWN, copy_reference, generate_data
from stellwerk.errors import StellwerkError
from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import read_notebook
from stellwerk.render.seal import sealed


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_wheel_ships_every_file_of_the_reference_project(checkout):
    included = tomllib.loads((checkout / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    shipped = {source for source, target in included["force-include"].items() if "/reference/" in target}
    assert shipped == set(FILES)
    written = {path.relative_to(checkout).as_posix() for path in checkout.glob("environments/*.yaml")}
    assert written <= shipped


def test_a_copy_is_the_repository_s_own_project_without_what_is_only_for_stellwerk_s_own_repository(tmp_path, checkout):
    copied = copy_reference(tmp_path)
    assert set(FILES) < set(copied)
    for name in copied:
        own = (checkout / name).read_bytes().splitlines(keepends=True)
        assert (tmp_path / name).read_bytes() == b"".join(line for line in own if OWN not in line)
    assert OWN in (checkout / "mlops.yaml").read_bytes()


def test_a_copy_overwrites_nothing(tmp_path):
    (tmp_path / "mlops.yaml").write_text("version: 1\n")
    with pytest.raises(StellwerkError, match="overwrite"):
        copy_reference(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mlops.yaml"]


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".yaml")])
def test_every_declaration_fits_the_schema_that_its_first_line_names(checkout, name):
    path = checkout / name
    text = path.read_text()
    marker = "# yaml-language-server: $schema="
    assert text.startswith(marker)
    schema = json.loads((path.parent / text.splitlines()[0].removeprefix(marker)).read_text())
    Draft202012Validator(schema).validate(json.loads(json.dumps(yaml.safe_load(text), default=str)))


def test_a_season_more_adds_rows_and_changes_none(tmp_path):
    copy_reference(tmp_path)
    generate_data(tmp_path, seasons=8)
    before = (tmp_path / "data/sales.csv").read_bytes()
    generate_data(tmp_path, seasons=9)
    after = (tmp_path / "data/sales.csv").read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_the_data_keep_the_declared_columns_and_key(tmp_path):
    copy_reference(tmp_path)
    generate_data(tmp_path)
    datasets = yaml.safe_load((tmp_path / "mlops.yaml").read_text())["datasets"]
    columns = datasets["sales"]["columns"]
    for dataset in datasets.values():
        found = rows(tmp_path / dataset["path"])
        assert set(found[0]) == set(columns)
        assert len({tuple(row[name] for name in dataset["key"]) for row in found}) == len(found)
        assert {row["season"] for row in found} == set(columns["season"]["allowed"])
        assert min(int(row["sold"]) for row in found) >= 0


def test_no_row_of_the_stand_in_repeats_the_truth(tmp_path):
    copy_reference(tmp_path)
    generate_data(tmp_path)
    kept = ("day", "style", "price", "sold")
    truth, made_up = (
        {tuple(row[name] for name in kept) for row in rows(tmp_path / f"data/{name}.csv")}
        for name in ("sales", "sales-stand-in")
    )
    assert not truth & made_up


def test_the_module_in_the_repository_is_what_its_notebook_becomes(checkout):
    path = "models/shoe-demand/demand.ipynb"
    made = convert(read_notebook(path, (checkout / path).read_bytes()), model="shoe-demand", local=frozenset())
    assert made.problems == ()
    assert (checkout / "models/shoe-demand/demand.py").read_text() == sealed(made.module, path)
    assert (checkout / "models/shoe-demand/tests/test_demand.py").read_text() == sealed(made.tests, path)
    assert made.tests.count("def test_") == 4


def test_the_notebook_is_saved_as_jupyter_saves_it_and_without_outputs(checkout):
    content = (checkout / "models/shoe-demand/demand.ipynb").read_bytes()
    notebook = json.loads(content)
    assert (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode() == content
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook["cells"])
