"""What the forge does: triggers, checkouts, pull requests, tokens and who may push; with real git."""

from pathlib import Path

import pytest
from harness import BOT, App, Environment, pull_request, push
from harness.story import attempt, commit, git

APP = App(
    id="17", private_key="key of the app", slug="stellwerk", permissions={"contents": "write", "workflows": "write"}
)


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
    refused = attempt(github.ada, "push", "--force", "origin", "HEAD:main")
    assert "Cannot force-push" in refused.stderr
    grace = github.clone("grace")
    commit(grace, {"b.txt": "1"})
    assert "GH006" in attempt(grace, "push", "origin", "HEAD:main").stderr
    git(grace, "push", "--quiet", "origin", "HEAD:topic")
    git(grace, "config", "--unset", "push.pushOption")
    assert "Authentication failed" in attempt(grace, "push", "origin", "HEAD:other").stderr
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


def test_a_merged_pull_request_is_closed_and_lands_as_a_push_of_whoever_merged_it(forge):
    jobs = "jobs: {a: {runs-on: x, steps: [{run: 'echo $GITHUB_ACTOR'}]}}"
    github = forge({"ci.yml": f"on: {{push: {{branches: [main]}}, pull_request: {{types: [closed]}}}}\n{jobs}"})
    github.settle()
    for number, by in enumerate(("grace", BOT), start=1):
        commit(github.ada, {f"{by}.txt": "1"}, branch=f"topic-{number}")
        git(github.ada, "push", "--quiet", "origin", f"topic-{number}")
        merged = github.merge(github.open_pull_request(f"topic-{number}"), by=by, squash=number == 2)
        assert github.repository.commit_of("main") == merged
        runs = {run.event: run.job("a").steps[0].log for run in github.settle()}
        assert runs == ({} if by == BOT else {"push": by, "pull_request": by})
    assert github.repository.git("log", "-2", "--first-parent", "--format=%s", "main").splitlines() == [
        "topic-2 (#2)",
        "Merge pull request #1",
    ]
    assert all(request.merged and request.state == "closed" for request in github.repository.pull_requests.values())
