"""A GitHub of one repository, in memory and on this machine: pull requests, issues, comments, labels, GraphQL.

It answers from GitHub's own examples (`examples.json`), refuses in GitHub's words, and remembers what was exchanged, so that
each exchange can be held to what GitHub publishes. People act through its methods; `fail` breaks requests.
"""

from __future__ import annotations

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

from github_answers import DOCUMENTATION, OWNER, ROUTES, Answer, Refused, graphql, invalid
from published import EXAMPLES, Exchanged

REPOSITORY = f"{OWNER}/Hello-World"
BOT = "github-actions[bot]"
PAGE = 100


@dataclass(kw_only=True)
class Fault:
    """The next `times` requests that match, after `skip`, get this answer (None: the connection breaks), done or not."""

    request: re.Pattern[str]
    status: int | None
    message: str
    headers: dict[str, str]
    times: int
    skip: int
    carried_out: bool


@dataclass
class GitHubServer:
    """What is true on the forge. `rights` are the token's; `before` is called once, just before a matching request."""

    token: str = "ghs-test"
    rights: set[str] = field(default_factory=lambda: {"contents: write", "issues: write", "pull-requests: write"})
    visible: bool = True
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})
    pulls: dict[int, dict[str, Any]] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    labels: set[str] = field(default_factory=lambda: {"bug"})
    drops_labels: bool = False
    people: set[str] = field(default_factory=lambda: {"ada", "grace", "octocat"})
    locked: set[int] = field(default_factory=set)
    settings: dict[str, Any] = field(default_factory=dict)
    tells_bots: bool = True
    viewer: str = BOT
    merge_state: str = "clean"  # of new pull requests, once it was worked out
    unknown_looks: int = 1  # how many looks at a pull request come before that
    page: int = PAGE
    address: str = ""
    closers: dict[int, dict[str, Any]] = field(default_factory=dict)
    exchanged: list[Exchanged] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _hooks: list[tuple[re.Pattern[str], Callable[[], None]]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _next: int = 0

    def __post_init__(self) -> None:
        self.examples = json.loads(EXAMPLES.read_text())

    # What people and time do.

    def branch(self, name: str, sha: str | None = None) -> None:
        """Push a branch; every push has another commit."""
        self.branches[name] = sha or f"{len(self.branches):040x}"
        for pull in self.pulls.values():
            if pull["state"] == "open" and pull["head"]["ref"] == name:
                pull["head"]["sha"] = self.branches[name]

    def delete_branch(self, name: str, *, by: str) -> None:
        del self.branches[name]
        for pull in self.pulls.values():
            if pull["state"] == "open" and pull["head"]["ref"] == name:
                self.close(pull["number"], by=by)

    def close(self, number: int, *, by: str) -> None:
        thing = self.pulls.get(number) or self.issues[number]
        thing["state"], thing["closed_at"] = "closed", "2026-01-02T00:00:00Z"
        self.closers[number] = self._user(by)

    def merge(self, number: int) -> None:
        pull = self.pulls[number]
        pull["merged"], pull["merged_at"], pull["auto_merge"] = True, "2026-01-02T00:00:00Z", None
        self.branches[pull["base"]["ref"]] = pull["head"]["sha"]
        self.close(number, by=self.viewer)

    def comment_by(self, who: str, number: int, body: str) -> dict[str, Any]:
        comment = copy.deepcopy(self.examples["issue-comment"])
        self._next += 1
        comment["id"], comment["body"], comment["user"] = self._next, body, self._user(who)
        comment["html_url"] = f"https://github.com/{REPOSITORY}/issues/{number}#issuecomment-{self._next}"
        comment["issue_url"] = f"https://api.github.com/repos/{REPOSITORY}/issues/{number}"
        self.comments[self._next] = comment
        return comment

    def bodies(self, number: int) -> list[str]:
        """The comments under it, without their markers."""
        return [c["body"].partition("\n")[2] for c in self.comments.values() if c["issue_url"].endswith(f"/{number}")]

    def fail(
        self,
        request: str,
        status: int | None = 502,
        message: str = "Server Error",
        *,
        times: int = 1,
        carried_out: bool = False,
        headers: dict[str, str] | None = None,
        skip: int = 0,
    ) -> None:
        """Break the next `times` matching requests after `skip` of them, done or not."""
        self.faults.append(
            Fault(
                request=re.compile(request),
                status=status,
                message=message,
                headers=headers or {},
                times=times,
                skip=skip,
                carried_out=carried_out,
            )
        )

    def before(self, request: str, act: Callable[[], None]) -> None:
        self._hooks.append((re.compile(request), act))

    def written(self) -> list[str]:
        """The requests that write, as "POST /issues"."""
        return [f"{e.verb} {_short(e.path)}" for e in self.exchanged if e.writes]

    # What it answers.

    def handle(
        self, verb: str, target: str, headers: dict[str, str], body: Any
    ) -> tuple[int | None, dict[str, str], Any]:
        request = Exchanged(verb=verb, target=target, headers=headers, body=body, status=0)
        path = _short(request.path)
        self._act_before(f"{verb} {path}")
        with self._lock:
            fault = self._fault(f"{verb} {path}")
            status: int | None = 0
            answer, extra = None, dict[str, str]()
            if fault is None or fault.carried_out:
                try:
                    status, answer = self._answer(request, path, extra)
                except Refused as refused:
                    status, answer, extra = refused.status, refused.answer, refused.headers
            if fault is not None:
                status, extra = fault.status, fault.headers
                answer = {"message": fault.message, "documentation_url": DOCUMENTATION}
            if status is not None:
                self.exchanged.append(replace(request, status=status, answer=answer))
            return status, extra, answer

    def _act_before(self, request: str) -> None:
        with self._lock:
            hook = next((entry for entry in self._hooks if entry[0].fullmatch(request)), None)
            if hook:
                self._hooks.remove(hook)
        if hook:
            hook[1]()

    def _fault(self, request: str) -> Fault | None:
        for fault in self.faults:
            if fault.times and fault.request.fullmatch(request):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _answer(self, request: Exchanged, path: str, headers: dict[str, str]) -> Answer:
        if request.headers.get("Authorization") != f"token {self.token}":
            raise Refused(401, "Bad credentials")
        assert request.headers["X-GitHub-Api-Version"] == "2022-11-28" or path == "/graphql"
        if path == "/graphql":
            return 200, graphql(self, request.body)
        if not self.visible:
            raise Refused(404, "Not Found")
        for pattern, verb, answer, right in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and verb == request.verb:
                if right and right not in self.rights:
                    accepted = right.replace("-", "_").replace(": ", "=")
                    raise Refused(
                        403,
                        "Resource not accessible by integration",
                        headers={"x-accepted-github-permissions": accepted},
                    )
                status, answered = answer(
                    self, request, *(int(part) if part.isdigit() else part for part in match.groups())
                )
                if status == 200 and isinstance(answered, list) and request.verb == "GET":
                    answered = self._paged(request, answered, headers)
                return status, copy.deepcopy(answered)
        raise Refused(404, "Not Found")

    def _paged(self, request: Exchanged, entries: list[Any], headers: dict[str, str]) -> list[Any]:
        size = min(int(request.query.get("per_page", 30)), self.page)
        number = int(request.query.get("page", 1))
        if number * size < len(entries):
            query = urlencode({**request.query, "page": number + 1})
            headers["link"] = f'<{self.address}{urlsplit(request.target).path}?{query}>; rel="next"'
        return entries[(number - 1) * size : number * size]

    def open_pull(self, head: str, base: str, *, title: str, body: str, by: str) -> dict[str, Any]:
        self._next += 1
        pull = copy.deepcopy(self.examples["pull-request"])
        pull.update(
            number=self._next, node_id=f"PR_{self._next}", title=title, body=body, user=self._user(by), labels=[]
        )
        pull.update(state="open", merged=False, merged_at=None, closed_at=None, auto_merge=None, merged_by=None)
        pull.update(mergeable_state=self.merge_state, html_url=f"https://github.com/{REPOSITORY}/pull/{self._next}")
        pull["head"].update(ref=head, label=f"{OWNER}:{head}", sha=self.branches.get(head, "f" * 40))
        pull["base"].update(ref=base, label=f"{OWNER}:{base}", sha=self.branches[base])
        pull["looks"] = self.unknown_looks
        self.pulls[self._next] = pull
        return self._full(pull)

    def open_issue(self, given: dict[str, Any], *, by: str) -> dict[str, Any]:
        self._next += 1
        issue = copy.deepcopy(self.examples["issue"])
        issue.pop("pull_request", None)
        issue.update(
            number=self._next, node_id=f"I_{self._next}", title=given["title"], body=given["body"], state="open"
        )
        issue.update(
            user=self._user(by), closed_at=None, closed_by=None, milestone=None, assignee=None, state_reason=None
        )
        issue["html_url"] = f"https://github.com/{REPOSITORY}/issues/{self._next}"
        self.issues[self._next] = issue
        self._set(issue, given)
        return issue

    def _found(self, things: dict[int, Any], number: int) -> Any:
        if number not in things:
            raise Refused(404, "Not Found")
        return things[number]

    def _issue(self, number: int) -> dict[str, Any]:
        if number in self.issues:
            return {**self.issues[number], "closed_by": self.closers.get(number)}
        pull = self._found(self.pulls, number)
        issue = copy.deepcopy(self.examples["issue"])
        issue.update(
            {key: pull[key] for key in ("number", "title", "body", "state", "user", "html_url", "labels", "closed_at")}
        )
        issue.update(pull_request={key: pull[key] for key in ("url", "html_url", "diff_url", "patch_url")})
        return {**issue, "closed_by": self.closers.get(number)}

    def _set(self, issue: dict[str, Any], given: dict[str, Any]) -> None:
        unknown = [login for login in given.get("assignees", ()) if login not in self.people]
        if unknown:
            raise invalid("Issue", "assignees", "invalid", value=unknown[0])
        if "labels" in given:
            self.labels |= set(given["labels"])
            issue["labels"] = [self._label(name) for name in given["labels"]]
        if "assignees" in given:
            issue["assignees"] = [self._user(login) for login in given["assignees"]]

    def _check(self, resource: str, given: dict[str, Any]) -> None:
        if len(given.get("title", "")) > 256:
            raise invalid(resource, "title", "custom", message="title is too long (maximum is 256 characters)")
        if len(given.get("body", "")) > 65_536:
            raise invalid(resource, "body", "custom", message="body is too long (maximum is 65536 characters)")

    def _full(self, pull: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in pull.items() if key != "looks"}

    def _simple(self, pull: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in pull.items() if key in self.examples["simple"]}

    def _label(self, name: str) -> dict[str, Any]:
        return {**self.examples["label"], "name": name}

    def _user(self, login: str) -> dict[str, Any]:
        kind = "Bot" if login.endswith("[bot]") else "User"
        return {**self.examples["issue-comment"]["user"], "login": login, "type": kind}


def _short(path: str) -> str:
    return path.removeprefix(f"/repos/{REPOSITORY}")


@contextmanager
def served(server: GitHubServer) -> Iterator[str]:
    """The address of its interface, like https://api.github.com."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece: pieces wait for each other's acknowledgements
        disable_nagle_algorithm = True

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            status, headers, answer = server.handle(self.command, self.path, dict(self.headers), body)
            if status is None:
                self.close_connection = True
                return
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json; charset=utf-8"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _do  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.address = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server.address
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
