"""The reference project as it ships: its files, copied into a folder, and its data, generated there.

In the wheel the files lie in `stellwerk/reference` and `stellwerk/schemas`; in a checkout they are its own.
"""

from __future__ import annotations

import importlib.util
from importlib.resources import files
from pathlib import Path

from stellwerk.errors import StellwerkError

FILES = (
    ".gitignore",
    "mlops.yaml",
    "environments/dev.yaml",
    "environments/integration-test.yaml",
    "environments/regression.yaml",
    "environments/production.yaml",
    "models/shoe-demand/demand.ipynb",
    "data/generate.py",
)
OWN = b"# only in Stellwerk's own repository"  # marks lines that make no sense elsewhere
SCHEMAS = ("mlops", "environment", "release")  # of what people write; the first lines of the declarations name them


def copy_reference(folder: Path) -> tuple[str, ...]:
    """Write the project and the schemas its editors need into the folder; returns the paths, sorted.

    Raises StellwerkError where one of the files is there already.
    """
    package = Path(str(files("stellwerk")))
    shipped = (package / "reference").is_dir()
    checkout = package.parent.parent
    project = package / "reference" if shipped else checkout
    schemas = (package if shipped else checkout) / "schemas"
    content = {name: (project / name).read_bytes() for name in FILES}
    content["mlops.yaml"] = b"".join(
        line for line in content["mlops.yaml"].splitlines(keepends=True) if OWN not in line
    )
    content |= {f"schemas/{kind}.schema.json": (schemas / f"{kind}.schema.json").read_bytes() for kind in SCHEMAS}
    for name in content:
        if (folder / name).exists():
            raise StellwerkError(
                "the reference project would overwrite a file", where=str(folder / name), hint="name an empty folder"
            )
    for name, data in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tuple(sorted(content))


def generate_data(folder: Path, *, seasons: int = 8) -> None:
    """Write `data/sales.csv` and its stand-in by the project's own generator. More seasons only add rows at the end."""
    script = folder / "data/generate.py"
    spec = importlib.util.spec_from_file_location("stellwerk_reference_data", script)
    if spec is None or spec.loader is None:
        raise StellwerkError("the data generator is missing", where=str(script))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.generate(folder / "data", seasons=seasons)
