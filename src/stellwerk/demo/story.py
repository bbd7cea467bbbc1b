"""The story of `stellwerk demo`: real commands on a real repository, with its own git and DVC remotes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from stellwerk.demo.reference import copy_reference, generate_data
from stellwerk.errors import StellwerkError

Say = Callable[[str], None]
Run = Callable[[Path, list[str]], int]
SEASONS = 8
NOTEBOOK = "models/shoe-demand/demand.ipynb"


class Teller(Struct, frozen=True, kw_only=True):
    """Tells the story: prints what is done, then does it. `run` runs a stellwerk command in a folder."""

    project: Path
    environ: Mapping[str, str]
    say: Say
    run: Run

    def chapter(self, number: int, title: str) -> None:
        """Head a part of the story."""
        self.say(f"\n── {number}. {title} " + "─" * max(3, 74 - len(title)))

    def stellwerk(self, *arguments: str, expect: int = 0) -> None:
        """Show the command, run it, and stop the story where it does not end as it should."""
        shown = " ".join(f'"{item}"' if " " in item else item for item in arguments)
        self.say(f"\n$ stellwerk {shown}")
        code = self.run(self.project, list(arguments))
        if code != expect:
            raise StellwerkError(
                f"`stellwerk {shown}` ended with {code} instead of {expect}",
                where=str(self.project),
                hint="look at what it printed; the folder is left as it is",
            )
        if code:
            self.say(f"(exit code {code})")

    def git(self, *arguments: str, cwd: Path | None = None) -> None:
        """Run git quietly. Raises StellwerkError with its last words."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.project,
            env=dict(self.environ),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StellwerkError(f"git {arguments[0]} failed: {done.stderr.strip()}", where=str(cwd or self.project))

    def edit(self, path: str, old: str, new: str, message: str) -> None:
        """Change one line of a declaration, as a person would, and commit it."""
        file = self.project / path
        text = file.read_text(encoding="utf-8")
        if old not in text:
            raise StellwerkError(f"the reference project has no line {old!r}", where=path)
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        self.say(f"\n$ git diff\n- {old.strip()}\n+ {new.strip()}\n$ git commit -am '{message}'")
        self.git("commit", "-qam", message)

    def cell(self, name: str, *, tags: list[str] | None = None, add: str | None = None) -> None:
        """In the notebook give the cell `name` other tags, or add one of exploration, with that code, behind it."""
        file = self.project / NOTEBOOK
        notebook = json.loads(file.read_text(encoding="utf-8"))
        number = next(at for at, cell in enumerate(notebook["cells"], start=1) if cell["id"] == name)
        if tags is not None:
            notebook["cells"][number - 1]["metadata"] = {"tags": tags} if tags else {}
            self.say(f"\n(in Jupyter: the tags of cell {number} of {NOTEBOOK} become {tags})")
        if add is not None:
            code = {"cell_type": "code", "id": f"{name}-2", "metadata": {}, "source": [add]}
            notebook["cells"].insert(number, {**code, "execution_count": None, "outputs": []})
            self.say(f"\n(in Jupyter: a new cell {number + 1} of {NOTEBOOK}, without a tag: {add})")
        file.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def demo(directory: Path, *, environ: Mapping[str, str], say: Say, run: Run) -> None:
    """Live through a project's first releases in a fresh folder. StellwerkError where it is not empty."""
    if directory.exists() and any(directory.iterdir()):
        raise StellwerkError("the folder is not empty", where=str(directory), hint="name a new one: stellwerk demo DIR")
    project = directory / "shop"
    project.mkdir(parents=True)
    teller = Teller(project=project.resolve(), environ=environ, say=say, run=run)
    say("A shoe shop forecasts its demand. Everything below is real: git, DVC, trainings, checks, deployments.")
    _set_up(teller, directory.resolve())
    _first_release(teller)
    _notebook(teller)
    _tightened(teller)
    _worse(teller)
    _new_season(teller)
    _rollback(teller)
    say("\n── What to look at " + "─" * 62)
    say(f"""
  {directory}/shop                  the project: mlops.yaml, environments/, registry/
  {directory}/shop.git              its git remote; {directory}/shop.storage its DVC remote
  git -C {directory}/shop log       every decision is a commit with its evidence
  registry/shoe-demand/1/           how version 1 was born, and its verdicts
  deployed/production/shoe-demand/  what runs now

Try: change a threshold in {directory}/shop/mlops.yaml, then `stellwerk -C {directory}/shop plan`.""")


def _set_up(teller: Teller, directory: Path) -> None:
    teller.chapter(1, "A project: declarations, a notebook, data")
    copy_reference(teller.project)
    generate_data(teller.project, seasons=SEASONS)
    teller.git("init", "-q", "--bare", "-b", "main", str(directory / "shop.git"), cwd=directory)
    teller.git("init", "-q", "-b", "main")
    teller.git("config", "user.name", "ada")
    teller.git("config", "user.email", "ada@example.com")
    teller.git("remote", "add", "origin", str(directory / "shop.git"))
    teller.stellwerk("init", "--yes")
    teller.git("add", "-A")
    teller.git("commit", "-qm", "Start")
    teller.git("push", "-q", "-u", "origin", "main")
    teller.stellwerk("plan")


def _first_release(teller: Teller) -> None:
    teller.chapter(2, "Make it so: from data to production")
    teller.stellwerk("reconcile")
    teller.stellwerk("status")


def _notebook(teller: Teller) -> None:
    teller.chapter(3, "What runs is the notebook: converted, checked, proven")
    teller.say("""
Cells with a tag became models/shoe-demand/demand.py and its tests; that module was trained. The proof that it is what
was evaluated: the notebook runs from a fresh kernel on stand-in rows, and the module predicts the same, bit by bit.""")
    teller.stellwerk("notebook", "test", "shoe-demand")
    teller.say("\nA cell that the module needs and that would not ship is found before anything runs:")
    teller.cell("design", tags=[])
    teller.stellwerk("validate", expect=1)
    teller.cell("design", tags=["export"])
    teller.say("\nExploration changes nothing that runs:")
    teller.cell("by-season", add='sales.groupby("promotion")["sold"].mean()')
    teller.stellwerk("notebook", "diff", "shoe-demand")
    teller.git("commit", "-qam", "Look at promotions")
    teller.stellwerk("plan")


def _tightened(teller: Teller) -> None:
    teller.chapter(4, "A tightened threshold is judged at once, and `why` says what is missing")
    teller.edit("mlops.yaml", "max: 0.20", "max: 0.05", "Ask for more than is possible")
    teller.stellwerk("reconcile", expect=3)
    teller.stellwerk("why", "shoe-demand", "production")
    teller.edit("mlops.yaml", "max: 0.05", "max: 0.20", "Ask for what is possible")
    teller.stellwerk("reconcile")


def _worse(teller: Teller) -> None:
    teller.chapter(5, "A worse model is refused; taking the change back needs no training")
    teller.edit("mlops.yaml", "penalty: 1.0", "penalty: 3000.0", "Try a much simpler model")
    teller.stellwerk("reconcile", expect=3)
    teller.edit("mlops.yaml", "penalty: 3000.0", "penalty: 1.0", "Take the simpler model back")
    teller.stellwerk("plan")


def _new_season(teller: Teller) -> None:
    teller.chapter(6, "A new season's data retrains and promotes")
    generate_data(teller.project, seasons=SEASONS + 1)
    teller.stellwerk("snapshot", "sales", "--because", "the spring season is complete")
    teller.stellwerk("plan")
    teller.stellwerk("reconcile")


def _rollback(teller: Teller) -> None:
    teller.chapter(7, "A rollback works at once, and stays")
    teller.stellwerk("rollback", "shoe-demand", "production", "--because", "buyers report odd numbers for sandals")
    teller.stellwerk("reconcile")
    teller.stellwerk("hold", "shoe-demand", "production", "--end", "--because", "the numbers were right")
    teller.stellwerk("reconcile")
    teller.stellwerk("plan")
    teller.stellwerk("log", "shoe-demand", "--limit", "8")
