"""`stellwerk stand-in` in real repositories: where it writes, and where it never does."""

import json

import pytest

DECLARED = """
    version: 1
    datasets:
      people:
        path: data/people.csv
        stand_in: people-stand-in
        key: [id]
        personal: [name]
        columns:
          id: {type: integer, min: 1}
          age: {type: integer, min: 18, max: 99}
          name: {type: string}
          city: {type: string, allowed: [Bern, Zug]}
      people-stand-in: {path: data/people-stand-in.csv}
      secret: {path: data/secret.parquet, columns: {x: {type: number}}}
    models: {churn: {source: churn.py, target: churned, train: {data: people}}}
"""


def test_it_writes_where_the_stand_in_belongs_and_the_same_bytes_again(repo):
    repo.gen({"mlops.yaml": DECLARED})
    done = repo.stellwerk("stand-in", "people", "--rows", "40")
    assert done.returncode == 0, done.stderr
    assert "Wrote 40 rows to data/people-stand-in.csv." in done.stdout
    text = repo.read("data/people-stand-in.csv")
    assert text.splitlines()[0] == "age,city,id,name,churned"
    assert len(text.splitlines()) == 41
    again = repo.stellwerk("stand-in", "people", "--rows", "40")
    assert "has these rows already" in again.stdout
    assert sorted(path.name for path in (repo.root / "data").iterdir()) == ["people-stand-in.csv"]


def test_another_file_is_replaced_only_with_force(repo):
    repo.gen({"mlops.yaml": DECLARED, "data/people-stand-in.csv": "id\n1\n"})
    refused = repo.stellwerk("stand-in", "people", "--rows", "4")
    assert refused.returncode == 1
    assert "--force" in refused.stderr
    assert repo.read("data/people-stand-in.csv") == "id\n1\n"
    assert [path.name for path in (repo.root / "data").iterdir()] == ["people-stand-in.csv"]
    assert repo.stellwerk("stand-in", "people", "--rows", "4", "--force").returncode == 0
    assert repo.read("data/people-stand-in.csv").startswith("age,city,")


@pytest.mark.parametrize("way", ["data/people.csv", "data/../data/people.csv", "link.csv", "folder/people.csv"])
@pytest.mark.parametrize("there", [True, False])
def test_real_rows_are_never_written_over_whatever_leads_to_them(repo, way, there):
    repo.gen({"mlops.yaml": DECLARED, "data/.keep": "", **({"data/people.csv": "id\n7\n"} if there else {})})
    (repo.root / "link.csv").symlink_to("data/people.csv")
    (repo.root / "folder").symlink_to("data")
    refused = repo.stellwerk("stand-in", "people", "--rows", "4", "--out", way, "--force")
    assert refused.returncode == 1
    assert "may hold real rows" in refused.stderr
    assert (repo.root / "data/people.csv").exists() == there
    if there:
        assert repo.read("data/people.csv") == "id\n7\n"


@pytest.mark.parametrize("form", ["csv", "parquet", "jsonl"])
def test_the_name_of_the_file_says_its_format(repo, form):
    from stellwerk.data.frames import read_rows

    repo.gen({"mlops.yaml": DECLARED})
    done = repo.stellwerk("stand-in", "secret", "--rows", "25", "--out", f"out.{form}", "--seed", "3")
    assert done.returncode == 0, done.stderr
    assert len(read_rows(repo.root / f"out.{form}", form)) == 25


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("secret", "--rows", "5"), "declares no `stand_in`"),
        (("peeple", "--rows", "5"), "did you mean 'people'"),
        (("secret", "--rows", "5", "--out", "a.xlsx"), "does not say the format"),
        (("secret", "--rows", "5", "--out", "no/where.csv"), "no such folder"),
        (("people-stand-in", "--rows", "5", "--out", "a.csv"), "nothing is declared"),
        (("people", "--rows", "0"), "--rows"),
    ],
)
def test_what_cannot_be_made_is_said_with_what_to_type(repo, words, said):
    repo.gen({"mlops.yaml": DECLARED})
    done = repo.stellwerk("stand-in", *words)
    assert done.returncode in {1, 64}
    assert said in done.stderr
    assert not (repo.root / "data").exists() or not list((repo.root / "data").iterdir())


def test_few_possible_rows_are_said(repo):
    repo.gen({"mlops.yaml": "version: 1\ndatasets: {d: {path: d.csv, columns: {x: {allowed: [1, 2]}}}}\n"})
    done = repo.stellwerk("stand-in", "d", "--rows", "5", "--out", "made.csv")
    assert "allows only 2 different rows" in done.stdout


def test_the_profile_of_the_newest_version_trained_on_it_is_followed(repo):
    import pandas as pd

    from stellwerk.data.profile import profile
    from stellwerk.declarations.records import dump
    from stellwerk.planning.rules.release_examples import born

    repo.gen({"mlops.yaml": DECLARED}, commit="declare")
    for number, dataset, share in ((1, "people", 0.5), (2, "people", 0.1), (3, "secret", 0.9)):
        rows = pd.DataFrame({"city": ["Bern"] * int(1000 * share) + ["Zug"] * int(1000 * (1 - share)), "name": "Ada"})
        folder = f"registry/churn/{number}"
        record = dump(born("churn", number, dataset).record)
        repo.gen(
            {f"{folder}/version.yaml": record, f"{folder}/profile.json": json.dumps(profile(rows, min_group=10))},
            commit="record",
        )
    done = repo.stellwerk("stand-in", "people", "--rows", "1000")
    assert done.returncode == 0, done.stderr
    assert "The distributions follow the profile of churn@2." in done.stdout
    text = repo.read("data/people-stand-in.csv")
    assert 70 < text.count(",Bern,") < 130
    assert ",Ada," not in text


def test_a_recorded_profile_is_not_followed_below_todays_bound():
    from types import SimpleNamespace

    from stellwerk.app.stand_in import _profile
    from stellwerk.model.declared import Dataset, Limits, Model, Project, Train
    from stellwerk.model.observed import ModelFacts

    recorded = {"rows": 50, "min_group": 5, "columns": {}}
    files = {"registry/churn/2/profile.json": json.dumps(recorded).encode()}
    tree = SimpleNamespace(read=lambda paths: {path: files[path] for path in paths if path in files})
    people = Dataset(name="people", path="people.csv")
    born = {
        number: SimpleNamespace(record=SimpleNamespace(data=SimpleNamespace(dataset=name)))
        for number, name in ((1, "people"), (2, "people"), (3, "others"))
    }
    for bound, expected in ((5, recorded), (10, {})):
        project = Project(
            datasets=(people,),
            models=(Model(name="churn", train=Train(data="people")),),
            limits=Limits(min_group=bound),
        )
        observed = SimpleNamespace(models={"churn": ModelFacts(versions=born)})
        found, notes = _profile(SimpleNamespace(project=project, observed=observed, tree=tree), people)
        assert found == expected
        assert notes
