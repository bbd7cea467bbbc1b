"""German credit: from `init` to a rollback that was ended again. Classification with groups to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from machines import Way
from stories import TEAMS, Story, approve, begin, declare

MODEL, DATASET = "credit-risk", "applications"
DROP = "incoming/applications.csv"  # where the bank's core system leaves its file, beside the repository's own
CORRUPT = 412  # the row, counted from 1 below the header, that arrives with an impossible duration

DECLARED = f"""version: 1
project: small-bank
classifications: [public, confidential]
{TEAMS}
datasets:
  {DATASET}:
    description: Applications for credit and how they ended.
    path: data/applications.csv
    owner: operations
    classification: confidential
    stand_in: applications-stand-in
    personal: [age, personal_status, foreign_worker]
    source: {{file: {DROP}}}
    columns:
      duration: {{type: integer, min: 1, max: 120, missing: 0, description: Months.}}
      credit_amount: {{type: integer, min: 1, missing: 0}}
      age: {{type: integer, min: 18, max: 120, missing: 0}}
      personal_status: {{type: string, missing: 0}}
      foreign_worker: {{type: string, allowed: ["yes", "no"], missing: 0}}
      class: {{type: string, allowed: [good, bad], missing: 0}}
  applications-stand-in:
    description: The same columns, every value drawn by itself.
    path: data/applications-stand-in.csv
    owner: data-science
    classification: public

models:
  {MODEL}:
    description: How likely it is that a credit is not paid back.
    source: models/{MODEL}/credit.py
    task: classification
    target: class
    positive: bad
    risk: high # Annex III, 5 (b) of the EU AI Act
    features: {{exclude: [age, personal_status, foreign_worker]}}
    train:
      data: {DATASET}
      params: {{trees: 60, depth: 6}}
      seed: 3
      timeout: 2m
      holdout: {{fraction: 0.3}}
    thresholds:
      roc_auc: {{min: 0.65, max_worsening: 0.05, min_rows: 100}}
      brier_score_loss: {{max: 0.25}}
      accuracy: {{min: 0.5, slices: [foreign_worker, personal_status]}}
"""

SOURCE = '''"""The probability that a credit is not paid back: a random forest."""

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def train(frame, *, trees, depth, seed):
    features = frame.drop(columns="class")
    texts = [name for name in features if not pd.api.types.is_numeric_dtype(features[name])]
    encoded = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), texts), remainder="passthrough", verbose_feature_names_out=False
    )
    forest = RandomForestClassifier(n_estimators=trees, max_depth=depth, random_state=seed, class_weight="balanced")
    return make_pipeline(encoded, forest).fit(features, frame["class"])
'''


def live(room: Path, data: Path, bucket: Any, way: Way) -> Story:
    """Everything up to the end of the rollback. Versions: 1 the first, 2 refused, 3 better, 4 on all rows."""
    lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    first, every = lines[:801], lines
    story = begin(room, bucket, model=MODEL, dataset=DATASET, way=way)
    ada, chapter = story.ada, story.transcript.chapter
    with chapter("declare"):
        declare(
            story,
            {
                "mlops.yaml": DECLARED,
                ".gitignore": (ada.root / ".gitignore").read_text(encoding="utf-8") + "/incoming/\n",
                "data/applications-stand-in.csv": _stand_in(lines),
                f"models/{MODEL}/credit.py": SOURCE,
            },
            when="{risk: [high]}",
        )
        ada.write({DROP: "".join(first)})
    with chapter("version 1"):
        ada.stellwerk("plan")
        ada.stellwerk("reconcile", expect=3)
    with chapter("approval"):
        approve(story, because="the groups were compared")
        ada.stellwerk("status")
    with chapter("refusal"):
        ada.edit("mlops.yaml", "trees: 60, depth: 6", "trees: 1, depth: 1", "Try a single question")
        ada.stellwerk("reconcile", expect=3)
        ada.stellwerk("why", MODEL, "production")
    with chapter("version 3"):
        ada.edit("mlops.yaml", "trees: 1, depth: 1", "trees: 200, depth: 8", "Try a larger forest")
        ada.stellwerk("reconcile", expect=3)
        approve(story, because="better where it matters")
    with chapter("corrupt source"):
        ada.write({DROP: "".join(_corrupted(every))})
        before = _everything(story)
        ada.stellwerk("snapshot", DATASET, "--because", "the month has ended", expect=1)
        assert _everything(story) == before, "a refused snapshot changed something"
    with chapter("new data"):
        ada.write({DROP: "".join(every)})
        ada.stellwerk("snapshot", DATASET, "--because", "the month has ended, corrected")
        ada.stellwerk("reconcile", expect=3)
        approve(story, because="same model, more rows")
    with chapter("rollback"):
        ada.stellwerk("rollback", MODEL, "production", "--because", "a branch reports odd refusals")
        ada.stellwerk("reconcile", expect=None)
        ada.stellwerk("status")
    with chapter("hold ends"):
        ada.stellwerk("hold", MODEL, "production", "--end", "--because", "the refusals were right")
        ada.stellwerk("reconcile")
        ada.stellwerk("log", MODEL)
        ada.stellwerk("status")
    return story


def _everything(story: Story) -> tuple[object, ...]:
    """What a refused snapshot must leave as it was: the commits here and there, the files, the bucket."""
    ada = story.ada
    return (
        ada.head(),
        ada.git("ls-remote", "origin"),
        ada.git("status", "--porcelain", "--untracked-files=all"),
        (ada.root / "data/applications.csv").read_bytes(),
        sorted(path.name for path in (ada.root / "data").iterdir()),
        story.objects(),
    )


def _corrupted(lines: list[str]) -> list[str]:
    """One row's duration, the second column, turned into -5."""
    cells = lines[CORRUPT].split(",")
    assert cells[1].isdigit()
    return [*lines[:CORRUPT], ",".join([cells[0], "-5", *cells[2:]]), *lines[CORRUPT + 1 :]]


def _stand_in(lines: list[str]) -> str:
    """60 rows whose every cell is another row's, so that no row is a person."""
    rows = [line.rstrip("\n").split(",") for line in lines[1:]]
    made = [[rows[(7 * at + 13 * column) % len(rows)][column] for column in range(len(rows[0]))] for at in range(60)]
    return lines[0] + "".join(",".join(row) + "\n" for row in made)
