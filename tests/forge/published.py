"""What GitHub publishes about its interfaces, and whether an exchange keeps to it.

The descriptions are npm packages (tests/node), too big to keep: STELLWERK_NODE_MODULES names the folder they were
installed in. `python tests/forge/published.py` renews `examples.json`, the answers that the server starts from, out of them.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HERE = Path(__file__).parent
NODE = HERE.parent / "node"
EXAMPLES = HERE / "examples.json"
# Read at import: every test has an environment of its own.
NODE_MODULES = os.environ.get("STELLWERK_NODE_MODULES")
# github.com, and the oldest Enterprise Server that is described.
DESCRIPTIONS = ("api.github.com", "ghes-3.17")
# What any request may meet, whatever its operation: no token, no right, too many requests, a broken server.
ANY_REQUEST = {401, 403, 404, 429, 500, 502, 503}


def node_modules() -> Path | None:
    """The folder; None: nobody installed it. An error where it is named and does not hold what it should."""
    if not NODE_MODULES:
        return None
    folder = Path(NODE_MODULES)
    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]
    for package in ("@octokit/graphql-schema", "@octokit/openapi"):
        version = wanted[package]
        description = folder / package / "package.json"
        there = json.loads(description.read_text())["version"] if description.is_file() else "missing"
        assert there == version, f"{folder}/{package} is {there}, not {version}: see tests/node/README.md"
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """A request as it arrived and the answer as it was sent."""

    verb: str
    target: str  # path and query
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    status: int
    answer: Any = None

    @property
    def path(self) -> str:
        """Below the address of the interface: `/repos/...` or `/graphql`, on an Enterprise Server too."""
        return urlsplit(self.target).path.removeprefix("/api/v3").removeprefix("/api")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def writes(self) -> bool:
        return self.verb != "GET" and not (self.path == "/graphql" and "mutation" not in self.body["query"])

    def __str__(self) -> str:
        return f"{self.verb} {self.target} -> {self.status}"


class Description:
    """One OpenAPI 3.0 description of GitHub's REST interface."""

    def __init__(self, name: str) -> None:
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        folder = node_modules()
        assert folder is not None
        self.document = json.loads((folder / "@octokit/openapi/generated" / f"{name}.json").read_text())
        self.registry = Registry().with_resource("urn:github", Resource(contents=self.document, specification=DRAFT4))
        self.templates = [
            (re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))), path)
            for path in self.document["paths"]
        ]

    def problems(self, exchanged: Exchanged) -> list[str]:
        """What of the request or the answer is not as published."""
        operation, given = self._operation(exchanged)
        if operation is None:
            return ["no such operation"]
        return [*self._request(operation, given, exchanged), *self._answer(operation, exchanged)]

    def _operation(self, exchanged: Exchanged) -> tuple[dict[str, Any] | None, dict[str, str]]:
        """The one whose path has the fewest parameters, as OpenAPI says."""
        found = [
            (len(match.groupdict()), path, match.groupdict())
            for pattern, path in self.templates
            if (match := pattern.fullmatch(exchanged.path)) and exchanged.verb.lower() in self.document["paths"][path]
        ]
        if not found:
            return None, {}
        _, path, given = min(found, key=lambda entry: entry[:2])
        return self.document["paths"][path][exchanged.verb.lower()], given

    def _request(self, operation: dict[str, Any], path: dict[str, str], exchanged: Exchanged) -> list[str]:
        problems = []
        given = {"path": path, "query": exchanged.query, "header": exchanged.headers}
        declared = [self._resolved(parameter) for parameter in operation.get("parameters", ())]
        known = {place: {p["name"]: p for p in declared if p["in"] == place} for place in given}
        problems += [f"query {name} is not described" for name in given["query"] if name not in known["query"]]
        for place, values in given.items():
            for name, parameter in known[place].items():
                if name in values:
                    value = _as_declared(values[name], self._resolved(parameter["schema"]))
                    problems += [
                        f"{place} {name}: {why}" for why in self._errors(parameter["schema"], value, write=True)
                    ]
                elif parameter.get("required"):
                    problems.append(f"{place} {name} is missing")
        body = self._resolved(operation.get("requestBody", {}))
        if exchanged.body is None:
            return problems + (["a body is missing"] if body.get("required") else [])
        if not body:
            return [*problems, "a body is not described"]
        schema = body["content"]["application/json"]["schema"]
        problems += [f"body: {why}" for why in self._errors(schema, exchanged.body, write=True)]
        names = self._properties(schema)
        return problems + [f"body: {name} is not described" for name in exchanged.body if names and name not in names]

    def _answer(self, operation: dict[str, Any], exchanged: Exchanged) -> list[str]:
        declared = operation["responses"].get(str(exchanged.status))
        if declared is None and exchanged.status in ANY_REQUEST:
            schema: Any = {"$ref": "#/components/schemas/basic-error"}
        elif declared is None:
            return [f"status {exchanged.status} is not described"]
        else:
            schema = self._resolved(declared).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return [] if exchanged.answer is None else ["the answer's body is not described"]
        return [f"answer: {why}" for why in self._errors(schema, exchanged.answer, write=False)]

    def _errors(self, schema: dict[str, Any], value: Any, *, write: bool) -> list[str]:
        from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator, oas30_format_checker

        kind = OAS30WriteValidator if write else OAS30ReadValidator
        text = json.dumps(schema).replace('"#/', '"urn:github#/')
        validator = kind(json.loads(text), registry=self.registry, format_checker=oas30_format_checker)
        return [
            f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
            for error in validator.iter_errors(value)
            if not _null_of_an_enumeration(error)
        ]

    def _resolved(self, entry: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in entry:
            found: Any = self.document
            for part in entry["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            entry = found
        return entry

    def _properties(self, schema: dict[str, Any]) -> set[str]:
        schema = self._resolved(schema)
        options = [entry for key in ("oneOf", "anyOf", "allOf") for entry in schema.get(key, ())]
        return set(schema.get("properties", ())).union(*(self._properties(entry) for entry in options))


def _null_of_an_enumeration(error: Any) -> bool:
    """Whether it is null where GitHub publishes `nullable` and a list without it, and answers with null all the same."""
    return error.instance is None and error.validator == "enum" and error.schema.get("nullable") is True


def _as_declared(value: str, schema: dict[str, Any]) -> Any:
    return int(value) if schema.get("type") == "integer" and value.isdigit() else value


@functools.cache
def descriptions() -> tuple[Description, ...]:
    """Of github.com and of the oldest Enterprise Server; empty: they are not installed."""
    return tuple(Description(name) for name in DESCRIPTIONS) if node_modules() else ()


def problems(exchanged: Exchanged) -> tuple[str, ...]:
    """What is not as any of the descriptions says; nothing where they are not installed."""
    if exchanged.path == "/graphql":
        return ()  # it was answered by the schema
    judged = {name: getattr(exchanged, name) for name in ("verb", "target", "body", "status", "answer")}
    headers = {name: value for name, value in exchanged.headers.items() if name != "Host"}
    return _problems(json.dumps({**judged, "headers": headers}, sort_keys=True))


@functools.cache
def _problems(judged: str) -> tuple[str, ...]:
    exchanged = Exchanged(**json.loads(judged))
    return tuple(problem for description in descriptions() for problem in description.problems(exchanged))


@functools.cache
def graphql_schema() -> Any:
    """GitHub's, or the few types we use where it is not installed."""
    from graphql import build_schema

    folder = node_modules()
    published = folder / "@octokit/graphql-schema/schema.graphql" if folder else HERE / "excerpt.graphql"
    return build_schema(published.read_text(), assume_valid=True)


def examples_of(description: Description) -> dict[str, Any]:
    """GitHub's own examples of what the server answers, with what they lack and without what is long and optional."""
    examples = description.document["components"]["examples"]
    found = {
        name: examples[name]["value"] for name in ("pull-request", "issue", "issue-comment", "full-repository", "label")
    }
    found = json.loads(json.dumps(found))
    found["pull-request"]["requested_teams"] = []
    for name in ("template_repository", "parent", "source", "organization"):
        found["full-repository"].pop(name, None)
    found["full-repository"]["has_discussions"] = False
    found["simple"] = sorted(examples["pull-request-simple"]["value"])
    return found


if __name__ == "__main__":
    if node_modules() is None:
        sys.exit("STELLWERK_NODE_MODULES is not set: see tests/node/README.md")
    EXAMPLES.write_text(json.dumps(examples_of(descriptions()[0]), indent=1, sort_keys=True) + "\n")
