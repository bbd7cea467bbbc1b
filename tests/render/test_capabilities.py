"""Nothing is dropped in silence: every gap that a project runs into is listed, and only those."""

from stellwerk.model.declared import Environment, Purpose, Workflows
from stellwerk.render.capabilities import comment_lines, gaps
from stellwerk.render.pipelines import pipelines
from stellwerk.render.pipelines.facts import Facts

PRODUCTION = Environment(name="production", purpose=Purpose.PRODUCTION, secrets=("TOKEN",), up="up", down="down")


def found(workflows, **facts):
    given = Facts(workflows=workflows, **facts)
    return gaps(pipelines(given), workflows)


def words(workflows, **facts):
    return " ".join(comment_lines(found(workflows, **facts)))


def test_bitbucket_lists_what_these_pipelines_ask_for_and_no_more():
    bitbucket = Workflows(provider="bitbucket")
    small = words(bitbucket)
    large = words(bitbucket, environments=(PRODUCTION,), sources=(None,), schedules=("0 3 * * 1",), messages=True)
    for part in ("schedule", "has no token", "fewer rights", "code owners", "another run"):
        assert part in small
    for part in ("deployment may be named once", "no message from outside", "cannot fail it", "shared by another"):
        assert part in large
        assert part not in small.replace("what runs at the end of a step in any case cannot fail it", "")


def test_an_app_has_what_the_token_has_not():
    assert "cannot push workflow files" in words(Workflows(), training=(None,))
    assert "GITHUB_TOKEN" not in words(Workflows(identity="github-app"), environments=(PRODUCTION,))
    assert "there are no apps" in words(Workflows(provider="bitbucket", identity="github-app"))
    assert "`workflows.actions` is without effect" in words(Workflows(provider="bitbucket", actions={"a/b": "c"}))


def test_labels_that_bitbucket_cuts_off_are_told():
    assert "labels" not in words(Workflows(provider="bitbucket", runner=("self-hosted", "linux")))
    assert "labels" in words(Workflows(provider="bitbucket", runner=("x" * 51,)))
    assert "labels" in words(Workflows(provider="bitbucket", runner=tuple(map(str, range(10)))))


def test_each_names_the_pipelines_and_a_way_out():
    for workflows in (Workflows(), Workflows(provider="bitbucket")):
        for gap in found(workflows, environments=(PRODUCTION,)):
            assert gap.provider == workflows.provider
            assert set(gap.where.split(", ")) <= {"ci", "cd", "ct", "drift"}
            assert gap.what
            assert gap.instead


def test_a_comment_stays_one():
    lines = comment_lines(found(Workflows(provider="bitbucket"), environments=(PRODUCTION,)))
    assert all(line.isprintable() and len(line) < 118 for line in lines)
