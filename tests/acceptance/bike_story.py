"""Hourly bike rentals: from `init` to a rollback that stays. Regression, judged on the last days of the data."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from machines import Way
from stories import TEAMS, Story, approve, begin, declare

MODEL, DATASET = "rental-demand", "rides"
DROP = "landing/bike_hour.csv"  # where the rental company leaves its file, below the storage in the bucket

DECLARED = f"""version: 1
project: city-bikes
classifications: [public, confidential]
{TEAMS}
datasets:
  {DATASET}:
    description: Rentals by hour, with the weather.
    path: data/rides.csv
    owner: operations
    classification: confidential
    stand_in: rides-stand-in
    key: [day, hr]
    time: day
    source: {{url: "remote://storage/{DROP}"}}
    columns:
      day: {{type: date, min: 2011-01-01}}
      hr: {{type: integer, min: 0, max: 23, missing: 0}}
      season: {{type: integer, allowed: [1, 2, 3, 4]}}
      workingday: {{type: integer, allowed: [0, 1], missing: 0}}
      weathersit: {{type: integer, allowed: [1, 2, 3, 4], missing: 0.05}}
      temp: {{type: number, min: 0, max: 1, missing: 0.05}}
      hum: {{type: number, min: 0, max: 1, missing: 0.05}}
      windspeed: {{type: number, min: 0, max: 1, missing: 0.05}}
      casual: {{type: integer, min: 0}}
      registered: {{type: integer, min: 0}}
      cnt: {{type: integer, min: 0, missing: 0}}
  rides-stand-in:
    description: The same columns, made up.
    path: data/rides-stand-in.csv
    owner: data-science
    classification: public
    key: [day, hr]
    time: day

models:
  {MODEL}:
    description: Bikes that will be rented in an hour.
    source: models/{MODEL}/rentals.py
    task: regression
    target: cnt
    risk: high
    train:
      data: {DATASET}
      params: {{trees: 15, leaves: 100}}
      seed: 11
      timeout: 2m
      holdout: {{last: 30d}}
    thresholds:
      wape:
        max: 0.6
        max_worsening: 2%
        min_rows: 200
        slices: [workingday]
      r2_score: {{min: 0.4}}
"""

SOURCE = '''"""Bikes rented in an hour: a forest on the calendar and the weather."""

import numpy as np
from sklearn.ensemble import RandomForestRegressor


def prepare(frame):
    """What says which year it is would not help with the next one."""
    return frame.drop(columns=["day", "yr", "atemp"])


def train(frame, *, trees, leaves, seed):
    model = RandomForestRegressor(n_estimators=trees, max_leaf_nodes=leaves, random_state=seed)
    return model.fit(frame.drop(columns="cnt"), np.log1p(frame["cnt"]))


def predict(model, frame):
    return np.expm1(model.predict(frame[model.feature_names_in_])).clip(min=0)
'''

TEST = """import pandas as pd

import rentals


def test_prepare_keeps_every_row():
    row = {"day": "2011-01-01", "yr": 0, "atemp": 0.3, "hr": 5, "temp": 0.2}
    assert list(rentals.prepare(pd.DataFrame([row])).columns) == ["hr", "temp"]
"""


def live(room: Path, data: Path, bucket: Any, way: Way) -> Story:
    """Everything up to the rollback. Versions: 1 the first, 2 refused, 3 better, 4 on new data."""
    first_year, header = _first_year(data)
    bucket.put_object(Bucket="lake", Key=f"{MODEL}/{DROP}", Body=first_year)
    story = begin(room, bucket, model=MODEL, dataset=DATASET, way=way)
    ada, chapter = story.ada, story.transcript.chapter
    with chapter("declare"):
        declare(
            story,
            {
                "mlops.yaml": DECLARED,
                "data/rides-stand-in.csv": _stand_in(header),
                f"models/{MODEL}/rentals.py": SOURCE,
                f"models/{MODEL}/tests/test_rentals.py": TEST,
            },
            when="{risk: [high], trigger: [change]}",
        )
    with chapter("leak"):
        ada.stellwerk("snapshot", DATASET, "--because", "the first year is complete")
        ada.stellwerk("check", MODEL, "regression")
        ada.edit(
            "mlops.yaml",
            "    target: cnt\n",
            "    target: cnt\n    features: {exclude: [casual, registered]}\n",
            "Leave out what is known only afterwards",
        )
    with chapter("version 1"):
        ada.stellwerk("plan")
        ada.stellwerk("reconcile", expect=3)
    with chapter("approval"):
        ada.stellwerk("why", MODEL, "production")
        approve(story, because="checked the weekends by hand")
        ada.stellwerk("status")
    with chapter("refusal"):
        ada.edit("mlops.yaml", "leaves: 100", "leaves: 4", "Try a much smaller model")
        ada.stellwerk("reconcile", expect=3)
        ada.stellwerk("why", MODEL, "regression")
    with chapter("version 3"):
        ada.edit("mlops.yaml", "leaves: 4", "leaves: 800", "Try a larger model")
        ada.stellwerk("reconcile", expect=3)
        approve(story, because="better on every slice")
    with chapter("new data"):
        bucket.put_object(Bucket="lake", Key=f"{MODEL}/{DROP}", Body=data.read_bytes())
        ada.stellwerk("snapshot", DATASET, "--because", "the second year is complete")
        ada.stellwerk("plan")
        ada.stellwerk("reconcile")
        ada.stellwerk("diff", f"{MODEL}@3", f"{MODEL}@4")
    with chapter("rollback"):
        ada.stellwerk("rollback", MODEL, "production", "--because", "stations in the north run empty")
        ada.stellwerk("reconcile", expect=None)
        ada.stellwerk("reconcile", expect=None)
        ada.stellwerk("log", MODEL)
        ada.stellwerk("status")
    return story


def _first_year(data: Path) -> tuple[bytes, str]:
    lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
    rows = [line for line in lines[1:] if line.startswith("2011-")]
    return (lines[0] + "".join(rows)).encode(), lines[0].strip()


def _stand_in(header: str) -> str:
    """25 made-up days in the shape of the data."""
    drawn = random.Random(5)
    lines = [header]
    for day in range(1, 26):
        for hour in range(24):
            casual, registered = drawn.randint(0, 60), drawn.randint(0, 200)
            weather = [f"{drawn.random():.2f}" for _ in range(4)]
            working = int(day % 7 not in {1, 2})
            row = [f"2031-03-{day:02}", 1, 0, 3, hour, 0, day % 7, working, drawn.randint(1, 4)]
            lines.append(",".join(map(str, [*row, *weather, casual, registered, casual + registered])))
    return "\n".join(lines) + "\n"
