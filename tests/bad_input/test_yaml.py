"""Declarations that are hostile, broken or just unusual, given to the command."""

import time

import pytest
from projects import CODE, DATA, MLOPS


def tree(repo, text):
    repo.gen({"mlops.yaml": text, "data/sales.csv": DATA, "models/demand/demand.py": CODE})
    return repo


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{'bcdefghi'[i]}: &{'bcdefghi'[i]} [{', '.join(['*' + 'abcdefghi'[i]] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ALIASES, ["mlops.yaml:1", "anchor"]),
        ("version: 1\ndatasets:\n\tsales: {path: a.csv}\n", ["mlops.yaml:3", "tab"]),
        (b"\xef\xbb\xbf" + MLOPS.encode(), ["mlops.yaml:1"]),
        (MLOPS + "version: 1\n", ["mlops.yaml:4", "'version' is already set in line 1"]),
        (b"version: 1\nproject: \xff\xfe\n", ["mlops.yaml:2", "UTF-8"]),
        ("version: 1\n<<<<<<< HEAD\nproject: a\n=======\nproject: b\n>>>>>>> other\n", ["mlops.yaml:2", "merge"]),
        ("", ["mlops.yaml:1", "declares nothing"]),
        ("- version: 1\n", ["mlops.yaml:1"]),
        ("version: 1\nmodels: !!python/object/apply:os.system ['touch owned']\n", ["mlops.yaml:2", "tag"]),
        ("[" * 5000, ["mlops.yaml:1"]),
    ],
    ids=["alias-bomb", "tabs", "bom", "duplicate", "not-utf-8", "conflict", "empty", "list", "tag", "deep"],
)
def test_a_broken_declaration_is_a_mistake_at_its_place(repo, refused, text, words):
    tree(repo, text).git("add", "--all")
    for verb in ("validate", "plan", "reconcile"):
        done = repo.stellwerk(verb, timeout=20)
        if done.returncode == 0 and text[:3] == b"\xef\xbb\xbf":
            return  # a byte order mark may as well be read
        refused(done, 1, *words)
    assert not (repo.root / "owned").exists()


def test_a_100_mb_declaration_is_refused_quickly(repo, refused):
    tree(repo, "version: 1\nproject: " + "x" * 100_000_000 + "\n")
    started = time.monotonic()
    said = refused(repo.stellwerk("validate", timeout=60), 1, "mlops.yaml")
    assert len(said) < 5000
    assert time.monotonic() - started < 15


def test_windows_line_ends_mean_the_same(small):
    before = small.repo.stellwerk("plan", "--format", "json").stdout
    small.repo.gen({"mlops.yaml": MLOPS.replace("\n", "\r\n")})
    done = small.repo.stellwerk("plan", "--format", "json")
    assert (done.returncode, done.stdout) == (0, before)


def test_two_models_with_one_source_are_two_models(small):
    second = MLOPS.replace(
        "models: {demand:",
        "models: {supply: {source: models/demand/demand.py, target: x, train: {data: sales}}, demand:",
    )
    small.repo.gen({"mlops.yaml": second}, commit="two models")
    assert [key for key in small.steps() if key.startswith("train")] == ["train:demand", "train:supply"]


def test_two_datasets_with_one_path_are_a_mistake(small, refused):
    text = MLOPS.replace(
        "{sales: {path: data/sales.csv}}", "{sales: {path: data/sales.csv}, copy: {path: data/sales.csv}}"
    )
    small.repo.gen({"mlops.yaml": text}, commit="two datasets")
    for verb in ("validate", "plan", "reconcile"):
        refused(small.repo.stellwerk(verb), 1, "data/sales.csv", "copy")


def test_unicode_names_reach_production(small):
    text = (
        MLOPS.replace("demand:", "größe-予測:").replace("{sales:", "{продажи:").replace("data: sales", "data: продажи")
    )
    small.repo.gen({"mlops.yaml": text}, commit="unicode")
    done = small.repo.stellwerk("validate")
    if done.returncode:  # names may be restricted, in words
        assert "größe-予測" in done.stdout + done.stderr
        return
    assert small.reconcile().problems == ()
    assert small.trainings() == ["train: größe-予測 v1"]
    done = small.repo.stellwerk("status")
    assert "größe-予測" in done.stdout
    assert small.repo.stellwerk("status", env={"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}).returncode == 0


def test_a_name_of_200_characters_works_or_is_a_mistake_in_words(small, refused):
    name = "demand" * 34
    small.repo.gen({"mlops.yaml": MLOPS.replace("demand:", f"{name}:")}, commit="a long name")
    done = small.repo.stellwerk("validate")
    if done.returncode:
        refused(done, 1, "mlops.yaml:3", "name")
        return
    assert small.reconcile().problems == ()
    assert small.trainings() == [f"train: {name} v1"]
    assert small.repo.stellwerk("status").returncode == 0


def test_a_data_file_that_is_not_there_fails_in_words(small, refused):
    (small.root / "data/sales.csv").unlink()
    refused(small.repo.stellwerk("reconcile"), 1, "data/sales.csv")
    assert small.trainings() == []


@pytest.mark.parametrize("content", ["", "id,x,part,sold\n", "\x00\x01\x02", "id,x,part,sold\n1,2\n1,2,3,4,5,6\n"])
def test_data_that_are_no_table_fail_in_words(small, refused, content):
    (small.root / "data/sales.csv").write_text(content)
    refused(small.repo.stellwerk("reconcile"), 1, "sales")
    assert small.trainings() == []
    assert small.repo.status() == ""
