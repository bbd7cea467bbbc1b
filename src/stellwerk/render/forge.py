"""All files of the CI service and the forge. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.render.codeowners import render_codeowners
from stellwerk.render.pipelines import pipelines
from stellwerk.render.seal import PROJECT, sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Project
    from stellwerk.render.pipelines.facts import Facts


def render_forge(facts: Facts, project: Project) -> Mapping[str, str]:
    """Path -> text. Each text was parsed and is valid by its provider's published schema, as far as tests can tell."""
    from stellwerk.render.github import render_workflow

    files = {
        f".github/workflows/{pipeline.name}.yml": render_workflow(pipeline, facts.workflows)
        for pipeline in pipelines(facts)
    }
    owners = render_codeowners(project)
    if owners:
        files[".github/CODEOWNERS"] = owners
    return {path: sealed(text, PROJECT) for path, text in sorted(files.items())}
