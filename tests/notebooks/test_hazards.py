"""Each hazard of a notebook is found: by its own rule, at its cell and line, and nothing else is said."""

from __future__ import annotations

import re

import pytest
from notebook_hazards import HAZARDS, Hazard

from stellwerk.notebooks.problems import judge
from stellwerk.notebooks.rules import RULES
from stellwerk.notebooks.text import notebook_of


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)
def test_the_hazard_is_found_at_its_place_and_nothing_else(hazard: Hazard):
    problems = judge(notebook_of(hazard.text), hazard.params)
    first, *_ = hazard.rule.split("+")
    assert {problem.rule for problem in problems} == set(hazard.rule.split("+")), problems
    named = [problem for problem in problems if problem.rule == first]
    assert [problem.at for problem in named] == [hazard.at]
    assert hazard.words in named[0].message
    assert named[0].hint


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_failing_example_breaks_this_rule_and_no_other(rule):
    problems = judge(notebook_of(rule.failing, rule.failing_path), rule.params)
    assert {problem.rule for problem in problems} == {rule.id}
    assert {problem.severity for problem in problems} == {rule.severity}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_passing_example_breaks_nothing(rule):
    assert judge(notebook_of(rule.passing), rule.params) == ()


def test_every_rule_has_an_id_of_its_own_and_explains_itself():
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"SW8\d\d", rule.id)
        assert rule.title
        assert len(rule.explanation) > 40


def test_every_rule_but_one_has_a_hazard_of_its_own():
    assert {rule.id for rule in RULES} - {hazard.rule[:5] for hazard in HAZARDS} == {"SW824"}  # of the file's name


def test_a_notebook_named_like_a_module_of_python_is_refused():
    problems = judge(notebook_of("# %% train\ndef train(frame):\n    return 1\n", "models/x/statistics.ipynb"))
    assert [problem.rule for problem in problems] == ["SW824"]


def test_a_column_counts_characters_and_not_bytes():
    (problem,) = judge(notebook_of('# %% train\ndef train(frame):\n    return "größe", unknown\n'))
    assert (problem.line, problem.column) == (2, 21)


@pytest.mark.parametrize(
    "text",
    [
        "global names of comprehensions stay inside\n# %% train\ndef train(frame):\n    return [x for x in frame], {y: z for y, z in frame}\n",
        "a walrus binds\n# %% train\ndef train(frame):\n    return last if (last := len(frame)) else 0\n",
        "a walrus in a comprehension binds outside of it\n# %% export\nif any((found := x) for x in (1, 2)):\n    A = found\n# %% train\ndef train(frame):\n    return A\n",
        "names of except and with and for\n# %% train\ndef train(frame):\n    try:\n        with open(frame) as file:\n            for line in file:\n                return line\n    except OSError as error:\n        return error\n",
        "match captures\n# %% train\ndef train(frame):\n    match frame:\n        case {'a': a, **rest}:\n            return a, rest\n        case [first, *others]:\n            return first, others\n        case int() as number:\n            return number\n",
        "recursion within one cell\n# %% export\ndef even(n):\n    return n == 0 or odd(n - 1)\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n# %% train\ndef train(frame):\n    return even(2)\n",
        "the same import in two cells\n# %% export\nimport math\n# %%\nimport math\n# %% train\nimport math\ndef train(frame):\n    return math.pi\n",
        "a class that names itself and super\n# %% train\nclass Model:\n    def copy(self) -> 'Model':\n        super().__init__()\n        return __class__()\n\ndef train(frame):\n    return Model()\n",
        "an optional import\n# %% export\ntry:\n    import fast\nexcept ImportError:\n    fast = None\n# %% train\ndef train(frame):\n    return fast\n",
        "a literal type\n# %% train\nfrom typing import Literal\n\ndef train(frame, kind: Literal['nosuchname'] = 'nosuchname'):\n    return kind\n",
        "settings are no work\n# %% train\nimport warnings\nwarnings.filterwarnings('ignore')\n\ndef train(frame):\n    return 1\n",
        "a constant built in steps\n# %% train\nA = {}\nA['x'] = 1\nA.update(y=2)\nfor n in range(3):\n    A[n] = n\n\ndef train(frame):\n    return A\n",
        "a main guard\n# %% train\ndef train(frame):\n    return 1\n\nif __name__ == '__main__':\n    print(train(1))\n",
        "names that are not ASCII\n# %% export\nlänge = 1\n# %% train\ndef train(frame, größe=3):\n    return größe * länge\n",
        "exploration may do anything\n# %%\nfrom os import *\n%%bash\nawait x\nprint(undefined)\n# %% train\ndef train(frame):\n    return 1\n",
        "a copy first\n# %% train\ndef train(frame):\n    return 1\n# %% prepare\ndef prepare(frame):\n    frame = frame.copy()\n    frame['a'] = 1\n    del frame['b']\n    return frame\n",
        "a cache of its own cell\n# %% train\nSEEN = {}\n\ndef train(frame):\n    SEEN[len(frame)] = 1\n    return 1\n",
        "other people's tags\n# %% hide-input slideshow train\ndef train(frame):\n    return 1\n# %% injected-parameters\nA = 1\n",
        "a seed needs no declaration\n# %% parameters\nseed = 1\n# %% train\ndef train(frame, seed=seed):\n    return seed\n",
    ],
    ids=lambda text: text.partition("\n")[0],
)
def test_what_is_right_is_left_alone(text):
    assert judge(notebook_of(text), {}) == ()


@pytest.mark.parametrize(
    ("cell", "use", "hint"),
    [
        ("RATE = 2", "return RATE", "tag cell 1 `export`, or make it an argument"),
        ("def clean(rows):\n    return rows", "return clean(frame)", "tag cell 1 `export`, or make it an argument"),
        ("import pandas as pd", "return pd", "tag cell 1 `export`; imports that nothing uses are left out"),
        ("import pandas as pd\npd.show()", "return pd", "import it in an exported cell; imports that nothing uses"),
        (
            "RATE = 2\nprint(RATE)",
            "return RATE",
            "move line 1 of cell 1 into a cell with the tag `export`, or make it an argument",
        ),
        ("import pandas as pd\ndf = pd.read_csv('x')", "return df", "the framework loads the data: use the argument"),
        ("RATE = forgotten * 2", "return RATE", "move line 1 of cell 1 into a cell with the tag"),
    ],
)
def test_a_cell_is_to_be_tagged_only_where_all_of_it_could_ship(cell, use, hint):
    (problem,) = judge(notebook_of(f"# %%\n{cell}\n# %% train\ndef train(frame):\n    {use}\n"), {})
    assert problem.rule == "SW801"
    assert problem.hint.startswith(hint)
