"""Declarations of a whole tree: includes, defaults, environments, places, the cache."""

import subprocess
import sys
from pathlib import Path

import pytest
from declaration_trees import MemoryCache, MemoryTree, load, project, rules
from declaration_values import ANYTHING, SCHEMAS, nearly_right
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.declarations.compose import load_declarations
from stellwerk.declarations.schema import KINDS
from stellwerk.declarations.syntax_rules import SYNTAX_RULES
from stellwerk.model.declared import (
    ApprovalRule,
    Command,
    Control,
    Holdout,
    Member,
    PromotionRule,
    Source,
    Train,
    When,
    Worsening,
)

SMALL = """\
version: 1
datasets: {customers: {path: data/customers.csv}}
models: {churn: {source: churn.py, target: churned, train: {data: customers}}}
"""


def test_the_three_line_project_is_valid():
    declarations, findings = load(mlops=SMALL)
    assert findings == ()
    assert declarations.complete
    (model,) = declarations.project.models
    assert (model.source, model.target, model.train) == ("churn.py", "churned", Train(data="customers"))


def test_without_mlops_yaml_the_finding_says_what_to_run():
    declarations, (finding,) = load_declarations(MemoryTree({"README.md": "hello"}))
    assert declarations is None
    assert (finding.rule, str(finding.place)) == ("SW113", "mlops.yaml:1:1")
    assert "stellwerk init" in finding.hint


def test_a_yml_file_is_not_overlooked_in_silence():
    _, (finding,) = load_declarations(MemoryTree({"mlops.yml": SMALL}))
    assert "rename" in finding.hint
    _, (warning,) = load_declarations(MemoryTree({"mlops.yaml": SMALL, "environments/production.yml": "purpose: x"}))
    assert (warning.rule, warning.severity) == ("SW109", "warning")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_never_read_as_nothing_wanted(text):
    declarations, findings = load(mlops=text)
    assert declarations is None
    assert rules(findings) == ["SW113"]


@pytest.mark.parametrize("text", ["5\n", "- a\n", "hello\n"])
def test_a_file_that_is_no_mapping_is_refused(text):
    declarations, findings = load(mlops=text)
    assert declarations is None
    assert rules(findings) == ["SW111"]


def test_all_mistakes_of_all_files_are_found_in_one_run():
    declarations, findings = load_declarations(
        MemoryTree(
            {
                "mlops.yaml": "version: 1\ninclude: [teams.yaml]\nmodles: {}\nmodels: {churn: {risk: 5, sorce: a.py}}\n",
                "teams.yaml": "teams: {data: {members: 5}, data: {}}\n",
                "environments/production.yaml": "pupose: production\n",
            }
        )
    )
    assert [(str(finding.place), finding.rule) for finding in findings] == [
        ("environments/production.yaml:1:1", "SW110"),
        ("environments/production.yaml:1:1", "SW112"),
        ("mlops.yaml:3:1", "SW110"),
        ("mlops.yaml:4:24", "SW111"),
        ("mlops.yaml:4:27", "SW110"),
        ("teams.yaml:1:25", "SW111"),
        ("teams.yaml:1:29", "SW102"),
    ]
    assert not declarations.complete
    assert [model.name for model in declarations.project.models] == ["churn"]


def test_one_model_may_span_files():
    declarations, findings = load_declarations(
        MemoryTree(
            {
                "mlops.yaml": "version: 1\ninclude: [models/*/model.yaml, limits/**/*.yaml]\nmodels: {churn: {target: x}}\n",
                "models/churn/model.yaml": "models:\n  churn: {source: churn.py, train: {data: c}}\n",
                "limits/bank/eu/risk.yaml": "models:\n  churn:\n    thresholds: {roc_auc: {min: 0.8}}\n",
            }
        )
    )
    assert findings == ()
    (model,) = declarations.project.models
    assert (model.target, model.source, model.thresholds[0].min) == ("x", "churn.py", 0.8)
    assert str(declarations.place("models", "churn", "thresholds", "roc_auc", "min")) == "limits/bank/eu/risk.yaml:3:33"
    assert str(declarations.place("models", "churn", "source")) == "models/churn/model.yaml:2:19"
    assert str(declarations.place("models", "churn", "owners")) == "mlops.yaml:3:10"


def test_a_key_path_set_twice_shows_both_places():
    _, (finding,) = load_declarations(
        MemoryTree(
            {
                "mlops.yaml": "version: 1\ninclude: [a.yaml]\nmodels:\n  churn:\n    risk: low\n",
                "a.yaml": "models:\n  churn:\n    target: x\n    risk: low\n",
            }
        )
    )
    assert (finding.rule, str(finding.place)) == ("SW108", "a.yaml:4:5")
    assert "mlops.yaml:5:5" in finding.message


def test_what_one_file_lacks_another_may_set():
    _, findings = load_declarations(
        MemoryTree(
            {
                "mlops.yaml": "version: 1\ninclude: [a.yaml]\ndatasets: {c: {format: csv}, d: {format: csv}}\n",
                "a.yaml": "version: 1\ndatasets: {c: {path: c.csv}}\n",
            }
        )
    )
    assert [(finding.rule, str(finding.place)) for finding in findings] == [("SW112", "mlops.yaml:3:30")]


@pytest.mark.parametrize(
    ("pattern", "severity"),
    [
        ("../x.yaml", "error"),
        ("/etc/*.yaml", "error"),
        ("C:/x.yaml", "error"),
        ("a\\b.yaml", "error"),
        ("gone.yaml", "error"),
        ("[z-a].yaml", "error"),
        ("*" * 40, "error"),
        ("nothing/*.yaml", "warning"),
    ],
)
def test_an_include_that_names_nothing_here_is_found(pattern, severity):
    _, findings = load(mlops=f"version: 1\nproject: x\ninclude: ['{pattern}']\n")
    assert [(finding.rule, finding.severity, finding.place.line) for finding in findings] == [("SW109", severity, 3)]


def test_an_included_file_cannot_include():
    tree = MemoryTree({"mlops.yaml": "version: 1\ninclude: a.yaml\n", "a.yaml": "include: [b.yaml]\n", "b.yaml": "x"})
    _, (finding,) = load_declarations(tree)
    assert (finding.rule, str(finding.place)) == ("SW109", "a.yaml:1:1")


def test_defaults_lie_under_every_model():
    declared = project(
        "defaults: {risk: low, inputs: [a, b], train: {data: c, seed: 7, params: {depth: 3, rate: 1}}, owners: {develops: x}}\n"
        "models:\n  one: {}\n"
        "  two: {risk: high, inputs: [c], train: {seed: 1, params: {rate: null}}, owners: null}\n"
        "owners: {develops: y, operates: z}\n"
    )
    one, two = declared.models
    assert (one.risk, one.inputs, one.train.seed, one.train.params) == ("low", ("a", "b"), 7, {"depth": 3, "rate": 1})
    assert (two.risk, two.inputs, two.train.seed, two.train.params) == ("high", ("c",), 1, {"depth": 3})
    assert (one.owners.develops, one.owners.operates, two.owners.develops) == ("x", "z", "y")


def test_a_key_from_the_defaults_is_found_there():
    declarations, _ = load(mlops="version: 1\ndefaults: {risk: low}\nmodels:\n  churn: {target: x}\n")
    assert str(declarations.place("models", "churn", "risk")) == "mlops.yaml:2:18"
    assert not declarations.is_written("models", "churn", "risk")


def test_a_holdout_that_the_defaults_contradict_says_how_to_leave_them_out():
    _, (finding,) = load(
        mlops="version: 1\ndefaults: {train: {data: a, holdout: {fraction: 0.2}}}\n"
        "models: {churn: {train: {holdout: {last: 90d}}}}\n"
    )
    assert finding.rule == "SW111"
    assert "fraction: null" in finding.hint


def test_a_command_has_no_format_since_it_writes_its_model_by_itself():
    text = "version: 1\nmodels:\n  churn: {format: onnx, command: {train: a, predict: b}}\n"
    _, (finding,) = load(mlops=text)
    assert (finding.rule, str(finding.place)) == ("SW111", "mlops.yaml:3:11")
    declarations, findings = load(mlops=text.replace("command: {train: a, predict: b}", "source: churn.py"))
    assert not findings
    assert declarations.project.models[0].format == "onnx"
    assert [finding.rule for finding in load(mlops=text.replace("onnx", "pmml"))[1]] != []


def test_a_model_that_trains_from_nothing_is_found():
    _, (finding,) = load(mlops="version: 1\nmodels: {churn: {train: {seed: 7}}}\n")
    assert (finding.rule, str(finding.place)) == ("SW112", "mlops.yaml:2:18")


def test_environments_stand_in_route_order():
    declared = project(
        "project: x",
        production="purpose: production\nafter: regression\n",
        alpha="purpose: integration\nafter: dev\n",
        regression="purpose: regression\nafter: alpha\n",
        dev="purpose: development\n",
    )
    assert [environment.name for environment in declared.environments] == ["dev", "alpha", "regression", "production"]


@pytest.mark.parametrize("after", ["b", "nowhere"])
def test_a_broken_route_is_sorted_by_name(after):
    declared = project(
        "project: x",
        c="purpose: production",
        b="purpose: production\nafter: a",
        a=f"purpose: production\nafter: {after}",
    )
    assert [environment.name for environment in declared.environments] == ["a", "b", "c"]


def test_short_forms_mean_what_the_long_forms_say():
    declared = project(
        "classifications: [public, internal, secret]\n"
        "teams: {t: {members: [bob, {name: ada, email: a@example.org}]}, u: {members: {ada: {email: a@example.org}, bob: }}}\n"
        "datasets:\n  d: {path: d.csv, key: id, source: 's3://x/d.csv', columns: {a: integer, b: {type: string, missing: 0}}}\n"
        "  e: {path: e.csv, source: ../export/e.csv}\n"
        "models:\n  m:\n    command: sh m.sh\n    train: {data: d, timeout: 2h, holdout: {last: 12h, by: shop}}\n"
        "    thresholds: {mae: {max_worsening: 2%, slices: day}, rmse: {max_worsening: 0.02}}\n",
        p="purpose: production\ndata: {allows: internal}\napproval: {by: t}\npromotion: manual\nsoak: 7d\nrunner: linux\n"
        "controls: [logged, {name: encrypted, check: sh c.sh}]\n",
    )
    people = (Member(name="ada", email="a@example.org"), Member(name="bob"))
    assert [team.members for team in declared.teams] == [people, people]
    d, e = declared.datasets
    assert (d.key, d.source, e.source) == (("id",), Source(url="s3://x/d.csv"), Source(file="../export/e.csv"))
    assert [(column.name, column.type, column.missing) for column in d.columns] == [
        ("a", "integer", None),
        ("b", "string", 0),
    ]
    (model,) = declared.models
    assert model.command == Command(train="sh m.sh", predict="sh m.sh")
    assert (model.train.timeout, model.train.holdout) == (
        7200,
        Holdout(fraction=None, last_seconds=43200, by=("shop",)),
    )
    assert [threshold.max_worsening for threshold in model.thresholds] == [
        Worsening(value=0.02, relative=True),
        Worsening(value=0.02),
    ]
    assert model.thresholds[0].slices == ("day",)
    (environment,) = declared.environments
    assert environment.allows == ("public", "internal")
    assert environment.approval == (ApprovalRule(by="t"),)
    assert environment.promotion == (PromotionRule(mode="manual", when=When()),)
    assert (environment.soak, environment.runner) == (604800, ("linux",))
    assert environment.controls == (Control(name="encrypted", check="sh c.sh"), Control(name="logged"))


def test_text_stays_what_was_typed_wherever_text_is_wanted():
    declared = project(
        "project: 1.10\nteams: {no: {members: [on, 007], contact: 0800}}\n"
        "models: {yes: {target: 1e3, positive: 1, owners: {develops: no}}}\n",
        off="purpose: production\nafter: null\nfreeze: {until: 2026-01-07, reason: 24}\n",
    )
    (model,) = declared.models
    assert (declared.name, declared.teams[0].name, declared.teams[0].contact) == ("1.10", "no", "0800")
    assert [member.name for member in declared.teams[0].members] == ["007", "on"]
    assert (model.name, model.target, model.positive, model.owners.develops) == ("yes", "1e3", 1, "no")
    assert declared.environments[0].freeze.until == "2026-01-07"


@pytest.mark.parametrize("name", ["schuhe-größe", "靴の需要", "модель_1", "x" * 200, "a.b-c"])
def test_a_name_may_have_letters_of_any_language_and_200_characters(name):
    assert [model.name for model in project(f"models: {{{name}: {{target: x}}}}").models] == [name]


@pytest.mark.parametrize(
    "name",
    ["a/b", "..", ".git", "-rf", "x" * 201, "靴" * 100, "a b", "a\\u202eb", "a\\nb", "x.lock", "a..b", "$x", "a.", ""],
)
def test_a_name_that_no_path_or_shell_should_see_is_refused(name):
    declarations, findings = load(mlops=f'version: 1\nmodels: {{"{name}": {{target: x}}}}')
    assert rules(findings) == ["SW111"]
    assert not declarations.complete


@pytest.mark.parametrize(("one", "other"), [("churn", "Churn"), ("caf\u00e9", "cafe\u0301")])
def test_two_names_that_some_file_systems_take_for_one_are_refused(one, other):
    _, (finding,) = load(mlops=f"version: 1\nmodels:\n  {one}: {{target: x}}\n  {other}: {{target: x}}\n")
    assert (finding.rule, str(finding.place)) == ("SW111", "mlops.yaml:4:3")


def test_a_secret_that_was_pasted_where_its_name_belongs_is_not_repeated():
    _, (finding,) = load(mlops=SMALL, production="purpose: production\nsecrets: [sk-live-123456]\n")
    assert "sk-live" not in finding.message + finding.hint


@pytest.mark.parametrize("ref", ["refs/heads/records", "stellwerk/records"])
def test_records_may_have_a_branch_or_a_ref(ref):
    assert project(f"records: {{ref: {ref}}}").records.ref == ref


@pytest.mark.parametrize("ref", ["a..b", "/a", "-a", "a b", "a/", "a@{1}", "a~1", "refs//x"])
def test_a_ref_that_git_refuses_is_refused(ref):
    assert rules(load(mlops=f"version: 1\nrecords: {{ref: '{ref}'}}")[1]) == ["SW111"]


def test_the_order_of_declarations_and_files_does_not_matter():
    one = project("models: {a: {risk: low}, b: {}}\nteams: {t: {}, s: {}}", p="purpose: production")
    other = project("teams: {s: {}, t: {}}\nmodels: {b: {}, a: {risk: low}}", p="purpose: production")
    assert one == other


@pytest.mark.parametrize("rule", SYNTAX_RULES, ids=lambda rule: rule.id)
def test_the_examples_of_a_rule_break_and_keep_it(rule):
    assert rule.id in rules(load_declarations(MemoryTree(rule.failing))[1])
    assert load_declarations(MemoryTree(rule.passing))[1] == ()


BROKEN = {
    "mlops.yaml": "version: 1\ninclude: [a.yaml]\nmodels: {churn: {risk: 5, sorce: a.py, target: x}, 'b/c': {}}\n",
    "a.yaml": "models: {churn: {target: x}}\ndatasets: {d: {format: csv}}\n",
    "environments/production.yaml": "purpose: production\napproval: [{count: 2}, {by: t}]\n",
}


@pytest.mark.parametrize("files", [{"mlops.yaml": SMALL}, BROKEN, {"mlops.yaml": "a: &x 1\n"}, {"mlops.yaml": ""}])
def test_from_the_cache_comes_the_same_answer_and_nothing_is_read(files):
    plain, cache, tree = load_declarations(MemoryTree(files)), MemoryCache(), MemoryTree(files)
    assert said(load_declarations(tree, cache=cache)) == said(plain)
    tree.reads.clear()
    again, findings = load_declarations(tree, cache=cache)
    assert said((again, findings)) == said(plain)
    assert tree.reads == []
    if again is not None:
        keys = [
            ("models", "churn", "target"),
            ("models", "churn", "risk"),
            ("environments", "production", "approval", 0),
        ]
        assert [again.place(*path) for path in keys] == [plain[0].place(*path) for path in keys]


def test_a_cache_that_holds_rubbish_changes_no_answer():
    class Rubbish(MemoryCache):
        def get(self, kind, blob):
            return {"value": {"a": 1}, "cuts": 5}

    rubbish = load_declarations(MemoryTree(BROKEN), cache=Rubbish())
    assert said(rubbish) == said(load_declarations(MemoryTree(BROKEN)))


def said(answer):
    """What was loaded, apart from where it stands."""
    loaded, findings = answer
    return loaded and (loaded.project, loaded.value, loaded.complete, loaded.files), findings


def test_loading_imports_nothing_slow_and_a_cached_run_not_even_yaml():
    script = """
import sys
sys.path.insert(0, %r)
from declaration_trees import MemoryCache, MemoryTree
from stellwerk.declarations.compose import load_declarations
tree, cache = MemoryTree(%r), MemoryCache()
load_declarations(tree, cache=cache)
slow = {"pandas", "sklearn", "dvc", "git", "jsonschema", "numpy"} & set(sys.modules)
assert not slow, slow
for name in [name for name in sys.modules if name.split(".")[0] in {"yaml", "_yaml"}]:
    del sys.modules[name]
load_declarations(tree, cache=cache)
assert "yaml" not in sys.modules
"""
    root = str(Path(__file__).resolve().parent)
    command = [sys.executable, "-c", script % (root, {"mlops.yaml": SMALL})]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0, done.stderr


@given(value=st.data())
@settings(max_examples=80)
def test_no_declaration_whatever_makes_a_traceback(value):
    import yaml

    parts = {kind: value.draw(nearly_right(SCHEMAS[kind], SCHEMAS[kind]) | ANYTHING) for kind in KINDS}
    included = value.draw(nearly_right(SCHEMAS["mlops"], SCHEMAS["mlops"]))
    main = parts["mlops"]
    if isinstance(main, dict) and value.draw(st.booleans()):
        main = {**main, "version": 1, "include": ["more.yaml"]}
    files = {"mlops.yaml": main, "environments/production.yaml": parts["environment"], "more.yaml": included}
    tree = MemoryTree({path: yaml.safe_dump(part) for path, part in files.items()})
    declarations, findings = load_declarations(tree)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert errors or declarations.complete
    if declarations is not None:
        assert declarations.complete == (not errors)
        for finding in findings:
            assert finding.place.path in files
