"""What is planned when nothing, or little, is decided by people: births, checks, promotions, caps, scopes."""

from builders import (
    NOW,
    ROUTE,
    at_least,
    carry_out,
    environments,
    fails,
    fresh,
    model,
    plan,
    project,
    settle,
    with_code,
    with_data,
    with_release,
)
from msgspec.structs import replace

from stellwerk.model.actions import Check, Deploy, Promote, Render, Retire, Snapshot, Train, WaitKind
from stellwerk.model.declared import Limits, Worsening
from stellwerk.model.observed import CodeFile, GeneratedFile
from stellwerk.model.records import Release
from stellwerk.planning.candidate import find_candidate


def kinds(planned):
    return [type(step.action).__name__ for step in planned.steps if not isinstance(step.action, Render)]


def keys(planned):
    return [step.key for step in planned.steps if not isinstance(step.action, Render)]


def waits(planned):
    return [(wait.kind, wait.environment) for wait in planned.waits]


def test_the_three_line_project_renders_takes_a_snapshot_and_trains_and_then_rests():
    declared = project()
    first = plan(declared, fresh(declared))
    assert [type(step.action) for step in first.steps] == [Render, Render, Render, Snapshot, Train]
    assert first.steps[-1].condition == "if the snapshot of customers passes its checks"
    assert first.steps[-1].reason == "first version"
    assert first.waits == ()
    settled = settle(declared, fresh(declared))
    assert (settled.rest.steps, settled.rest.waits) == ((), ())
    assert list(settled.observed.models["churn"].versions) == [1]
    assert settled.observed.releases == {}


def test_a_model_that_declares_no_training_plans_nothing():
    declared = project(replace(model(), train=None))
    assert plan(declared, fresh(declared)).steps == ()


def test_conditions_say_in_words_what_must_pass_first():
    declared = project(route=environments())
    planned = plan(declared, fresh(declared))
    assert [(step.key, step.condition) for step in planned.steps if not isinstance(step.action, Render)] == [
        ("snapshot:customers", ""),
        ("train:churn", "if the snapshot of customers passes its checks"),
        ("check:churn:integration", "if training succeeds"),
        ("check:churn:regression", "if integration passes"),
        ("promote:churn:production", "if integration and regression pass"),
        ("deploy:churn:production", "if promoted to production"),
    ]


def test_a_condition_on_a_version_judged_again_names_the_environment_only():
    declared, held = _violated_route(on_violation="rollback")
    (back,) = [step for step in plan(declared, held).steps if isinstance(step.action, Promote)]
    assert back.needs == ("check:churn:regression@1",)
    assert back.condition == "if regression passes"


def test_development_checks_are_part_of_training_and_recorded_with_the_birth():
    declared = project(route=environments("development", "integration"))
    settled = settle(declared, fresh(declared))
    assert [key for key in settled.done if key.startswith(("check", "train"))] == [
        "train:churn",
        "check:churn:integration",
    ]
    assert sorted(settled.observed.models["churn"].versions[1].verdicts) == [
        "development",
        "integration",
    ]


def test_development_checks_added_later_judge_the_version_that_is_there_without_training_again():
    declared = project(route=environments("integration"))
    settled = settle(declared, fresh(declared))
    grown = project(route=environments("development", "integration"))
    planned = plan(grown, settled.observed)
    assert keys(planned) == ["check:churn:development"]


def test_the_whole_route_is_checked_promoted_and_deployed_in_order_and_then_rests():
    declared = project(route=environments(deploy=("integration", "production")))
    settled = settle(declared, fresh(declared))
    assert [key for key in settled.done if not key.startswith("render")] == [
        "snapshot:customers",
        "train:churn",
        "check:churn:integration",
        "promote:churn:integration",
        "deploy:churn:integration",
        "check:churn:regression",
        "promote:churn:production",
        "deploy:churn:production",
    ]
    assert settled.rest.steps == settled.rest.waits == ()
    assert settled.observed.releases["production", "churn"] == Release(version=1)
    assert settled.observed.models["churn"].deployments["production"].version == 1


def test_a_model_skips_the_environments_it_does_not_name():
    declared = project(model(environments=("development", "production")), route=environments())
    settled = settle(declared, fresh(declared))
    assert [key for key in settled.done if "churn:" in key] == ["promote:churn:production", "deploy:churn:production"]


def test_thresholds_are_judged_in_production_when_the_model_skips_regression():
    skipping = model(environments=("development", "production"), thresholds=(at_least(0.8),))
    declared = project(skipping, route=environments())
    settled = settle(declared, fresh(declared), fails("check:churn:production"))
    assert "check:churn:production" in settled.done
    assert settled.observed.releases == {}
    assert waits(settled.rest) == [(WaitKind.VERDICT, "production")]


def test_a_failed_check_blocks_every_environment_after_it_and_says_which_check():
    declared = project(route=environments(deploy=("integration", "production")))
    settled = settle(declared, fresh(declared), fails("check:churn:integration"))
    assert settled.rest.steps == ()
    (wait,) = settled.rest.waits
    assert (wait.kind, wait.environment, wait.version) == (WaitKind.VERDICT, "integration", 1)
    assert wait.reason == "failed: accuracy: 0.5 is below 0.8"
    assert "check:churn:regression" not in settled.done


def test_a_failed_training_is_not_repeated_unasked():
    declared = project(route=environments())
    settled = settle(declared, fresh(declared), fails("train"))
    assert settled.done[-1] == "train:churn"
    assert keys(settled.rest) == []
    (wait,) = settled.rest.waits
    assert wait.kind is WaitKind.TRAINING
    assert wait.reason == "training failed before: it raised"
    assert keys(plan(declared, settled.observed, retry=True))[0] == "train:churn"
    changed = with_code(settled.observed, "churn", "fixed")
    assert keys(plan(declared, changed))[0] == "train:churn"


def test_a_reverted_change_brings_the_old_version_back_without_training():
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    two = settle(declared, with_code(one, "churn", "second")).observed
    assert two.releases["production", "churn"].version == 2
    back = settle(declared, with_code(two, "churn", "first"))
    assert "train:churn" not in back.done
    assert back.observed.releases["production", "churn"].version == 1
    assert back.observed.models["churn"].deployments["production"].version == 1
    assert back.rest.steps == ()


def test_new_data_alone_is_a_retraining_and_anything_else_a_change():
    declared = project()
    one = settle(declared, fresh(declared)).observed
    newer = settle(declared, with_data(one, "customers", "second")).observed
    assert newer.models["churn"].versions[2].record.trigger == "retrain"
    both = with_code(with_data(newer, "customers", "third"), "churn", "second")
    assert settle(declared, both).observed.models["churn"].versions[3].record.trigger == "change"


def test_a_training_says_what_changed_and_how_long_the_last_one_took():
    declared = project()
    one = settle(declared, fresh(declared)).observed
    (step,) = plan(declared, with_code(one, "churn", "second")).steps
    assert step.reason == "code churn.py"
    assert step.seconds == 120.0


def test_code_that_is_not_there_waits_and_names_the_file():
    declared = project(route=environments())
    observed = replace(fresh(declared), code={"churn": (CodeFile(path="churn.py", digest=""),)})
    planned = plan(declared, observed)
    assert keys(planned) == ["snapshot:customers"]
    (wait,) = planned.waits
    assert (wait.kind, wait.reason) == (WaitKind.DATA, "churn.py is not there")


def test_changed_owners_descriptions_and_timeouts_plan_nothing():
    declared = project(route=environments())
    settled = settle(declared, fresh(declared))
    changed = replace(
        declared,
        models=(replace(model(), description="new", risk="high", fallback="mean"),),
        environments=environments(production={"description": "new", "runner": ("gpu",)}),
    )
    assert plan(changed, settled.observed).steps == ()


def test_environments_added_one_by_one_never_train_again():
    one = project()
    observed = settle(one, fresh(one)).observed
    for count in range(1, 5):
        grown = project(model(thresholds=(at_least(0.5),)), route=environments(*ROUTE[:count]))
        settled = settle(grown, observed)
        assert "train:churn" not in settled.done
        assert settled.rest.steps == ()
        observed = settled.observed
    assert observed.releases["production", "churn"].version == 1


def _violated_route(now=NOW, **production):
    """Two versions, the second released; then thresholds are tightened and the second fails them."""
    declared = project(route=environments(production=production))
    observed = settle(declared, fresh(declared)).observed
    observed = settle(declared, with_code(observed, "churn", "second")).observed
    tight = replace(declared, models=(model(thresholds=(at_least(0.9),)),))
    settled = settle(tight, observed, fails("check:churn:regression"), now=now)
    return tight, settled.observed


def test_tightened_thresholds_judge_again_what_runs_and_a_failure_waits_for_a_person():
    declared, observed = _violated_route()
    planned = plan(declared, observed)
    assert planned.steps == ()
    assert waits(planned) == [(WaitKind.VERDICT, "regression")]
    assert observed.releases["production", "churn"] == Release(version=2)


def test_tightened_thresholds_judge_again_what_runs_when_it_is_not_the_candidate():
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    two = settle(declared, with_code(one, "churn", "second"), fails("check:churn:integration")).observed
    tight = replace(declared, models=(model(thresholds=(at_least(0.9),)),))
    planned = plan(tight, two)
    (step,) = planned.steps
    assert step.action == Check(model="churn", environment="regression", version=1)
    settled = settle(tight, two, fails("check:churn:regression"))
    (_, wait) = settled.rest.waits
    assert (wait.kind, wait.environment, wait.version) == (WaitKind.VERDICT, "production", 1)
    assert "violates accuracy in regression" in wait.reason


def test_what_runs_is_judged_again_even_where_an_earlier_environment_blocks_the_route():
    declared = project(route=environments())
    one = settle(declared, fresh(declared)).observed
    tight = project(
        model(thresholds=(at_least(0.9),), checks=(_command("curl"),)),
        route=environments(),
    )
    settled = settle(tight, one, fails("check:churn:integration", "check:churn:regression"))
    assert "check:churn:regression" in settled.done
    assert (WaitKind.VERDICT, "production") in waits(settled.rest)
    assert settled.rest.steps == ()


def _command(words):
    from stellwerk.model.declared import CommandCheck

    return CommandCheck(name="smoke", command=words)


def test_on_violation_rollback_goes_back_to_the_newest_earlier_version_that_passes():
    declared, observed = _violated_route(on_violation="rollback")
    planned = plan(declared, observed)
    assert [step.action for step in planned.steps] == [
        Check(model="churn", environment="regression", version=1),
        Promote(model="churn", environment="production", version=1, previous=2, back=True),
        Deploy(model="churn", environment="production", version=1, previous=2),
    ]
    settled = settle(declared, observed)
    release = settled.observed.releases["production", "churn"]
    assert (release.version, release.rollback.of) == (1, 2)
    assert release.hold is not None
    assert settled.observed.models["churn"].deployments["production"].version == 1
    assert settled.rest.steps == ()


def test_on_violation_rollback_passes_over_an_earlier_version_that_violates_too():
    declared, observed = _violated_route(on_violation="rollback")
    settled = settle(declared, observed, fails("check:churn:regression@1"))
    assert settled.observed.releases["production", "churn"].version == 2
    assert settled.rest.steps == ()
    assert {kind for kind, _ in waits(settled.rest)} == {WaitKind.VERDICT}


def test_on_violation_rollback_leaves_a_held_release_alone():
    declared, observed = _violated_route(on_violation="rollback")
    from stellwerk.model.records import Hold

    held = with_release(observed, "production", "churn", Release(version=2, hold=Hold(because="audit", by="ada")))
    planned = plan(declared, held)
    assert planned.steps == ()
    assert WaitKind.VERDICT in {wait.kind for wait in planned.waits}


def test_two_environments_that_judge_plan_one_rollback():
    names = ("regression", "regression-two", "production")
    declared = project(route=environments(*names, production={"on_violation": "rollback"}))
    one = settle(declared, fresh(declared)).observed
    two = settle(declared, with_code(one, "churn", "second")).observed
    tight = replace(declared, models=(model(thresholds=(at_least(0.9),)),))
    one_fails = settle(tight, two, fails("check:churn:regression")).observed
    both = carry_out(
        tight,
        one_fails,
        _step(Check(model="churn", environment="regression-two", version=2)),
        fails("check"),
    )
    planned = plan(tight, both)
    assert len(set(keys(planned))) == len(keys(planned))


def _step(action, key="check:x"):
    from stellwerk.model.actions import Step

    return Step(action=action, reason="", key=key)


def test_the_champion_is_compared_only_while_a_promotion_is_pending():
    limits = (at_least(0.5, max_worsening=Worsening(value=0.02)),)
    declared = project(model(thresholds=limits), route=environments())
    one = settle(declared, fresh(declared)).observed
    assert one.models["churn"].versions[1].verdicts["regression"].champion is None
    assert plan(declared, one).steps == ()
    two = settle(declared, with_code(one, "churn", "second")).observed
    assert two.models["churn"].versions[2].verdicts["regression"].champion == 1
    assert plan(declared, two).steps == ()


def test_a_verdict_against_another_champion_is_stale_only_where_worsening_is_limited():
    for limited in (True, False):
        limits = (at_least(0.5, max_worsening=Worsening(value=0.02) if limited else None),)
        manual = {"promotion": (_by_hand(),)}
        declared = project(model(thresholds=limits), route=environments())
        one = settle(declared, fresh(declared)).observed
        waiting = project(model(thresholds=limits), route=environments(production=manual))
        two = settle(waiting, with_code(one, "churn", "second")).observed
        three = settle(waiting, with_code(two, "churn", "third")).observed
        moved = with_release(three, "production", "churn", Release(version=2))
        checks = [step for step in plan(waiting, moved).steps if isinstance(step.action, Check)]
        assert [(step.action.champion, step.reason) for step in checks] == (
            [(2, "the champion is v2 now")] if limited else []
        )


def _by_hand():
    from stellwerk.model.declared import PromotionRule

    return PromotionRule(mode="manual")


def test_more_trainings_than_the_limit_wait_with_their_count_and_their_minutes():
    models = [model(f"model-{number}") for number in range(4)]
    declared = project(*models, limits=Limits(trainings=3))
    planned = plan(declared, fresh(declared))
    assert kinds(planned) == ["Snapshot"]
    (wait,) = planned.waits
    assert wait.kind is WaitKind.CONFIRMATION
    assert wait.reason == "4 trainings in one plan; limits.trainings is 3"
    assert "--confirm-trainings 4" in wait.unblock
    assert kinds(plan(declared, fresh(declared), trainings=3)) == ["Snapshot"]
    settled = settle(declared, fresh(declared), trainings=4)
    assert settled.rest.steps == settled.rest.waits == ()
    new_data = plan(declared, with_data(settled.observed, "customers", "second"))
    assert new_data.waits[0].reason.startswith("4 trainings in one plan, about 8 minutes;")


def test_a_limit_on_trainings_leaves_everything_else_planned():
    models = [model(f"model-{number}") for number in range(3)]
    declared = project(*models, route=environments(), limits=Limits(trainings=1))
    settled = settle(declared, fresh(declared), trainings=3)
    tight = replace(declared, models=tuple(replace(item, thresholds=(at_least(0.9),)) for item in models))
    observed = with_code(with_code(settled.observed, "model-0", "x"), "model-1", "x")
    assert [step.action.model for step in plan(tight, observed).steps if isinstance(step.action, Check)] == [
        "model-0",
        "model-1",
        "model-2",
    ]
    assert not [step for step in plan(tight, observed).steps if isinstance(step.action, Train)]


def test_a_model_that_is_no_longer_declared_is_retired_and_its_generated_files_go():
    both = project(model("churn"), model("credit"), route=environments())
    observed = settle(both, fresh(both)).observed
    left = project(model("churn"), route=environments())
    settled = settle(left, observed)
    assert [key for key in settled.done if not key.startswith("render")] == ["retire:credit:production"]
    assert ("production", "credit") not in settled.observed.releases
    assert "credit" in settled.observed.models
    assert [path for path in settled.observed.generated if "credit" in path] == []
    assert settled.rest.steps == settled.rest.waits == ()


def test_removing_many_models_at_once_waits_and_nothing_of_them_is_touched():
    models = [model(f"model-{number}") for number in range(6)]
    all_six = project(*models, route=environments(), limits=Limits(trainings=9))
    observed = settle(all_six, fresh(all_six)).observed
    two = project(*models[:2], route=environments())
    planned = plan(two, observed)
    assert planned.steps == ()
    (wait,) = planned.waits
    assert wait.kind is WaitKind.CONFIRMATION
    assert wait.reason.startswith("4 of 6 models are no longer declared")
    assert plan(two, observed, removals=3).steps == ()
    assert [step.action for step in plan(two, observed, removals=4).steps if isinstance(step.action, Retire)] == [
        Retire(model=f"model-{number}", environment="production", version=1) for number in range(2, 6)
    ]


def test_removing_many_models_without_releases_waits_too():
    models = [model(f"model-{number}") for number in range(6)]
    all_six = project(*models, limits=Limits(trainings=9))
    observed = settle(all_six, fresh(all_six)).observed
    planned = plan(project(*models[:1]), observed)
    assert planned.steps == ()
    assert [wait.kind for wait in planned.waits] == [WaitKind.CONFIRMATION]
    assert len(plan(project(*models[:1]), observed, removals=5).steps) == 15


def test_three_removals_of_many_need_no_confirmation():
    models = [model(f"model-{number}") for number in range(4)]
    declared = project(*models, route=environments())
    observed = settle(declared, fresh(declared)).observed
    assert kinds(plan(project(models[0], route=environments()), observed)) == ["Retire"] * 3


def test_a_renamed_model_keeps_its_versions_and_its_release():
    declared = project(route=environments())
    observed = settle(declared, fresh(declared)).observed
    renamed = replace(model("retention"), source="churn.py", previously="churn")
    after = project(renamed, route=environments())
    moved = replace(observed, code={"retention": observed.code["churn"]})
    first = plan(after, moved)
    assert Render(path="registry/retention", text=None, model="retention", rename_from="registry/churn") in [
        step.action for step in first.steps
    ]
    assert not {"Train", "Retire", "Check", "Promote"} & set(kinds(first))
    settled = settle(after, moved)
    assert settled.rest.steps == ()
    assert settled.observed.releases["production", "retention"].version == 1


def test_a_generated_file_edited_by_hand_waits_until_it_is_forced():
    declared = project()
    observed = settle(declared, fresh(declared)).observed
    path = "models/churn/dvc.yaml"
    edited = replace(observed, generated={**observed.generated, path: GeneratedFile(sha256="0", state="edited")})
    planned = plan(declared, edited)
    assert planned.steps == ()
    assert [(wait.kind, wait.model) for wait in planned.waits] == [(WaitKind.EDITED, "churn")]
    assert [step.key for step in plan(declared, edited, force=(path,)).steps] == [f"render:{path}"]


def test_a_model_scope_keeps_that_models_steps_its_data_and_the_waits_that_concern_it():
    declared = project(model("churn"), model("credit", data="loans"), route=environments())
    planned = plan(declared, fresh(declared), model="credit")
    assert {getattr(step.action, "model", "credit") for step in planned.steps} == {"credit"}
    assert keys(planned)[0] == "snapshot:loans"
    blocked = settle(declared, fresh(declared), fails("check:churn", "check:credit")).observed
    assert [wait.model for wait in plan(declared, blocked, model="credit").waits] == ["credit"]


def test_an_environment_scope_drops_every_step_whose_needs_are_dropped():
    declared = project(route=environments())
    assert plan(declared, fresh(declared), environment="regression").steps == ()
    trained = settle(declared, fresh(declared), fails("check:churn:regression")).observed
    tight = replace(declared, models=(model(thresholds=(at_least(0.1),)),))
    assert keys(plan(tight, trained, environment="regression")) == ["check:churn:regression"]
    assert keys(plan(tight, trained, environment="production")) == []


def test_the_candidate_is_the_version_with_the_current_fingerprint_not_the_highest_number():
    declared = project()
    one = settle(declared, fresh(declared)).observed
    two = settle(declared, with_code(one, "churn", "second")).observed
    assert find_candidate(declared.models[0], two).number == 2
    assert find_candidate(declared.models[0], with_code(two, "churn", "first")).number == 1


def test_a_promotion_never_passes_an_environment_where_the_version_does_not_run():
    """A deployment that fails upstream keeps the next promotion waiting for it."""
    declared = project(route=environments(deploy=("integration", "production")))
    settled = settle(declared, fresh(declared), fails("deploy:churn:integration"))
    assert ("production", "churn") not in settled.observed.releases
    (deploy, *after) = [step for step in settled.rest.steps if not isinstance(step.action, Check)]
    assert deploy.key == "deploy:churn:integration"
    assert all("deploy:churn:integration" in step.needs for step in after)
