"""The summary of a reconcile in CI."""

from stellwerk.model.actions import Deploy, Plan, Step, Train, Wait, WaitKind
from stellwerk.model.views import Done, Outcome
from stellwerk.report.outcome_markdown import LIMIT, outcome_markdown, problem_markdown

EVIL = "a|b `c` <img src=x> @ada #1\n## heading ${{ github.token }}"
TRAIN = Step(action=Train(model="credit", fingerprint=None), reason="new", key="train:credit")
DEPLOY = Step(action=Deploy(model="credit", environment="production", version=3), reason="new")
OUTCOME = Outcome(
    done=(
        Done(step=TRAIN, summary="train: credit v3 (rmse 10.2)", commit="1a2b3c4d5e6f"),
        Done(step=DEPLOY, summary="deploy: refused", commit=None, passed=False, detail="first\nsecond"),
    ),
    problems=(("deploy:credit:production", "the target is read-only:\nerrno 30", "make it writable"),),
    remaining=Plan(basis=""),
    waits=(
        Wait(
            kind=WaitKind.APPROVAL,
            reason="0 of 1 approvals by risk",
            unblock="stellwerk approve credit production",
            model="credit",
            environment="production",
            version=3,
        ),
    ),
    pushed="main to origin",
)


def test_a_summary_says_what_was_done_what_failed_and_what_would_meet_what_waits():
    assert outcome_markdown(OUTCOME, title="production") == (
        "### Stellwerk reconcile: production\n\n"
        "**Done: 2 actions; 1 failed; 1 waiting. Pushed main to origin.**\n\n"
        "| | Commit | What |\n|---|---|---|\n"
        "| ✅ | `1a2b3c4` | train: credit v3 \\(rmse 10.2\\) |\n"
        "| ❌ |  | deploy: refused<br>first<br>second |\n\n"
        "**Failed**\n\n"
        "- **deploy credit production**: the target is read\\-only:<br>errno 30 → make it writable\n\n"
        "**Waiting**\n\n"
        "- **credit v3 in production**: 0 of 1 approvals by risk → stellwerk approve credit production\n\n"
    )


def test_hostile_texts_stay_texts():
    step = Step(action=Train(model=EVIL, fingerprint=None), reason=EVIL)
    wait = Wait(kind=WaitKind.HOLD, reason=EVIL, unblock=EVIL, model=EVIL, environment=EVIL)
    outcome = Outcome(
        done=(Done(step=step, summary=EVIL, commit="12", detail=EVIL),),
        problems=((EVIL, EVIL, EVIL),),
        remaining=Plan(basis=""),
        waits=(wait,),
        pushed=EVIL,
    )
    for text in (outcome_markdown(outcome, title=EVIL), problem_markdown(EVIL, EVIL, title=EVIL)):
        assert "@ada" not in text
        assert "<img" not in text
        assert "`c`" not in text
        assert "\n## heading" not in text
        assert " #1" not in text.replace("\\", "")
        rows = [line for line in text.splitlines() if line.startswith("| ✅")]
        assert all(line.replace("\\|", "").count("|") == 4 for line in rows)


def test_a_summary_is_short_enough_to_be_shown():
    many = tuple(Done(step=TRAIN, summary="x" * 900, commit=None) for _ in range(2000))
    text = outcome_markdown(Outcome(done=many, problems=(), remaining=Plan(basis="")))
    assert len(text.encode()) < LIMIT + 1000
    assert "more lines: the job's log has them all" in text


def test_a_run_with_nothing_to_do_says_so_in_one_line():
    text = outcome_markdown(Outcome(done=(), problems=(), remaining=Plan(basis="")))
    assert text == "### Stellwerk reconcile\n\n**Nothing to do: what is declared is what is there.**\n\n"
