"""The harness obeys GitHub's documented semantics: each shown by a small workflow that really runs."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from harness import (
    BOT,
    App,
    Environment,
    GitHub,
    Kill,
    Machine,
    Settings,
    pull_request,
    push,
    workflow_dispatch,
)

PATH = os.environ["PATH"]
APP = App(
    id="17", private_key="key of the app", slug="stellwerk", permissions={"contents": "write", "workflows": "write"}
)


def git(folder, *words, check=True):
    names = {
        f"GIT_{role}_{part}": f"{part}@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **names}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip() if check else done


def commit(folder, files, message="change", *, branch=""):
    if branch:
        git(folder, "checkout", "--quiet", "-B", branch)
    for name, text in files.items():
        path = folder / (f".github/workflows/{name}" if name.endswith(".yml") and "/" not in name else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def forge(tmp_path):
    """`forge({"ci.yml": ...}, **settings)`: a forge with these files on `main`, whose pushes were not yet looked at."""

    def build(files, machine=(), **settings):
        python = {f"{sys.version_info.major}.{sys.version_info.minor}": Path(sys.executable)}
        made = Machine(path=PATH, pythons=python, **{"grace": 2.0, **dict(machine)})
        github = GitHub(tmp_path / "forge", machine=made, settings=Settings(**settings))
        ada = github.clone("ada")
        git(ada, "checkout", "--quiet", "-B", "main")
        commit(ada, files)
        git(ada, "push", "--quiet", "origin", "HEAD:main")
        github.ada = ada
        return github

    return build


@pytest.fixture
def run(forge):
    """`run(JOBS)`: the run of a workflow with these jobs, started by hand."""

    def start(jobs, *, machine=(), inputs=None, kill=None, top="", files=None, **settings):
        text = f"name: Test\non:\n  workflow_dispatch:\n    inputs: {{kind: {{default: none}}}}\n{top}\njobs:\n"
        text += textwrap.indent(textwrap.dedent(jobs), "  ")
        github = forge({"test.yml": text, **(files or {})}, machine, **settings)
        return github.dispatch("test.yml", inputs, kill=kill)

    return start


def test_jobs_follow_their_needs_and_a_matrix_comes_from_an_output(run):
    done = run("""
        plan:
          runs-on: ubuntu-24.04
          outputs: {legs: "${{ steps.a.outputs.legs }}", count: "${{ steps.b.outputs.count }}"}
          steps:
            - {id: a, run: 'echo "legs=[{\\"n\\": 1, \\"on\\": \\"small\\"}, {\\"n\\": 2, \\"on\\": [\\"self-hosted\\", \\"big\\"]}]" >> "$GITHUB_OUTPUT"'}
            - {id: b, run: 'printf "count<<END\\n2\\nlines\\nEND\\n" >> "$GITHUB_OUTPUT"'}
        leg:
          needs: plan
          strategy: {matrix: {include: "${{ fromJSON(needs.plan.outputs.legs) }}"}}
          name: Leg ${{ matrix.n }} of ${{ strategy.job-total }}
          runs-on: ${{ matrix.on }}
          outputs: {"of-${{ 1 }}": x, last: "${{ matrix.n }}"}
          steps: [{run: 'test "$N" -lt 3', env: {N: "${{ matrix.n }}"}}]
        end:
          needs: [plan, leg]
          runs-on: x
          steps: [{run: 'echo "$ALL"', env: {ALL: "${{ toJSON(needs) }}"}}]
    """)
    assert done.results() == {"plan": "success", "Leg 1 of 2": "success", "Leg 2 of 2": "success", "end": "success"}
    assert [leg.runs_on for leg in done.legs("leg")] == ["small", ["self-hosted", "big"]]
    needs = json.loads(done.job("end").steps[0].log)
    assert needs["plan"]["outputs"]["count"] == "2\nlines"
    assert needs["leg"] == {"result": "success", "outputs": {"of-${{ 1 }}": "x", "last": "2"}}


def test_a_skipped_or_failed_ancestor_skips_what_does_not_ask_for_more(run):
    done = run("""
        bad: {runs-on: x, steps: [{run: exit 1}]}
        after: {needs: bad, runs-on: x, steps: [{run: ls}]}
        always: {needs: after, if: always(), runs-on: x, steps: [{run: 'echo ${{ needs.after.result }}'}]}
        below: {needs: always, runs-on: x, steps: [{run: ls}]}
        asked: {needs: always, if: "!cancelled() && needs.always.result == 'success'", runs-on: x, steps: [{run: ls}]}
        failed: {needs: below, if: failure(), runs-on: x, steps: [{run: ls}]}
        never: {if: inputs.kind == 'special', runs-on: x, steps: [{run: ls}]}
        forgiven: {continue-on-error: true, runs-on: x, steps: [{run: exit 1}]}
        glad: {needs: forgiven, runs-on: x, steps: [{run: 'echo ${{ needs.forgiven.result }}'}]}
    """)
    assert done.results() == {
        "bad": "failure",
        "after": "skipped",
        "always": "success",
        "below": "skipped",  # an ancestor failed, though not the job it needs
        "asked": "success",
        "failed": "success",
        "never": "skipped",
        "forgiven": "failure",
        "glad": "success",
    }
    assert done.job("always").steps[0].log == "skipped"
    assert done.job("glad").steps[0].log == "success"
    assert done.conclusion == "failure"


def test_an_empty_matrix_fails_the_job_unless_its_condition_skips_it(run):
    done = run("""
        empty: {runs-on: x, strategy: {matrix: {include: "${{ fromJSON('[]') }}"}}, steps: [{run: ls}]}
        guarded:
          if: inputs.kind != 'none'
          runs-on: x
          strategy: {matrix: {include: "${{ fromJSON('[]') }}"}}
          steps: [{run: ls}]
    """)
    assert done.results() == {"empty": "failure", "guarded": "skipped"}
    assert done.job("empty").errors == ["Matrix must define at least one vector"]


@pytest.mark.parametrize(("fail_fast", "second"), [("true", "cancelled"), ("false", "success")])
def test_fail_fast_cancels_the_rest_of_a_matrix(run, fail_fast, second):
    done = run(f"""
        leg:
          strategy: {{fail-fast: {fail_fast}, max-parallel: 1, matrix: {{code: [1, 0]}}}}
          runs-on: x
          steps: [{{run: "exit ${{{{ matrix.code }}}}"}}]
    """)
    assert done.results() == {"leg (1)": "failure", "leg (0)": second}


def test_steps_see_their_conditions_outcomes_and_the_shell_of_github(run):
    done = run("""
        a:
          runs-on: x
          steps:
            - {id: soft, run: exit 3, continue-on-error: true}
            - {run: 'test ${{ steps.soft.outcome }}-${{ steps.soft.conclusion }} = failure-success'}
            - {name: no pipefail, run: false | true}
            - {name: shell, run: 'echo $- ; shopt -o pipefail || true', shell: bash}
            - {name: pipefail, run: false | true, shell: bash}
            - {name: after, run: ls}
            - {name: failed, if: failure(), run: 'echo ${{ job.status }}'}
            - {name: cancelled, if: cancelled(), run: ls}
            - {name: python, if: always(), run: 'print(6 * 7)', shell: python}
            - {name: unset, if: always(), run: 'echo "[$NOT_THERE]"; false; echo no'}
    """)
    job = done.job("a")
    outcomes = {step.name: step.conclusion for step in job.steps[2:]}
    assert outcomes == {
        "no pipefail": "success",
        "shell": "success",
        "pipefail": "failure",
        "after": "skipped",
        "failed": "success",
        "cancelled": "skipped",
        "python": "success",
        "unset": "failure",
    }
    assert job.step("failed").log == "failure"
    assert "pipefail       \ton" in job.step("shell").log
    assert job.step("python").log == "42"
    assert job.step("unset").lines == ["[]", "##[error]Process completed with exit code 1."]


def test_variables_come_from_three_levels_and_from_steps_and_nothing_leaks_in(run, monkeypatch):
    monkeypatch.setenv("LEAKED", "yes")
    done = run(
        """
        a:
          runs-on: x
          env: {B: job, C: job, BOTH: "${{ github.run_number }}"}
          defaults: {run: {working-directory: sub}}
          steps:
            - {run: 'mkdir sub; mkdir bin; echo "echo own" > bin/own; chmod +x bin/own', working-directory: .}
            - run: |
                echo "$A $B $C $GITHUB_REF $(basename "$PWD") $CI" >> "$GITHUB_STEP_SUMMARY"
                echo "D=set" >> "$GITHUB_ENV"; echo "B=later" >> "$GITHUB_ENV"
                echo "$GITHUB_WORKSPACE/bin" >> "$GITHUB_PATH"
              env: {C: step, GITHUB_REF: forged}
            - {run: 'echo "$A $B $C $D ${{ env.B }}"; own'}
            - {run: 'env -0 | tr "\\0" "\\n" | cut -d= -f1 | sort | tr "\\n" " "'}
            - {run: 'cat "$GITHUB_EVENT_PATH"'}
        """,
        top="env: {A: top, B: top, C: top}",
        machine={"environment": {"IMAGE": "1"}},
    )
    job = done.job("a")
    assert job.summary == "top job step refs/heads/main sub true\n"
    assert job.steps[2].log == "top later job set later\nown"
    names = {name for name in job.steps[3].log.split() if not name.startswith(("GITHUB_", "RUNNER_"))}
    assert names == {
        "A",
        "B",
        "BOTH",
        "C",
        "CI",
        "D",
        "GIT_CONFIG_NOSYSTEM",
        "HOME",
        "IMAGE",
        "LANG",
        "PATH",
        "PWD",
        "SHLVL",
        "_",
    }
    assert json.loads(job.steps[4].log)["repository"]["full_name"] == "acme/shoes"


def test_commands_in_the_output_become_annotations_and_secrets_are_masked(run):
    done = run(
        """
        a:
          runs-on: x
          outputs: {leak: "${{ secrets.KEY }}", empty: "", fine: "1"}
          steps:
            - run: |
                echo "::error file=a.py,line=3,endLine=4,col=2,title=Wrong%3A x::It is%0Awrong: 100%25"
                echo "::warning::careful $KEY"
                echo "::notice title=N::noted"
                echo "::add-mask::hidden"; echo "not hidden $KEY"
                echo "::group::more"; echo "in it"; echo "::endgroup::"
                echo "::stop-commands::stop"; echo "::error::not one"; echo "::stop::"
                echo "key=$KEY" >> "$GITHUB_STEP_SUMMARY"
                echo "second line of the secret"
              env: {KEY: "${{ secrets.KEY }}"}
            - {name: set-env, run: 'echo "::set-env name=A::b"', continue-on-error: true}
            - {name: bad file, run: 'echo "no pair" >> "$GITHUB_OUTPUT"', continue-on-error: true}
            - {name: no end, run: 'echo "a<<X" >> "$GITHUB_ENV"', continue-on-error: true}
        """,
        secrets={"KEY": "first line\nsecond line"},
    )
    job = done.job("a")
    step = job.steps[0]
    assert [(item.level, item.message, item.title) for item in step.annotations] == [
        ("error", "It is\nwrong: 100%", "Wrong: x"),
        ("warning", "careful ***", ""),
        ("notice", "noted", "N"),
    ]
    found = step.annotations[0]
    assert (found.file, found.line, found.end_line, found.column) == ("a.py", 3, 4, 2)
    assert "not *** ***" in step.log.replace("***\n", "*** ")
    assert "##[group]more\nin it\n##[endgroup]" in step.log
    assert "*** of the secret" in step.log
    assert "line" not in step.summary
    assert job.outputs == {"fine": "1"}
    assert job.errors == ["Skip output 'leak' since it may contain secret."]
    failures = [item.message for step in job.steps[1:] for item in step.annotations]
    assert failures == [
        "The `set-env` command is disabled.",
        "Unable to process file command 'output' successfully. Invalid format 'no pair'",
        "Unable to process file command 'env' successfully. Invalid value. Matching delimiter not found 'X'",
    ]


def test_a_person_sees_ten_annotations_of_a_kind_and_no_summary_over_a_mebibyte(run):
    done = run("""
        a:
          runs-on: x
          steps: [{run: 'for i in $(seq 12); do echo "::warning::$i"; done; head -c 1048577 /dev/zero >> "$GITHUB_STEP_SUMMARY"'}]
    """)
    step = done.job("a").steps[0]
    assert (len(step.annotations), len(step.shown_annotations)) == (13, 11)
    assert step.summary == ""
    assert "upload aborted" in step.annotations[-1].message
    assert step.conclusion == "success"


CHECKOUTS = """
on: {push: {branches: ['**']}, pull_request: {types: [opened, synchronize]}}
permissions: {contents: read}
jobs:
  default:
    runs-on: x
    steps:
      - {uses: actions/checkout@v5}
      - {id: see, run: 'git log --format=%H%n%P HEAD; git rev-parse --is-shallow-repository; git branch --show-current'}
      - {run: 'cat .git/config; ls'}
  full:
    runs-on: x
    steps:
      - {uses: actions/checkout@v5, with: {fetch-depth: 0, path: here, persist-credentials: false}}
      - {id: see, run: 'git rev-list --count HEAD; git for-each-ref --format="%(refname)"', working-directory: here}
      - {run: 'cat .git/config; git fetch origin', working-directory: here}
"""


def test_a_checkout_of_a_push_is_shallow_and_on_the_branch(forge):
    github = forge({"ci.yml": CHECKOUTS, "a.txt": "1"})
    first = git(github.ada, "rev-parse", "HEAD")
    second = commit(github.ada, {"a.txt": "2"})
    git(github.ada, "push", "--quiet", "origin", "HEAD:main")
    runs = github.settle()
    assert [run.given_event.sha for run in runs] == [first, second]
    job = runs[1].job("default")
    assert job.step("see").lines == [second, "", "true", "main"]
    assert "token=" in job.steps[2].log
    full = runs[1].job("full")
    assert full.step("see").lines == ["2", "refs/heads/main", "refs/remotes/origin/main"]
    assert "token=" not in full.steps[2].log
    assert full.steps[2].outcome == "failure"  # a private repository is not read without credentials
    assert "token=" not in (job.folder / "work/shoes/shoes/.git/config").read_text()


def test_a_pull_request_is_checked_out_as_its_merge_commit(forge):
    github = forge({"ci.yml": CHECKOUTS, "a.txt": "1"}, private=False)
    github.settle()
    head = commit(github.ada, {"b.txt": "1"}, branch="feature")
    git(github.ada, "push", "--quiet", "origin", "feature")
    git(github.ada, "checkout", "--quiet", "main")
    main = commit(github.ada, {"c.txt": "1"})
    git(github.ada, "push", "--quiet", "origin", "main")
    github.settle()
    request = github.open_pull_request("feature")
    (run,) = github.settle()
    assert run.given_event.ref == "refs/pull/1/merge"
    merge = run.given_event.sha
    assert run.job("default").step("see").lines == [merge, "", "true"]
    assert github.repository.git("log", "-1", "--format=%P", merge) == f"{main} {head}"
    assert {"a.txt", "b.txt", "c.txt"} <= set(run.job("default").steps[2].lines)
    assert run.job("full").step("see").lines[0] == "4"
    assert run.job("full").conclusion == "success"  # a public repository is read by everybody
    assert run.given_event.paths == ("b.txt",)
    newer = commit(github.ada, {"b.txt": "2"}, branch="feature")
    git(github.ada, "push", "--quiet", "--force", "origin", "feature")
    events = [run.event for run in github.settle()]
    assert events == ["push", "pull_request"]
    assert github.repository.commit_of("refs/pull/1/head") == newer
    assert request.state == "open"


PUSHER = """
on: {push: {branches: [main]}}
permissions: {contents: RIGHT}
jobs:
  push:
    runs-on: x
    steps:
      - {uses: actions/create-github-app-token@v2, id: app, if: vars.APP, with: {app-id: '17', private-key: "${{ secrets.KEY }}"}}
      - {uses: actions/checkout@v5, with: {token: "${{ steps.app.outputs.token || github.token }}"}}
      - run: |
          git config user.name x; git config user.email x@example.com
          if [ -f done ]; then exit 0; fi
          echo > done
          if [ "${{ vars.TOUCH }}" ]; then echo "# $RANDOM" >> .github/workflows/ci.yml; fi
          git add .; git commit -qm done; git push origin HEAD:${{ vars.TO || 'main' }} 2>&1
"""


@pytest.mark.parametrize(
    ("right", "variables", "allowed", "said", "runs"),
    [
        ("write", {}, (), "", 1),  # what the job's own token pushes starts nothing
        ("read", {}, (), "denied to github-actions[bot]", 1),
        ("write", {"TOUCH": "1"}, (), "without `workflows` permission", 1),
        ("write", {}, ("stellwerk[bot]",), "GH006: Protected branch update failed for refs/heads/main", 1),
        ("read", {"APP": "1"}, ("stellwerk[bot]",), "", 2),
        ("read", {"APP": "1", "TOUCH": "1"}, (), "", 2),
        ("write", {"TO": "side"}, ("stellwerk[bot]",), "", 1),
    ],
)
def test_who_may_push_is_decided_by_the_token(forge, right, variables, allowed, said, runs):
    protected = {"main": (*allowed, "ada")} if allowed else {}
    settings = {"variables": variables, "protected": protected, "apps": (APP,), "secrets": {"KEY": APP.private_key}}
    github = forge({"ci.yml": PUSHER.replace("RIGHT", right)}, **settings)
    started = github.settle()
    assert len(started) == runs
    assert started[0].conclusion == ("failure" if said else "success"), started
    assert said in started[0].job("push").log
    if runs == 2:
        assert started[1].given_event.actor == "stellwerk[bot]"
        assert started[1].given_event.sha == github.repository.commit_of("main")


def test_people_cannot_rewrite_a_protected_branch_and_strangers_push_nothing(forge):
    github = forge({"a.txt": "1"}, protected={"main": ("ada",)}, private=False)
    git(github.ada, "commit", "--quiet", "--amend", "--message", "other")
    refused = git(github.ada, "push", "--force", "origin", "HEAD:main", check=False)
    assert "Cannot force-push" in refused.stderr
    grace = github.clone("grace")
    commit(grace, {"b.txt": "1"})
    assert "GH006" in git(grace, "push", "origin", "HEAD:main", check=False).stderr
    git(grace, "push", "--quiet", "origin", "HEAD:topic")
    git(grace, "config", "--unset", "push.pushOption")
    assert "Authentication failed" in git(grace, "push", "origin", "HEAD:other", check=False).stderr
    github.open_pull_request("topic", author="grace")
    github.merge(github.repository.pull_requests[1], by="ada")
    assert github.repository.read("main", "b.txt") == "1"


def test_a_pull_request_of_a_fork_has_no_secrets_and_only_reads(forge):
    text = """
    on: {pull_request: {}}
    permissions: {contents: write, pull-requests: write}
    jobs:
      a:
        runs-on: x
        environment: production
        steps:
          - {run: 'echo "[${{ secrets.KEY }}${{ secrets.ENV }}]"'}
          - {uses: actions/checkout@v5}
          - {run: git push origin HEAD:refs/heads/mine}
    """
    environments = {"production": Environment(secrets={"ENV": "secret"})}
    github = forge({"ci.yml": text}, secrets={"KEY": "secret"}, environments=environments)
    eve = github.clone("eve")
    commit(eve, {"evil.txt": "1"}, branch="evil")
    github.open_pull_request("evil", author="eve", fork=eve)
    (run,) = github.settle()
    job = run.job("a")
    assert job.steps[0].log == "[]"
    assert (job.permissions["contents"], job.permissions["pull-requests"], job.permissions["issues"]) == (
        "read",
        "read",
        "none",
    )
    assert job.steps[2].outcome == "failure"
    assert run.given_event.from_fork
    assert run.given_event.payload["pull_request"]["head"]["repo"]["full_name"] == "eve/shoes"


def test_triggers_start_the_workflows_that_ask_for_them(forge):
    def workflow(on):
        return f"on: {on}\njobs: {{a: {{runs-on: x, steps: [{{run: 'true'}}]}}}}\n"

    github = forge(
        {
            "push.yml": workflow("{push: {branches: [main], paths: ['models/**']}}"),
            "tags.yml": workflow("{push: {tags: ['v*']}}"),
            "pr.yml": workflow("{pull_request: {branches: [main], paths-ignore: [docs/**]}}"),
            "night.yml": workflow("{schedule: [{cron: '0 3 * * *'}]}"),
            "noon.yml": workflow("{schedule: [{cron: '0 12 * * *'}], repository_dispatch: {types: [new-data]}}"),
            "broken.yml": "on: push\njobs: {a: {}}\n",
            "models/a.py": "1",
        }
    )

    def started(runs):
        return {Path(run.workflow).stem: run.conclusion for run in runs}

    assert started(github.settle()) == {"push": "success", "broken": "startup_failure"}
    commit(github.ada, {"docs/a.md": "1"}, branch="docs")
    git(github.ada, "push", "--quiet", "origin", "docs")
    github.open_pull_request("docs")
    commit(github.ada, {"models/a.py": "2"}, "quiet [skip ci]", branch="code")
    git(github.ada, "push", "--quiet", "origin", "code", "code:main")
    assert started(github.settle()) == {"broken": "startup_failure"}
    git(github.ada, "tag", "v1")
    git(github.ada, "push", "--quiet", "origin", "v1")
    assert started(github.schedule("0 3 * * *")) == {"night": "success"}
    assert started(github.schedule()) == {"night": "success", "noon": "success"}
    assert started(github.repository_dispatch("new-data", {"dataset": "sales"})) == {"noon": "success"}
    assert started(github.repository_dispatch("other")) == {}


CALLED = """
on:
  workflow_call:
    inputs: {name: {type: string, required: true}, loud: {type: boolean, default: false}}
    secrets: {key: {required: true}, environment-key: {required: false}}
    outputs: {word: {value: "${{ jobs.say.outputs.word }}"}}
permissions: {contents: read}
jobs:
  say:
    runs-on: x
    environment: production
    outputs: {word: "${{ steps.a.outputs.word }}"}
    steps:
      - {id: a, run: 'echo "word=hello ${{ inputs.name }} ${{ inputs.loud && 1 || 2 }}" >> "$GITHUB_OUTPUT"'}
      - {run: 'test "${{ secrets.key }}" = secret; echo "[${{ secrets.OTHER }}][${{ secrets.environment-key }}]"'}
      - {run: 'echo $GITHUB_EVENT_NAME $GITHUB_WORKFLOW'}
"""
CALL = """
call:
  uses: ./.github/workflows/called.yml
  with: {name: "${{ inputs.kind }}"}
  secrets: {key: "${{ secrets.KEY }}"}
after: {needs: call, runs-on: x, steps: [{run: 'echo ${{ needs.call.outputs.word }} ${{ needs.call.result }}'}]}
"""
SECRETS = {
    "secrets": {"KEY": "secret", "OTHER": "other"},
    "environments": {"production": Environment(secrets={"environment-key": "deep"})},
}


def test_a_called_workflow_has_the_inputs_and_secrets_it_is_given(run):
    done = run(CALL, files={"called.yml": CALLED}, top="permissions: {contents: read}", **SECRETS)
    assert done.results() == {"call / say": "success", "after": "success"}
    assert done.job("after").steps[0].log == "hello none 2 success"
    assert done.job("call / say").steps[1].log == "[][]"
    assert done.job("call / say").steps[2].log == "workflow_dispatch Test"
    assert done.job("call / say").environment == "production"


def test_a_secret_of_an_environment_reaches_a_called_workflow_if_its_name_is_passed(run):
    jobs = CALL.replace("secrets.KEY }}", 'secrets.KEY }}", environment-key: "${{ secrets.environment-key }}')
    done = run(jobs, files={"called.yml": CALLED}, top="permissions: {contents: read}", **SECRETS)
    assert done.job("call / say").steps[1].log == "[][***]"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "permissions: {contents: read}",
            "permissions: {contents: write}",
            "requests 'contents: write', but is only allowed",
        ),
        ("required: true}, loud", "required: true}, more: {required: true}, loud", "'more'] is required"),
        ("{key: {required: true}, environment-key: {required: false}}", "{}", "'key'] is not defined"),
        ("workflow_call:", "workflow_dispatch:", "unrecognized named-value: 'jobs'"),
    ],
)
def test_a_call_that_cannot_work_fails_the_whole_run_at_once(run, old, new, words):
    assert old in CALLED
    done = run(CALL, files={"called.yml": CALLED.replace(old, new)}, top="permissions: {contents: read}", **SECRETS)
    assert done.conclusion == "startup_failure"
    assert words in done.errors[0]
    assert done.jobs == []


DEPLOY = """
on: {push: {branches: [main]}}
jobs:
  deploy:
    runs-on: x
    environment: {name: "${{ vars.WHERE }}"}
    concurrency: {group: "deploy-${{ vars.WHERE }}", cancel-in-progress: false}
    steps: [{run: 'test "${{ secrets.KEY }}-${{ vars.HOW }}" = deep-fast'}]
  after: {needs: deploy, runs-on: x, steps: [{run: 'true'}]}
"""


def test_a_job_waits_for_the_approval_of_its_environment_and_a_newer_one_takes_the_place_in_the_queue(forge):
    production = Environment(secrets={"KEY": "deep"}, variables={"HOW": "fast"}, reviewers=("grace",))
    github = forge(
        {"cd.yml": DEPLOY},
        variables={"WHERE": "production", "HOW": "slow"},
        environments={"production": production},
    )
    (first,) = github.settle()
    assert (first.waiting_for, first.conclusion, first.job("deploy").status) == (["production"], None, "waiting")
    for text in ("2", "3"):
        commit(github.ada, {"a.txt": text})
        git(github.ada, "push", "--quiet", "origin", "HEAD:main")
    second, third = github.settle()
    assert second.results() == {"deploy": "cancelled", "after": "skipped"}
    assert third.job("deploy").status == "queued"
    with pytest.raises(AssertionError, match="ada is no reviewer"):
        first.approve("production", by="ada")
    first.approve("production", by="grace")
    github.rest()
    assert first.results() == {"deploy": "success", "after": "success"}
    assert third.waiting_for == ["production"]
    third.reject("production", by="grace")
    github.rest()
    assert third.results() == {"deploy": "failure", "after": "skipped"}
    assert "rejected by grace" in third.render()


def test_a_run_that_works_is_not_cancelled_by_its_group_and_a_job_cannot_wait_for_its_own_run(run):
    done = run(
        "a: {runs-on: x, concurrency: MAIN, steps: [{run: ls}]}\nb: {runs-on: x, concurrency: other, steps: [{run: 'true'}]}",
        top="concurrency: {group: main, cancel-in-progress: true}",
    )
    assert done.results() == {"a": "cancelled", "b": "success"}
    assert "a deadlock was detected" in done.job("a").errors[0]


def test_a_killed_runner_leaves_nothing_behind_and_runs_nothing_more(run, tmp_path):
    marker = tmp_path / "marker"
    done = run(
        f"""
        work:
          runs-on: x
          steps:
            - run: |
                python3 -c 'import os, time; os.setsid() if os.fork() == 0 else os._exit(0); print("detached", os.getpid(), flush=True); time.sleep(60)'
                echo half way; sleep 60
            - {{if: always(), run: 'touch {marker}'}}
        after: {{needs: work, if: always(), runs-on: x, steps: [{{run: 'echo ${{{{ needs.work.result }}}}'}}]}}
        """,
        kill=Kill(job="work", line="half way|never"),
    )
    assert done.results() == {"work": "failure", "after": "success"}
    assert "lost communication" in done.job("work").errors[0]
    assert not marker.exists()
    assert done.job("after").steps[0].log == "failure"
    detached = [line.split()[1] for line in done.job("work").log.splitlines() if line.startswith("detached")]
    assert [pid for pid in detached if (Path("/proc") / pid).exists() and not _ended(pid)] == []


def _ended(pid):
    try:
        return "State:\tZ" in (Path("/proc") / pid / "status").read_text()
    except OSError:
        return True


def test_a_kill_can_come_before_a_step(run):
    jobs = "a: {runs-on: x, steps: [{run: 'true'}, {id: here, run: ls}, {if: always(), run: ls}]}"
    done = run(jobs, kill=Kill(step="here", conclusion="cancelled"))
    assert [step.outcome for step in done.job("a").steps] == ["success", "cancelled"]
    assert done.conclusion == "cancelled"


def test_a_cancelled_run_interrupts_its_process_and_still_runs_what_is_always_asked_for(forge, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    text = f"""
    on: {{workflow_dispatch: {{}}}}
    jobs:
      a:
        runs-on: x
        steps:
          - {{run: 'trap "echo interrupted; exit 9" INT; echo > {fifo}; sleep 60 & wait'}}
          - {{run: ls}}
          - {{if: always(), run: 'echo ${{{{ job.status }}}}'}}
          - {{if: "!cancelled()", run: ls}}
      b: {{needs: a, runs-on: x, steps: [{{run: ls}}]}}
      c: {{needs: a, if: always(), runs-on: x, steps: [{{run: ls}}]}}
    """
    github = forge({"a.yml": text})
    (run,) = github.start(workflow_dispatch(github.repository, "a.yml"))
    fifo.read_text()  # the step has begun
    run.cancel()
    github.rest()
    assert run.results() == {"a": "cancelled", "b": "skipped", "c": "success"}
    steps = run.job("a").steps
    assert [step.outcome for step in steps] == ["cancelled", "skipped", "success", "skipped"]
    assert "interrupted" in steps[0].log
    assert steps[2].log == "cancelled"
    assert run.conclusion == "cancelled"


def test_time_limits_end_a_step_as_a_failure_and_a_job_as_cancelled(run):
    done = run(
        """
        step: {runs-on: x, steps: [{run: sleep 60, timeout-minutes: 1}, {if: failure(), run: ls}]}
        job: {runs-on: x, timeout-minutes: 1, steps: [{run: sleep 60}, {if: always(), run: ls}]}
        """,
        machine={"minute": 0.3},
    )
    assert done.results() == {"step": "failure", "job": "cancelled"}
    assert "has timed out after 1 minutes" in done.job("step").log
    assert done.job("step").steps[1].outcome == done.job("job").steps[1].outcome == "success"


def test_runs_and_jobs_work_at_the_same_time(forge, tmp_path):
    """Each of four jobs of two runs says that it is there and waits for the three others."""
    text = f"""
    on: {{workflow_dispatch: {{}}}}
    jobs:
      a:
        strategy: {{matrix: {{n: [1, 2]}}}}
        runs-on: x
        timeout-minutes: 1
        steps: [{{run: 'touch {tmp_path}/"$GITHUB_RUN_NUMBER-${{{{ matrix.n }}}}.there"; until [ $(ls {tmp_path}/*.there | wc -l) = 4 ]; do sleep 0.05; done'}}]
    """
    github = forge({"a.yml": text}, {"workers": 2})
    event = workflow_dispatch(github.repository, "a.yml")
    runs = github.start(event) + github.start(event)
    github.rest()
    assert [run.conclusion for run in runs] == ["success", "success"]


def test_caches_and_artifacts_go_from_job_to_job(run):
    done = run("""
        first:
          runs-on: x
          steps:
            - {id: c, uses: actions/cache@v4, with: {path: "stuff\\n~/.tool", key: "k-1"}}
            - {run: 'mkdir -p stuff ~/.tool out/deep out/.hidden; echo 1 > stuff/a; echo 2 > ~/.tool/b; echo 3 > out/deep/c.txt; echo > out/.hidden/d; echo 4 > out/e.txt'}
            - {uses: actions/upload-artifact@v4, with: {name: all, path: out}}
            - {uses: actions/upload-artifact@v4, with: {name: part-1, path: "out/**/*.txt\\n!out/e.txt"}}
            - {id: again, uses: actions/upload-artifact@v4, with: {name: all, path: out}, continue-on-error: true}
            - {id: none, uses: actions/upload-artifact@v4, with: {path: nothing, if-no-files-found: error}, continue-on-error: true}
        second:
          needs: first
          runs-on: x
          steps:
            - {id: c, uses: actions/cache@v4, with: {path: "stuff\\n~/.tool", key: "k-2", restore-keys: "x-\\nk-"}}
            - {run: 'cat stuff/a ~/.tool/b; echo ${{ steps.c.outputs.cache-hit }} ${{ steps.c.outputs.cache-matched-key }}'}
            - {uses: actions/download-artifact@v5, with: {name: all, path: got}}
            - {uses: actions/download-artifact@v5, with: {path: each, pattern: 'part-*'}}
            - {uses: actions/download-artifact@v5, with: {path: merged, merge-multiple: true}}
            - {run: find got each merged -type f | sort}
            - {id: missing, uses: actions/download-artifact@v5, with: {name: other}, continue-on-error: true}
        third:
          needs: second
          runs-on: x
          steps:
            - {id: c, uses: actions/cache/restore@v4, with: {path: "stuff\\n~/.tool", key: k-1}}
            - {run: 'echo ${{ steps.c.outputs.cache-hit }} ${{ hashFiles(''stuff/*'') }}'}
            - {id: miss, uses: actions/cache/restore@v4, with: {path: stuff, key: k-1, fail-on-cache-miss: true}, continue-on-error: true}
    """)
    assert done.conclusion == "success", done
    first, second, third = (done.job(name) for name in ("first", "second", "third"))
    assert (first.step("again").outcome, first.step("none").outcome) == ("failure", "failure")
    assert second.steps[1].lines == ["1", "2", "false k-1"]
    assert second.steps[5].lines == [
        "each/part-1/deep/c.txt",
        "got/deep/c.txt",
        "got/e.txt",
        "merged/deep/c.txt",
        "merged/e.txt",
    ]
    assert "Artifact not found" in second.step("missing").log
    assert third.steps[1].log.startswith("true ")
    assert len(third.steps[1].log.split()[1]) == 64
    assert third.step("miss").outcome == "failure"  # other paths are another cache


def test_setup_python_gives_a_fresh_environment_that_sees_only_what_it_is_given(run, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/given.py").write_text("word = 'given'\n")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    done = run(
        f"""
        a:
          runs-on: x
          steps:
            - {{id: p, uses: actions/setup-python@v6, with: {{python-version: '{version}', surprise: 1}}}}
            - {{run: 'python -c "import sys, given; print(given.word, sys.prefix, sys.version_info[:2])"; test "$pythonLocation/bin/python" = "$(command -v python)"'}}
            - {{run: python -c "import pytest", continue-on-error: true, id: bare}}
            - {{uses: actions/setup-python@v6, with: {{python-version: '2.7'}}, continue-on-error: true, id: old}}
            - {{uses: other/action@v1, continue-on-error: true, id: other}}
        """,
        machine={"site_packages": (tmp_path / "site",)},
    )
    job = done.job("a")
    assert job.steps[1].log.startswith(f"given {job.folder}/tools/")
    assert job.step("bare").outcome == "failure"
    assert "was not found" in job.step("old").log
    assert "no stand-in for the action 'other/action'" in job.step("other").log
    assert [item.level for item in job.step("p").annotations] == ["warning"]


def test_a_local_composite_action_has_inputs_outputs_and_steps_of_its_own(run):
    action = """
    inputs: {name: {default: nobody}, loud: {required: true}}
    outputs: {word: {value: "${{ steps.say.outputs.word }}"}}
    runs:
      using: composite
      steps:
        - {id: say, shell: bash, run: 'echo "word=$GREETING ${{ inputs.name }} ${{ inputs.loud }}" >> "$GITHUB_OUTPUT"; ls "${{ github.action_path }}"'}
        - {if: inputs.loud == 'bad', shell: bash, run: exit 1}
    """
    done = run(
        """
        a:
          runs-on: x
          steps:
            - {uses: actions/checkout@v5}
            - {id: greet, uses: ./.github/actions/greet, with: {loud: "yes"}, env: {GREETING: hi}}
            - {run: 'echo ${{ steps.greet.outputs.word }} ${{ steps.say.outputs.word }}'}
            - {id: bad, uses: ./.github/actions/greet, with: {loud: bad}, continue-on-error: true}
        """,
        files={".github/actions/greet/action.yml": action},
    )
    job = done.job("a")
    assert job.steps[2].log == "hi nobody yes"
    assert job.step("greet").lines == ["action.yml"]
    assert job.step("bad").outcome == "failure"


def test_the_token_of_a_job_has_its_rights_while_it_runs_and_none_after(forge, tmp_path):
    text = f"""
    on: {{workflow_dispatch: {{inputs: {{wait: {{type: boolean}}, level: {{type: choice, options: [a, b], default: a}}}}}}}}
    permissions: {{}}
    jobs:
      a:
        permissions: {{issues: write, contents: read}}
        runs-on: x
        steps: [{{run: 'echo "$T" > {tmp_path}/token; echo ${{{{ inputs.wait }}}} ${{{{ inputs.level }}}}', env: {{T: "${{{{ github.token }}}}"}}}}]
      b: {{runs-on: x, steps: [{{uses: actions/checkout@v5}}]}}
    """
    github = forge({"a.yml": text})
    run = github.dispatch("a.yml", {"wait": True})
    assert run.job("a").steps[0].log == "true a"
    assert {key: level for key, level in run.job("a").permissions.items() if level != "none"} == {
        "issues": "write",
        "contents": "read",
    }
    assert set(run.job("b").permissions.values()) == {"none"}
    assert run.job("b").conclusion == "failure"  # nothing may be read
    value = (tmp_path / "token").read_text().strip()
    assert value.startswith("ghs_")
    assert github.repository.token(value) is None
    assert github.dispatch("a.yml", {"level": "c"}).conclusion == "startup_failure"
    assert github.dispatch("a.yml", {"other": "c"}).conclusion == "startup_failure"


def test_events_can_be_made_by_hand_and_name_who_acts(forge):
    github = forge(
        {
            "ci.yml": "on: [push, pull_request]\njobs: {a: {runs-on: x, steps: [{run: 'echo $GITHUB_ACTOR $GITHUB_HEAD_REF'}]}}"
        }
    )
    head = github.repository.commit_of("main")
    record = {"who": "grace", "starts": True, "before": "0" * 40, "after": head, "ref": "refs/heads/main"}
    (run,) = github.deliver(push(github.repository, record))
    assert run.job("a").steps[0].log == "grace"
    git(github.ada, "push", "--quiet", "origin", "main:topic")
    commit(github.ada, {"a.txt": "1"}, branch="topic")
    git(github.ada, "push", "--quiet", "origin", "topic")
    request = github.open_pull_request("topic", author=BOT)
    assert {run.event for run in github.settle()} == {"push"}  # what the jobs' own token opens starts nothing
    (run,) = github.deliver(pull_request(github.repository, request, "opened"))
    assert run.job("a").steps[0].log == f"{BOT} topic"
