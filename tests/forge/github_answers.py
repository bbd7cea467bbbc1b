"""What GitHub answers: a function for each operation, in GitHub's own words where it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from published import Exchanged, graphql_schema

if TYPE_CHECKING:
    from github_server import GitHubServer

DOCUMENTATION = "https://docs.github.com/rest"
OWNER = "octocat"
Answer = tuple[int, Any]


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, message: str, *details: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.answer: dict[str, Any] = {"message": message, "documentation_url": DOCUMENTATION}
        if details:
            self.answer["errors"] = list(details)


def invalid(resource: str, field_name: str, code: str, **more: Any) -> Refused:
    return Refused(422, "Validation Failed", {"resource": resource, "field": field_name, "code": code, **more})


def repository(github: GitHubServer, _: Exchanged | None) -> Answer:
    return 200, {**github.examples["full-repository"], "allow_auto_merge": True, **github.settings}


def list_pulls(github: GitHubServer, request: Exchanged) -> Answer:
    query = request.query
    found = [
        github._simple(pull)
        for pull in sorted(github.pulls.values(), key=lambda pull: -pull["number"])
        if query["state"] in {"all", pull["state"]} and pull["head"]["label"] == query["head"]
    ]
    return 200, found


def open_pull(github: GitHubServer, request: Exchanged) -> Answer:
    given = request.body
    head, base = given["head"], given["base"]
    if head not in github.branches:
        raise invalid("PullRequest", "head", "invalid")
    if base not in github.branches:
        raise invalid("PullRequest", "base", "invalid")
    for pull in github.pulls.values():
        if pull["state"] == "open" and (pull["head"]["ref"], pull["base"]["ref"]) == (head, base):
            message = f"A pull request already exists for {OWNER}:{head}."
            raise Refused(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": message})
    if github.branches[head] == github.branches[base]:
        message = f"No commits between {base} and {head}"
        raise Refused(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": message})
    github._check("PullRequest", given)
    return 201, github.open_pull(head, base, title=given["title"], body=given["body"], by=github.viewer)


def get_pull(github: GitHubServer, _: Exchanged, number: int) -> Answer:
    pull = github._found(github.pulls, number)
    if pull["looks"]:
        pull["looks"] -= 1
        return 200, {**github._full(pull), "mergeable_state": "unknown", "mergeable": None}
    return 200, github._full(pull)


def edit_pull(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    pull = github._found(github.pulls, number)
    github._check("PullRequest", request.body)
    if "base" in request.body:
        if pull["state"] == "closed":
            message = "Cannot change the base branch of a closed pull request."
            raise Refused(422, "Validation Failed", {"resource": "PullRequest", "code": "custom", "message": message})
        pull["base"].update(ref=request.body["base"], label=f"{OWNER}:{request.body['base']}")
    pull.update({key: value for key, value in request.body.items() if key in {"title", "body", "state"}})
    return 200, github._full(pull)


def merge_pull(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    pull = github._found(github.pulls, number)
    method = {"merge": "allow_merge_commit", "squash": "allow_squash_merge", "rebase": "allow_rebase_merge"}
    if pull["merged"] or pull["state"] == "closed" or pull["mergeable_state"] in {"dirty", "blocked", "draft"}:
        raise Refused(405, "Pull Request is not mergeable")
    if not repository(github, request)[1][method[request.body["merge_method"]]]:
        raise Refused(405, f"{request.body['merge_method'].title()} merges are not allowed on this repository.")
    if request.body["sha"] != pull["head"]["sha"]:
        raise Refused(409, "Head branch was modified. Review and try the merge again.")
    github.merge(number)
    return 200, {"sha": pull["head"]["sha"], "merged": True, "message": "Pull Request successfully merged"}


def list_issues(github: GitHubServer, request: Exchanged) -> Answer:
    query = request.query
    found = [github._issue(number) for number in sorted({*github.issues, *github.pulls})]
    wanted = query["labels"]
    return 200, [
        issue
        for issue in found
        if query["state"] in {"all", issue["state"]} and wanted in [label["name"] for label in issue["labels"]]
    ]


def get_issue(github: GitHubServer, _: Exchanged, number: int) -> Answer:
    return 200, github._issue(number)


def open_issue(github: GitHubServer, request: Exchanged) -> Answer:
    if not repository(github, request)[1]["has_issues"]:
        raise Refused(410, "Issues has been disabled in this repository.")
    github._check("Issue", request.body)
    labels = [] if github.drops_labels else request.body.get("labels", [])
    return 201, github.open_issue({**request.body, "labels": labels}, by=github.viewer)


def edit_issue(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    issue = github._found(github.issues, number)
    github._check("Issue", request.body)
    issue.update({key: value for key, value in request.body.items() if key in {"title", "body", "state_reason"}})
    if request.body.get("state") == "closed" and issue["state"] == "open":
        github.close(number, by=github.viewer)
    elif request.body.get("state") == "open":
        issue.update(state="open", closed_at=None)
        github.closers.pop(number, None)
    github._set(issue, request.body)
    return 200, github._issue(number)


def list_comments(github: GitHubServer, _: Exchanged, number: int) -> Answer:
    github._issue(number)
    return 200, [c for _, c in sorted(github.comments.items()) if c["issue_url"].endswith(f"/{number}")]


def comment(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    github._issue(number)
    if number in github.locked:
        raise Refused(403, "Unable to create comment because issue is locked.")
    github._check("IssueComment", request.body)
    return 201, github.comment_by(github.viewer, number, request.body["body"])


def edit_comment(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    comment = github._found(github.comments, number)
    comment["body"] = request.body["body"]
    return 200, comment


def delete_comment(github: GitHubServer, _: Exchanged, number: int) -> Answer:
    github._found(github.comments, number)
    del github.comments[number]
    return 204, None


def add_labels(github: GitHubServer, request: Exchanged, number: int) -> Answer:
    if github.drops_labels:
        raise Refused(403, "Must have push access to label.")
    thing = github.pulls.get(number) or github.issues[number]
    names = [label["name"] for label in thing["labels"]]
    thing["labels"] = [github._label(name) for name in dict.fromkeys([*names, *request.body["labels"]])]
    return 200, thing["labels"]


def get_label(github: GitHubServer, _: Exchanged, name: str) -> Answer:
    if unquote(str(name)) not in github.labels:
        raise Refused(404, "Not Found")
    return 200, github._label(str(name))


def make_label(github: GitHubServer, request: Exchanged) -> Answer:
    if request.body["name"] in github.labels:
        raise invalid("Label", "name", "already_exists")
    github.labels.add(request.body["name"])
    return 201, github._label(request.body["name"])


def assignable(github: GitHubServer, _: Exchanged, login: str) -> Answer:
    if unquote(str(login)) not in github.people:
        raise Refused(404, "Not Found")
    return 204, None


def graphql(github: GitHubServer, body: Any) -> dict[str, Any]:
    from graphql import GraphQLError, graphql_sync

    def enable(_: Any, input: dict[str, Any]) -> Any:  # noqa: A002
        pull = next(pull for pull in github.pulls.values() if pull["node_id"] == input["pullRequestId"])
        state = pull["mergeable_state"]
        if "contents: write" not in github.rights:
            raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
        if not repository(github, None)[1]["allow_auto_merge"]:
            raise GraphQLError("Pull request Auto merge is not allowed for this repository")
        if state in {"clean", "unstable", "has_hooks"}:
            raise GraphQLError(f"Pull request Pull request is in {state} status")
        example = {"enabled_by": github._user(github.viewer), "commit_title": "", "commit_message": ""}
        pull["auto_merge"] = {**example, "merge_method": input["mergeMethod"].lower()}
        return {"pullRequest": {"number": pull["number"]}}

    def disable(_: Any, input: dict[str, Any]) -> Any:  # noqa: A002
        pull = next(pull for pull in github.pulls.values() if pull["node_id"] == input["pullRequestId"])
        pull["auto_merge"] = None
        return {"pullRequest": {"number": pull["number"]}}

    def viewer(_: Any) -> Any:
        if not github.tells_bots:
            raise GraphQLError("Resource not accessible by integration", extensions={"type": "FORBIDDEN"})
        return {"login": github.viewer}

    root = {"viewer": viewer, "enablePullRequestAutoMerge": enable, "disablePullRequestAutoMerge": disable}
    done = graphql_sync(graphql_schema(), body["query"], root, variable_values=body["variables"])
    if not done.errors:
        return {"data": done.data}
    errors = [
        {"type": (e.extensions or {}).get("type", "UNPROCESSABLE"), "path": e.path, "message": e.message}
        for e in done.errors
    ]
    return {"data": done.data, "errors": errors}


ROUTES: tuple[tuple[str, str, Callable[..., Answer], str], ...] = (
    ("", "GET", repository, ""),
    ("/pulls", "GET", list_pulls, ""),
    ("/pulls", "POST", open_pull, "pull-requests: write"),
    (r"/pulls/(\d+)", "GET", get_pull, ""),
    (r"/pulls/(\d+)", "PATCH", edit_pull, "pull-requests: write"),
    (r"/pulls/(\d+)/merge", "PUT", merge_pull, "contents: write"),
    ("/issues", "GET", list_issues, ""),
    ("/issues", "POST", open_issue, "issues: write"),
    (r"/issues/(\d+)", "GET", get_issue, ""),
    (r"/issues/(\d+)", "PATCH", edit_issue, "issues: write"),
    (r"/issues/(\d+)/comments", "GET", list_comments, ""),
    (r"/issues/(\d+)/comments", "POST", comment, "issues: write"),
    (r"/issues/comments/(\d+)", "PATCH", edit_comment, "issues: write"),
    (r"/issues/comments/(\d+)", "DELETE", delete_comment, "issues: write"),
    (r"/issues/(\d+)/labels", "POST", add_labels, "issues: write"),
    (r"/labels/([^/]+)", "GET", get_label, ""),
    ("/labels", "POST", make_label, "issues: write"),
    (r"/assignees/([^/]+)", "GET", assignable, ""),
)
