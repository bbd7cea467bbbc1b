"""All files of the CI service and the forge. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.codeowners import render_codeowners
from stellwerk.render.pipelines import pipelines
from stellwerk.render.proof import prove
from stellwerk.render.seal import PROJECT, sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Project
    from stellwerk.render.pipelines.facts import Facts


def render_forge(facts: Facts, project: Project) -> Mapping[str, str]:
    """Path -> text. Raises ValueError where a text, read back, is not what was meant: our mistake."""
    if facts.workflows.provider == "bitbucket":
        from stellwerk.render.bitbucket import render_bitbucket

        return {"bitbucket-pipelines.yml": sealed(render_bitbucket(pipelines(facts), facts.workflows), PROJECT)}
    from stellwerk.render.github import render_workflow

    files = {}
    for pipeline in pipelines(facts):
        path = f".github/workflows/{pipeline.name}.yml"
        files[path] = render_workflow(pipeline, facts.workflows)
        prove(path, files[path], pipeline)
    owners = render_codeowners(project)
    if owners:
        files[".github/CODEOWNERS"] = owners
    return {path: sealed(text, PROJECT) for path, text in sorted(files.items())}
