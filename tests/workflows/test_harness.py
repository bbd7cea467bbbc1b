"""What a job does, as GitHub documents it: each rule shown by a small workflow that really runs."""

import json
import sys

import pytest


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
            - {run: 'echo ${{ steps.c.outputs.cache-hit }} ${{ hashFiles(''stuff/**'') }}'}
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
        b:
          runs-on: x
          steps: [{id: greet, uses: $/.github/actions/greet, with: {loud: no, name: me}}, {run: 'ls; echo ${{ steps.greet.outputs.word }}'}]
        """,
        files={".github/actions/greet/action.yml": action},
    )
    job = done.job("a")
    assert job.steps[2].log == "hi nobody yes"
    assert job.step("greet").lines == ["action.yml"]
    assert job.step("bad").outcome == "failure"
    assert done.job("b").steps[1].log == "me no"  # of the running commit, without a checkout
