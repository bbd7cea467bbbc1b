"""How runs go on, wait and end: called workflows, approvals, concurrency groups, kills, cancels and time limits."""

import os
from pathlib import Path

import pytest
from harness import Environment, Kill, workflow_dispatch
from harness.story import commit, git

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


def test_a_called_workflow_inherits_all_secrets_where_that_is_written(run):
    jobs = CALL.replace('{key: "${{ secrets.KEY }}"}', "inherit").replace("./.github", "$/.github")
    called = CALLED.replace("secrets.key }}", "secrets.KEY }}")
    done = run(jobs, files={"called.yml": called}, top="permissions: {contents: read}", **SECRETS)
    assert done.job("call / say").steps[1].log == "[***][***]"


def test_a_call_stands_in_the_group_of_the_workflow_it_calls(run):
    called = f"concurrency: deployments\n{CALLED.lstrip()}"
    same = run(
        CALL, files={"called.yml": called}, top="permissions: {contents: read}\nconcurrency: Deployments", **SECRETS
    )
    assert same.results() == {"after": "skipped"}
    assert same.conclusion == "cancelled"


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


def test_what_a_script_runs_in_the_foreground_hears_nothing_of_a_cancel_until_it_is_killed(forge, tmp_path):
    """As on GitHub, where the signals go to the shell; a script that wants them to arrive uses `exec`."""
    text = "on: workflow_dispatch\njobs:\n"
    for name, start in (("child", ""), ("exec", "exec ")):
        os.mkfifo(tmp_path / name)
        code = f'import signal; open("{tmp_path / name}", "w").close(); signal.sigtimedwait([], 60)'
        text += f"  {name}:\n    runs-on: x\n    steps:\n      - run: |\n          {start}python3 -u -c '{code}'\n"
    github = forge({"a.yml": text}, {"workers": 2})
    (run,) = github.start(workflow_dispatch(github.repository, "a.yml"))
    for name in ("child", "exec"):
        (tmp_path / name).read_bytes()  # both are there
    run.cancel()
    github.rest()
    assert run.results() == {"child": "cancelled", "exec": "cancelled"}
    assert "KeyboardInterrupt" in run.job("exec").log
    assert "KeyboardInterrupt" not in run.job("child").log


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
