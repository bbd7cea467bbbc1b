"""What the rules find beyond their examples, case by case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.model.declared import Threshold, Worsening
from stellwerk.planning.rules.credentials import secret_kind
from stellwerk.planning.rules.files import unpinned
from stellwerk.planning.rules.loosened import loosenings
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.paths import leaving
from stellwerk.planning.rules.rule import Example, declared

CHURN = (
    "datasets:\n  customers: {path: data/customers.csv}\n"
    "models:\n  churn: {source: churn.py, target: churned, train: {data: customers}%s}"
)


def messages(findings, rule: str) -> list[str]:
    return [finding.message for finding in findings if finding.rule == rule]


# Names


def test_the_three_line_project_has_nothing_to_say(judge):
    assert judge(declared(CHURN % "")) == ()


def test_an_unknown_owner_of_the_project_is_found_once_however_many_models_inherit_it(judge):
    models = "\n".join(f"  m{i}: {{}}" for i in range(20))
    findings = judge(declared(f"owners: {{develops: nobody}}\nmodels:\n{models}"))
    assert [(finding.rule, str(finding.place)) for finding in findings] == [("SW201", "mlops.yaml:2:20")]


def test_an_unknown_name_in_the_defaults_is_found_once_at_the_defaults(judge):
    models = "\n".join(f"  m{i}: {{}}" for i in range(20))
    findings = judge(declared(f"defaults: {{train: {{data: nothing}}}}\nmodels:\n{models}"))
    assert [(finding.rule, finding.place.line) for finding in findings] == [("SW202", 2)]


def test_every_mistake_of_every_file_is_found_in_one_run_in_the_order_of_the_files(judge):
    findings = judge(
        declared(
            "owners: {develops: nobody}\ndatasets: {a: {path: ../a.csv, stand_in: b}}",
            production="purpose: production\nafter: nothing\nowner: nobody",
        )
    )
    assert [finding.rule for finding in findings] == ["SW203", "SW201", "SW201", "SW501", "SW202"]
    assert list(findings) == sorted(findings, key=lambda finding: finding.place)


def test_the_hint_names_the_nearest_name_whatever_its_case():
    assert ValidNames(["Forecasting", "risk"]).hint("forcasting") == "did you mean 'Forecasting'?"


def test_without_a_near_name_the_hint_lists_a_few_and_of_many_says_what_to_type():
    assert ValidNames(["risk", "sales"]).hint("zzz", otherwise="declare it") == "declared: risk, sales"
    assert ValidNames([f"team-{i}" for i in range(9)]).hint("zzz", otherwise="declare it") == "declare it"
    assert ValidNames([]).hint("zzz", otherwise="declare it") == "declare it"


def test_a_column_may_be_called_anything_where_the_dataset_declares_none(judge):
    assert judge(declared(CHURN % ", features: {include: [whatever]}")) == ()


@pytest.mark.parametrize(
    "keys",
    [
        "key: [idd]",
        "time: idd",
        "personal: [idd]",
    ],
)
def test_a_dataset_names_only_its_own_columns(judge, keys):
    findings = judge(declared(f"datasets: {{customers: {{path: a.csv, {keys}, columns: {{id: {{}}, day: date}}}}}}"))
    assert messages(findings, "SW204") == ["dataset 'customers' declares no column 'idd'"]
    assert findings[0].hint == "did you mean 'id'?"


@pytest.mark.parametrize(
    "more",
    [
        ", features: {exclude: [agee]}",
        ", thresholds: {log_loss: {max: 1, slices: [agee]}}",
    ],
)
def test_a_model_names_only_columns_of_its_dataset(judge, more):
    project = (CHURN % more).replace("customers.csv", "customers.csv, columns: {age: {}, churned: {}}")
    assert messages(judge(declared(project)), "SW204") == ["dataset 'customers' declares no column 'agee'"]


# Paths


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../a", "a/../../b", "..", "a/..", "~/a", "C:/a", "c:a", "a\\..\\b", "\\\\host\\a", "./../a"],
)
def test_a_path_that_may_leave_is_refused(path):
    assert leaving(path)


@pytest.mark.parametrize("path", ["a", "a/b.csv", "./a", "a/../b", "a..b/c", "..a/b", "größe/1.csv", "a b"])
def test_a_path_that_stays_is_accepted(path):
    assert leaving(path) == ""


@given(st.lists(st.sampled_from(["..", ".", "a", "b"]), min_size=1, max_size=8))
def test_a_path_is_accepted_only_if_walking_it_never_ends_outside_or_at_the_top(parts):
    depth, below = 0, True
    for part in parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        below = below and depth >= 0
    if not leaving("/".join(parts)):
        assert depth > 0 or ".." not in parts
        assert below or depth > 0


def test_a_source_that_is_a_symbolic_link_is_refused_as_such_and_not_as_missing(judge):
    example = Example(files=declared(CHURN % "").files, whole=True, links=frozenset({"churn.py"}))
    assert [finding.rule for finding in judge(example)] == ["SW502"]


def test_a_missing_file_gets_the_nearest_one_beside_it_as_a_hint(judge):
    example = Example(files={**declared(CHURN % "").files, "chrun.py": ""}, whole=True)
    assert [(finding.rule, finding.hint) for finding in judge(example)] == [("SW210", "did you mean 'chrun.py'?")]


def test_the_module_of_a_notebook_that_is_not_there_is_no_suggestion(judge):
    example = Example(
        files={
            "mlops.yaml": "version: 1\ndatasets: {c: {path: c.csv}}\n"
            "models: {churn: {source: churn.ipynb, target: left, train: {data: c}}}\n",
            "churn.py": "def train(frame): ...\n",
        },
        whole=True,
    )
    hints = [finding.hint for finding in judge(example) if finding.rule == "SW210"]
    assert hints == ["write it, or `git add churn.ipynb` if it is there"]


def test_an_input_may_be_a_folder_or_a_pattern(judge):
    files = {
        **declared(CHURN % ", inputs: [lib, 'sql/*.sql', gone]").files,
        "churn.py": "",
        "lib/deep/a.py": "",
    }
    findings = judge(Example(files=files, whole=True))
    assert messages(findings, "SW210") == ["the input gone is not in the repository"]


# Requirements


@pytest.mark.parametrize(
    "text",
    [
        "pandas==3.0.0\n",
        "pandas == 3.0.0  # why\n",
        "pandas[excel]==3.0.0; python_version >= '3.11'\n",
        "# nothing\n\n",
        "pandas==3.0.0 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def\n",
        "tool @ https://example.com/tool.whl#sha256=abc\n",
        "tool @ git+https://example.com/tool@0123456789012345678901234567890123456789\n",
        "--require-hashes\n-c constraints.txt\n",
        "pandas===3.0.0",
        "pandas>=2,==2.1\n",
    ],
)
def test_a_pinned_requirement_is_accepted(text):
    assert list(unpinned(text)) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pandas\n", 1),
        ("pandas>=2\n", 1),
        ("numpy==2.0\npandas~=2.0\n", 2),
        ("pandas==2.*\n", 1),
        ("pandas>=2 \\\n    --hash=sha256:abc\n", 1),
        ("tool @ git+https://example.com/tool@main\n", 1),
        ("-e ./tool\n", 1),
        ("pandas; python_version == '3.11'\n", 1),
    ],
)
def test_a_requirement_that_many_versions_satisfy_is_found_at_its_line(text, line):
    assert [number for number, _ in unpinned(text)] == [line]


# Environments


def test_a_circle_is_named_once_with_all_its_members(judge):
    findings = judge(
        declared(
            "datasets: {}",
            a="purpose: integration\nafter: c",
            b="purpose: integration\nafter: a",
            c="purpose: integration\nafter: b",
        )
    )
    assert messages(findings, "SW301") == ["the environments go in a circle: a after c after b after a"]


def test_an_environment_after_itself_is_a_circle(judge):
    findings = judge(declared("datasets: {}", a="purpose: integration\nafter: a"))
    assert messages(findings, "SW301") == ["the environments go in a circle: a after a"]


def test_an_environment_that_lists_what_it_allows_refuses_unclassified_data(judge):
    findings = judge(
        declared(
            "classifications: [public]\n" + CHURN % ", thresholds: {log_loss: {max: 1}}, trains_in: regression",
            regression="purpose: regression\ndata: {allows: [public]}",
        )
    )
    assert {finding.rule for finding in findings} == {"SW304", "SW308"}
    assert {finding.hint.partition(",")[0] for finding in findings} == {"declare datasets.customers.classification"}


def test_a_model_that_stays_out_of_an_environment_need_not_be_allowed_there(judge):
    project = CHURN % ", thresholds: {log_loss: {max: 1}}, environments: [regression]"
    environments = {
        "regression": "purpose: regression",
        "production": "purpose: production\nafter: regression\ndata: {allows: [public]}",
    }
    assert judge(declared(f"classifications: [public]\n{project}", **environments)) == ()


def test_data_that_nothing_allows_are_one_mistake_where_they_are_needed(judge):
    project = "classifications: [public, secret]\n" + CHURN.replace(
        "customers.csv", "customers.csv, classification: secret"
    )
    findings = judge(declared(project % "", production="purpose: production\ndata: {allows: [public]}"))
    assert [finding.rule for finding in findings] == ["SW304"]


# Thresholds


def test_a_metric_of_ones_own_is_accepted_as_module_and_function(judge):
    assert judge(declared(CHURN % ", thresholds: {'metrics.shop:margin': {min: 1}}")) == ()


def test_a_column_that_decide_returns_is_accepted(judge):
    files = {**declared(CHURN % ", thresholds: {margin: {min: 1}}").files, "churn.py": "def decide(p, f): ...\n"}
    assert judge(Example(files=files, whole=True)) == ()
    assert messages(judge(Example(files={**files, "churn.py": ""}, whole=True)), "SW205") == [
        "there is no metric 'margin'"
    ]


bounds = st.none() | st.floats(-10, 10, allow_nan=False)
thresholds = st.builds(
    Threshold,
    metric=st.just("wape"),
    max=bounds,
    min=bounds,
    max_worsening=st.none() | st.builds(Worsening, value=st.floats(0, 1), relative=st.booleans()),
    min_rows=st.integers(1, 1000),
    confidence=st.sampled_from([0.9, 0.95, 0.99]),
    judge=st.sampled_from(["estimate", "bound"]),
    slices=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
)


@given(threshold=thresholds)
def test_a_threshold_is_never_looser_than_itself(threshold):
    assert list(loosenings(threshold, threshold)) == []


@given(old=thresholds, new=thresholds, value=st.floats(-20, 20, allow_nan=False))
def test_a_bound_that_lets_a_value_pass_which_it_refused_is_called_loosened(old, new, value):
    def passes(threshold: Threshold) -> bool:
        return (threshold.max is None or value <= threshold.max) and (threshold.min is None or value >= threshold.min)

    if passes(new) and not passes(old):
        assert {key for key, _ in loosenings(old, new)} & {"max", "min"}


def test_a_removed_threshold_and_one_of_a_renamed_model_are_loosened(judge):
    before = declared(CHURN % ", thresholds: {log_loss: {max: 0.5}, roc_auc: {min: 0.8}}").files
    after = declared((CHURN % ", previously: churn, thresholds: {roc_auc: {min: 0.7}}").replace("  churn:", "  loss:"))
    findings = judge(Example(files=after.files, base=before))
    assert messages(findings, "SW403") == [
        "the threshold of 'loss' on 'log_loss' was loosened: it was removed",
        "the threshold of 'loss' on 'roc_auc' was loosened: min went from 0.8 down to 0.7",
    ]


@pytest.mark.parametrize("column", ["{type: boolean}", "{type: integer, allowed: [0, 1]}"])
def test_a_target_that_is_true_or_false_needs_no_positive_class(judge, column):
    project = (CHURN % ", task: classification, thresholds: {recall: {min: 0.8}}").replace(
        "customers.csv", f"customers.csv, columns: {{churned: {column}}}"
    )
    assert judge(declared(project)) == ()


# Secrets


@pytest.mark.parametrize(
    ("key", "text", "kind"),
    [
        ("url", "s3://AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("x", "ghp_" + "a1B2" * 9, "a GitHub token"),
        ("x", "github_pat_" + "a1B2" * 10, "a GitHub token"),
        ("x", "xoxb-123456789012-abcdef", "a Slack token"),
        ("x", "-----BEGIN RSA PRIVATE KEY-----\nMII", "a private key"),
        ("url", "postgres://ada:lovelace@db/shop", "an address with a password"),
        ("password", "hQ7xPz3vK9mWc2Rt", "a password or a token"),
        ("api_key", "9f86d081884c7d659a2feaa0c55ad015", "a password or a token"),
        ("db-password", "correct horse battery staple", "a password or a token"),
    ],
)
def test_a_secret_is_recognised(key, text, kind):
    assert secret_kind(key, text) == kind


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("url", "https://example.com/a:b@c"),
        ("command", "curl https://$USER:$TOKEN@example.com"),
        ("command", "curl https://ada:${{ secrets.TOKEN }}@example.com"),
        ("url", "git@example.com:team/repo.git"),
        ("md5", "9f86d081884c7d659a2feaa0c55ad015"),
        ("password", "DATABASE_PASSWORD"),
        ("token", "${DEPLOY_TOKEN}"),
        ("tokenizer", "bert"),
        ("secret", "aaaaaaaaaaaaaaaa"),
        ("classification", "secret"),
    ],
)
def test_what_only_resembles_a_secret_is_left_alone(key, text):
    assert secret_kind(key, text) == ""


def test_a_finding_about_a_secret_never_repeats_it(judge):
    findings = judge(
        declared(CHURN % ", checks: [{name: a, command: 'curl -u x ghp_abcdefghijklmnopqrstuvwxyz0123456789'}]")
    )
    assert [finding.rule for finding in findings] == ["SW503"]
    assert "ghp_" not in findings[0].message + findings[0].hint
