"""What changes a fingerprint and what never does, on the text that people write."""

import ast
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.declarations.compose import load_declarations
from stellwerk.planning.candidate import find_candidate
from stellwerk.planning.code import imports_of, normal_form
from stellwerk.planning.observe import observe

MAIN = """\
version: 1
teams:
  ai: {members: [ada], contact: ai@example.com}
datasets:
  customers: {path: data/customers.csv}
  loans: {path: data/loans.csv}
models:
  churn:
    source: churn/model.py
    inputs: [churn/words.txt]
    requirements: churn/requirements.txt
    target: churned
    task: classification
    positive: "yes"
    features: {exclude: [id]}
    train:
      data: customers
      seed: 7
      params: {depth: 3, rate: 0.1, kind: tree}
      holdout: {fraction: 0.25}
    thresholds: {accuracy: {min: 0.8}}
  other:
    command: {train: ./train.sh, predict: ./predict.sh}
    inputs: [train.sh]
    target: paid
    train: {data: loans}
"""
FILES = {
    "mlops.yaml": MAIN,
    "churn/model.py": "import numpy\nfrom tools.text import words\nfrom . import near\n\ndef train(frame):\n    return 1\n",
    "churn/near.py": "NEAR = 1\n",
    "churn/words.txt": "a\n",
    "churn/requirements.txt": "numpy==2.0\n",
    "tools/__init__.py": "",
    "tools/text.py": "from .deep import deeper\n\nwords = deeper\n",
    "tools/deep/__init__.py": "DEEP = 1\n",
    "tools/deep/deeper.py": "import tools.numbers\n",
    "tools/numbers.py": "ONE = 1\n",
    "tools/unrelated.py": "X = 1\n",
    "train.sh": "#!/bin/sh\n",
    "data/customers.csv.dvc": "outs:\n- md5: " + "a" * 32 + "\n  size: 3\n  path: customers.csv\n",
    "data/loans.csv.dvc": "outs:\n- md5: " + "b" * 32 + "\n  size: 3\n  path: loans.csv\n",
}


class MemoryTree:
    def __init__(self, files):
        self.files = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}

    def blobs(self):
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}

    def read(self, paths):
        return {path: self.files[path] for path in paths if path in self.files}

    def symlinks(self):
        return frozenset()


class NoCache:
    def get(self, kind, blob):
        return None

    def put(self, kind, blob, value):
        pass


def fingerprint(files, name="churn"):
    tree = MemoryTree(files)
    declarations, findings = load_declarations(tree)
    assert [finding for finding in findings if finding.severity == "error"] == []
    project = declarations.project
    observed = observe(project, tree, tree, cache=NoCache(), basis="")
    (model,) = [item for item in project.models if item.name == name]
    return find_candidate(model, observed).fingerprint


def changed(path="mlops.yaml", old="", new=""):
    assert old in FILES[path]
    return {**FILES, path: FILES[path].replace(old, new, 1) if old else FILES[path] + new}


SAME = fingerprint(FILES)
NEVER = {
    "a comment": changed(old="models:", new="# why\nmodels: # here\n"),
    "the order of keys": changed(
        old="      seed: 7\n      params: {depth: 3, rate: 0.1, kind: tree}\n",
        new="      params: {kind: tree, rate: 0.1, depth: 3}\n      seed: 7\n",
    ),
    "the style": changed(
        old="params: {depth: 3, rate: 0.1, kind: tree}",
        new="params:\n        depth: 3\n        rate: 1e-1\n        kind: 'tree'",
    ),
    "quotes": changed(old="target: churned", new='"target": "churned"'),
    "a flow list": changed(old="[churn/words.txt]", new="\n      - churn/words.txt"),
    "windows line ends": {**FILES, "mlops.yaml": MAIN.replace("\n", "\r\n")},
    "an unrelated model": changed(old="target: paid", new="target: paid_back"),
    "an unrelated file": changed("tools/unrelated.py", new="Y = 2\n"),
    "an unrelated dataset": changed("data/loans.csv.dvc", "b", "c"),
    "an owner": changed(old="    target: churned", new="    owners: {develops: ai}\n    target: churned"),
    "a threshold": changed(old="min: 0.8", new="min: 0.9, slices: [city]"),
    "environments": {**FILES, "environments/production.yaml": "purpose: production\n"},
    "the model's environments": {
        **changed(old="    target: churned", new="    environments: [production]\n    target: churned"),
        "environments/production.yaml": "purpose: production\n",
    },
    "a description": changed(
        old="    target: churned", new="    description: new\n    risk: high\n    target: churned"
    ),
    "a timeout": changed(old="      seed: 7", new="      timeout: 2h\n      seed: 7"),
    "a dataset's key and columns": changed(
        old="data/customers.csv}", new="data/customers.csv, key: [id], columns: {id: string}}"
    ),
    "comments in code": changed(
        "churn/model.py", "def train(frame):\n", "# why\ndef train(frame):  # here\n    # there\n\n\n"
    ),
    "windows line ends in code": {**FILES, "churn/model.py": FILES["churn/model.py"].replace("\n", "\r\n")},
    "a comment in an imported module": changed("tools/numbers.py", new="# more\n"),
    "the size in the pointer": changed("data/customers.csv.dvc", "size: 3", "size: 4"),
    "a default that was the value": changed(old="models:\n", new="defaults: {train: {seed: 7}}\nmodels:\n"),
}
ALWAYS = {
    "code": changed("churn/model.py", "return 1", "return 2"),
    "an imported module": changed("tools/text.py", new="X = 1\n"),
    "a module that an imported one imports": changed("tools/deep/deeper.py", new="X = 1\n"),
    "a module at the end of the chain": changed("tools/numbers.py", "1", "2"),
    "the __init__ of a package": changed("tools/__init__.py", new="X = 1\n"),
    "the __init__ of a nested package": changed("tools/deep/__init__.py", "1", "2"),
    "a relative import": changed("churn/near.py", "1", "2"),
    "a module that appears where an import looks": {**FILES, "churn/numpy.py": "X = 1\n"},
    "an input": changed("churn/words.txt", new="b\n"),
    "requirements": changed("churn/requirements.txt", "2.0", "2.1"),
    "no requirements": changed(old="    requirements: churn/requirements.txt\n", new=""),
    "a parameter": changed(old="depth: 3", new="depth: 4"),
    "a parameter's type": changed(old="depth: 3", new='depth: "3"'),
    "one more parameter": changed(old="depth: 3", new="depth: 3, leaves: 2"),
    "a default parameter": changed(old="models:\n", new="defaults: {train: {params: {leaves: 2}}}\nmodels:\n"),
    "the seed": changed(old="seed: 7", new="seed: 8"),
    "the features": changed(old="exclude: [id]", new="exclude: [id, name]"),
    "the target": changed(old="target: churned", new="target: left"),
    "the task": changed(old="task: classification", new="task: regression"),
    "the positive class": changed(old='positive: "yes"', new='positive: "no"'),
    "the holdout": changed(old="fraction: 0.25", new="fraction: 0.3"),
    "the holdout's group": changed(old="fraction: 0.25", new="fraction: 0.25, by: [city]"),
    "the data": changed("data/customers.csv.dvc", "a" * 32, "d" * 32),
}


@pytest.mark.parametrize("files", NEVER.values(), ids=NEVER)
def test_what_cannot_change_the_result_never_trains(files):
    assert files != FILES
    assert fingerprint(files) == SAME


@pytest.mark.parametrize("files", ALWAYS.values(), ids=ALWAYS)
def test_what_can_change_the_result_always_trains(files):
    assert fingerprint(files) != SAME


def test_a_moved_include_never_trains():
    head, models = MAIN.split("models:\n")
    for path in ("models.yaml", "teams/ai/models.yaml"):
        split = {"mlops.yaml": f"{head}include: [{path}]\n", path: f"version: 1\nmodels:\n{models}"}
        assert fingerprint({**FILES, **split}) == SAME


def test_a_renamed_model_is_the_same_training():
    assert fingerprint(changed(old="  churn:\n", new="  retention:\n"), "retention") == SAME


@pytest.mark.parametrize(
    "files",
    [
        changed(old="train: ./train.sh", new="train: ./train.sh --fast"),
        changed(old="predict: ./predict.sh", new="predict: ./predict.sh --fast"),
        changed("train.sh", new="true\n"),
    ],
)
def test_a_command_and_its_inputs_always_train(files):
    assert fingerprint(files, "other") != fingerprint(FILES, "other")


# Python without what does not matter

TRICKY = {
    "a hash in a string": "x = '# no comment'  # comment\n",
    "blank lines in a string": 'x = """a\n\n  # text  \n\nb  \n"""  # comment\n\n\ny = 1\n',
    "a formatted string": "x = f'{a!r:>{width}} # {b}'  # comment\n",
    "a long formatted string": 'x = f"""a\n\n# {b}\n\n  c  """\n\n# comment\n',
    "a continued line": "x = 1 + \\\n    2  # comment\n",
    "a continued blank line": "x = 1 \\\n\n-y\n",
    "a continued comment": "x = 1 \\\n# comment\n-y\n",
    "a backslash in a comment": "x = 1  # \\\n\n-y\n",
    "decorators": "@a  # comment\n\n# comment\n@b\ndef f():\n\n    # comment\n    pass\n",
    "a string of one line": "x = 'a\\\n  b'\n",
    "a docstring": 'def f():\n    """a\n\n    # b\n    """\n    # c\n',
    "brackets": "x = [  # a\n\n    1,  # b\n\n]\n",
    "no last line end": "x = 1  # comment",
    "a form feed": "x = 1\n\f\ny = 2\n",
    "a byte order mark": "\ufeffx = 1\n",
    "names of the world": "größe = 'ü'  # ü\n",
    "bytes": "x = rb'''\n\n#'''\n",
    "nothing": "",
    "only a comment": "# x",
}


@pytest.mark.parametrize("source", TRICKY.values(), ids=TRICKY)
def test_the_normal_form_means_the_same(source):
    normal = normal_form(source.encode())
    assert ast.dump(ast.parse(normal)) == ast.dump(ast.parse(source.encode()))
    assert normal_form(normal) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1 \\\n\n-y\n", "x = 1 \\\n-y\n"),
        ("x = '''a\n\nb'''\n", "x = '''a\nb'''\n"),
        ("x = '# a'\n", "x = '# b'\n"),
        ("x = 'a '\n", "x = 'a'\n"),
        ("if a:\n    b\nc\n", "if a:\n    b\n    c\n"),
        ("# coding: latin-1\nx = 'é'\n", "x = 'é'\n"),
        ("x = 1 \\ \n", "x = 1 \\\n"),
    ],
)
def test_sources_that_mean_something_else_differ(one, other):
    assert normal_form(one.encode()) != normal_form(other.encode())


@pytest.mark.parametrize(
    "source",
    [
        b"x = '\xff'\n",
        b"def f(:\n  # a\n",
        b"x = '''\n\n# a\n",
        b"\x00",
        b"  x\n y\n",
        b"x = $ # a\n",
        b"# coding: unknown\n",
    ],
)
def test_what_is_no_python_stays_as_it_is(source):
    assert normal_form(source) == source
    imports_of(source)


LINES = st.sampled_from(
    ["x = 1", "x = '# a'", "# a", "", "  ", "y = [", "]", "if x:", "    pass", "    # a", 'z = """', '"""', "x = \\", "f'{x}'", "@a", "def f(): pass", "\t", "x = 1  # b"]
)  # fmt: skip


@given(st.lists(LINES, max_size=9).map("\n".join))
@settings(max_examples=400)
def test_any_source_that_parses_means_the_same_in_its_normal_form(source):
    normal = normal_form(source.encode())
    try:
        meaning = ast.dump(ast.parse(source))
    except SyntaxError:
        return
    assert ast.dump(ast.parse(normal)) == meaning


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_content_whatever_makes_a_traceback(content):
    normal_form(content)
    imports_of(content)


def test_reading_imports_prints_no_warning_about_somebodys_code(recwarn):
    assert imports_of(b"import a\nx = '\\d'\n") == ((0, "a", ()),)
    assert list(recwarn) == []
