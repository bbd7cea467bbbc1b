"""A forge that refuses, slows down or is not there: clear words, bounded waits, nothing twice."""

from __future__ import annotations

import pytest

from stellwerk.adapters.forge import ForgeDown, ForgeError, open_forge
from stellwerk.adapters.forge.patience import is_limit
from stellwerk.adapters.forge.refusal import refusal


def issue(forge, **given):
    return forge.issue(**{"marker": "drift", "title": "Drift", "body": "one file", **given})


def told(caught):
    error = caught.value
    return f"{error.where}: {error.message} [{error.hint}]"


def test_bad_credentials_say_which_variable(server, new_forge):
    with pytest.raises(ForgeError, match=r"does not know the token.*Bad credentials") as caught:
        issue(new_forge(GITHUB_TOKEN="ghs-old"))
    assert "GITHUB_TOKEN is wrong, expired or revoked" in told(caught)
    assert "ghs-old" not in told(caught)


def test_a_missing_right_is_named(server, forge):
    server.rights = {"contents: write"}
    with pytest.raises(ForgeError, match="refuses to make our label: Resource not accessible by integration") as caught:
        issue(forge)
    assert "`permissions: {issues: write}`" in caught.value.hint
    assert caught.value.status == 403


def test_a_missing_right_to_open_pull_requests_is_named(server, forge):
    server.rights = {"issues: write"}
    server.branch("feature")
    with pytest.raises(ForgeError, match="refuses to open the pull request of feature") as caught:
        forge.pull_request(branch="feature", base="main", title="t", body="b")
    assert "`permissions: {pull-requests: write}`" in caught.value.hint


def test_the_setting_that_forbids_actions_to_open_pull_requests_is_named(server, forge):
    server.branch("feature")
    server.fail("POST /pulls", 403, "GitHub Actions is not permitted to create or approve pull requests.")
    with pytest.raises(ForgeError) as caught:
        forge.pull_request(branch="feature", base="main", title="t", body="b")
    assert "Workflow permissions" in caught.value.hint
    assert "identity: github-app" in caught.value.hint


def test_a_repository_that_the_token_cannot_see_is_told_from_a_thing_that_is_not_there(server, new_forge):
    with pytest.raises(ForgeError) as caught:
        new_forge().comment(number=99, marker="report", body="b")
    assert "it is not there any more, or the token may only read" in caught.value.hint
    server.visible = False
    with pytest.raises(ForgeError) as caught:
        new_forge().comment(number=99, marker="report", body="b")
    assert "GitHub shows no repository octocat/Hello-World to this token" in caught.value.message


def test_a_repository_with_another_name_by_now_is_not_followed(server, forge):
    server.settings["full_name"] = "octocat/Goodbye"
    with pytest.raises(ForgeError, match="is now octocat/Goodbye") as caught:
        issue(forge)
    assert caught.value.hint == "set GITHUB_REPOSITORY to octocat/Goodbye"
    assert server.written() == []


def test_a_redirection_to_elsewhere_is_not_followed(server, forge):
    server.fail("GET ", 301, "Moved Permanently", headers={"location": "https://github.example/repositories/1"})
    with pytest.raises(ForgeError, match="not GitHub's") as caught:
        issue(forge)
    assert "what leads elsewhere is not followed" in caught.value.hint


def test_what_github_finds_invalid_is_told_in_its_words(server, forge):
    server.fail("POST /issues", 422, "Validation Failed: title is not polite")
    with pytest.raises(ForgeError, match="refuses to open an issue: Validation Failed: title is not polite"):
        issue(forge)


@pytest.mark.parametrize(
    ("status", "message", "headers", "seconds"),
    [
        (403, "You have exceeded a secondary rate limit.", {"retry-after": "17"}, 17),
        (429, "Too many", {"retry-after": "17"}, 17),
        (429, "Too many", {"retry-after": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),
        (403, "API rate limit exceeded", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000045"}, 45),
        (403, "You have exceeded a secondary rate limit.", {}, 60),
    ],
)
def test_a_rate_limit_is_waited_for_as_told_and_the_request_is_sent_again_once(
    server, forge, clock, status, message, headers, seconds
):
    server.fail("POST /issues", status, message, headers=headers)
    assert issue(forge).change == "opened"
    assert len(clock.slept) == 1
    assert seconds <= clock.slept[0] <= seconds + 1
    assert len(server.issues) == 1


def test_a_rate_limit_that_ends_too_late_says_when(server, forge, clock):
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(1_800_000_000 + 1800)}
    server.fail("GET ", 403, "API rate limit exceeded for installation", headers=headers)
    with pytest.raises(ForgeDown, match="used up until 2027-01-15 08:30:00 UTC"):
        issue(forge)
    assert clock.slept == []


def test_all_waits_of_a_run_together_are_bounded(server, forge, clock):
    server.fail(
        "POST /issues", 403, "You have exceeded a secondary rate limit.", times=99, headers={"retry-after": "50"}
    )
    with pytest.raises(ForgeDown, match="rate limit"):
        issue(forge)
    assert sum(clock.slept) <= 120
    assert server.issues == {}


@pytest.mark.parametrize("status", [500, 502, 503, None])
def test_a_forge_that_is_down_for_a_moment_is_asked_again(server, forge, clock, status):
    server.fail("GET .*", status, times=3)
    assert issue(forge).change == "opened"
    assert len(clock.slept) == 3
    assert clock.slept == sorted(clock.slept)


def test_a_server_that_says_how_long_it_rests_is_left_alone_for_so_long(server, forge, clock):
    server.fail("GET ", 503, headers={"retry-after": "40"})
    issue(forge)
    assert clock.slept == [40]


def test_a_forge_that_stays_down_is_an_error_of_its_own(server, forge, clock):
    server.fail("GET ", 503, times=99)
    with pytest.raises(ForgeDown, match=r"cannot be reached \(status 503\), after 5 tries") as caught:
        issue(forge)
    assert "run it again later" in caught.value.hint
    assert sum(clock.slept) < 30


def test_a_forge_that_is_not_there_is_an_error_of_its_own(new_forge):
    with pytest.raises(ForgeDown, match="ConnectionError"):
        issue(new_forge(GITHUB_API_URL="http://127.0.0.1:9"))


def test_an_answer_that_is_not_githubs_is_said(server, forge):
    server.fail("GET ", 200, "welcome to the guest network")
    with pytest.raises(ForgeError, match="not GitHub's") as caught:
        issue(forge)
    assert "GITHUB_API_URL" in caught.value.hint
    server.exchanged.clear()  # it is not to be held to GitHub's description


@pytest.mark.parametrize(
    ("environ", "where", "words"),
    [
        ({}, "GITHUB_REPOSITORY", "export GITHUB_REPOSITORY=OWNER/NAME"),
        ({"GITHUB_REPOSITORY": "a/b/c"}, "GITHUB_REPOSITORY", "'a/b/c' is no repository"),
        ({"GITHUB_REPOSITORY": "a/b"}, "GITHUB_TOKEN", "there is no token"),
        ({"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "ftp://x"}, "GITHUB_API_URL", "https"),
        (
            {"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_API_URL": "http://ghe.example"},
            "GITHUB_API_URL",
            "token is not",
        ),
    ],
)
def test_a_variable_that_is_missing_or_wrong_is_named(environ, where, words):
    with pytest.raises(ForgeError) as caught:
        open_forge(environ, print, "github")
    assert caught.value.where == where
    assert words in told(caught)


def test_a_forge_that_nobody_wrote_is_an_error():
    with pytest.raises(ForgeError, match="no forge 'gitlab'"):
        open_forge({}, print, "gitlab")


def test_without_pygithub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "github", None)
    with pytest.raises(ForgeError) as caught:
        open_forge({"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t"}, print, "github")
    assert caught.value.hint == "pip install 'stellwerk[github]'"


@pytest.mark.parametrize("title", ["", "  ", "x" * 257])
def test_a_title_that_github_would_refuse_is_refused_before_it_is_sent(server, forge, title):
    with pytest.raises(ForgeError, match="title"):
        issue(forge, title=title)
    assert server.exchanged == []


def test_old_tokens_get_the_permission_from_our_own_list():
    from github import GithubException

    error = GithubException(403, {"message": "Resource not accessible by personal access token"}, {})
    hint = refusal(error, doing="comment", needs="pull-requests: write", where="a/b").hint
    assert "`permissions: {pull-requests: write}`" in hint


@pytest.mark.parametrize(
    ("message", "headers", "words"),
    [
        ("Repository was archived so is read-only.", {}, "the repository is archived"),
        (
            "Resource protected by organization SAML enforcement.",
            {"x-github-sso": "required; url=https://x"},
            "single sign-on",
        ),
        ("Resource not accessible by personal access token", {}, "`permissions: {issues: write}`"),
    ],
)
def test_other_refusals_say_what_to_do(server, forge, message, headers, words):
    server.fail("POST /issues", 403, message, headers=headers)
    with pytest.raises(ForgeError) as caught:
        issue(forge)
    assert words in caught.value.hint


def test_many_writes_are_kept_a_second_apart(server, forge, clock):
    server.branch("feature")
    number = server.open_pull("feature", "main", title="a", body="b", by="ada")["number"]
    for marker in range(24):
        forge.comment(number=number, marker=f"report/{marker}", body="b")
    assert clock.slept == [1, 1, 1, 1]


def test_a_marker_without_a_name_is_refused(server, forge):
    with pytest.raises(ForgeError, match="the marker ''"):
        issue(forge, marker="")
    assert server.issues == {}


def test_a_rate_limit_of_graphql_is_one_too():
    from github import GithubException

    def limited(kind):
        return is_limit(GithubException(400, {"errors": [{"type": kind, "message": "API rate limit exceeded"}]}, {}))

    assert (limited("RATE_LIMITED"), limited("FORBIDDEN")) == (True, False)
