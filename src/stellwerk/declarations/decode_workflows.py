"""The key `workflows` as a plain value -> `model.declared.Workflows`. Total, as `decode` is."""

from __future__ import annotations

from stellwerk.declarations.values import as_map, opt_text, texts
from stellwerk.model.declared import App, Install, Json, Workflows


def decode_workflows(value: Json) -> Workflows | None:
    """None where nothing is declared: then no workflow is rendered."""
    if value is None:
        return None
    said, usual = as_map(value), Workflows()
    install, app = as_map(said.get("install")), as_map(said.get("app"))
    runner = said.get("runner")
    return Workflows(
        provider=opt_text(said.get("provider")) or usual.provider,
        branch=opt_text(said.get("branch")) or usual.branch,
        identity=opt_text(said.get("identity")) or usual.identity,
        app=App(id=opt_text(app.get("id")) or usual.app.id, key=opt_text(app.get("key")) or usual.app.key),
        author=opt_text(said.get("author")),
        python=opt_text(said.get("python")) or usual.python,
        runner=((runner,) if isinstance(runner, str) else texts(runner)) or usual.runner,
        install=Install(
            method=opt_text(install.get("from")) or usual.install.method,
            requirements=opt_text(install.get("requirements")) or usual.install.requirements,
            index=opt_text(install.get("index")),
            wheels=opt_text(install.get("wheels")) or usual.install.wheels,
        ),
        actions={name: text for name, text in as_map(said.get("actions")).items() if isinstance(text, str)},
        drift=opt_text(said.get("drift")) or usual.drift,
    )
