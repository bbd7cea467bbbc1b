# Rendered by stellwerk from models/shoe-demand/demand.ipynb. Do not edit: change models/shoe-demand/demand.ipynb and run `stellwerk render`.
# stellwerk: sha256=7e04a8d309daffdf057c87eaaf92b4f7880d4e8f927ab97623af4453d2d742ce
"""How many pairs of each style are sold on a day"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

# cell setup
SEASONS = ("spring", "summer", "autumn", "winter")


# cell prepare
def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what follows from the day: `weekday` (0 is Monday) and `years` since 2024 began."""
    day = pd.to_datetime(frame["day"])
    years = (day - pd.Timestamp("2024-01-01")).dt.days / 365.25
    return frame.assign(weekday=day.dt.day_of_week, years=years)


# cell settings
penalty = 1.0
seasonal = True


# cell design
def design(model: dict[str, Any], frame: pd.DataFrame) -> np.ndarray:
    """The rows as numbers, one column per effect. A style that was not seen in training gets the overall level."""
    columns = [np.ones(len(frame)), frame["years"], frame["promotion"]]
    columns += [frame["weekday"] == day for day in range(7)]
    for style in model["styles"]:
        of_style = frame["style"] == style
        columns.append(of_style)
        if model["seasonal"]:
            columns += [of_style & (frame["season"] == season) for season in SEASONS]
    return np.column_stack([np.asarray(column, dtype=float) for column in columns])


# cell train
def train(frame: pd.DataFrame, *, penalty: float = penalty, seasonal: bool = seasonal) -> dict[str, Any]:
    """Fit the model to prepared rows with their `sold`. `penalty` shrinks; without `seasonal` every season is alike."""
    model: dict[str, Any] = {"styles": sorted(frame["style"].unique()), "seasonal": seasonal}
    x = design(model, frame)
    y = np.log1p(frame["sold"].to_numpy(dtype=float))
    shrink = np.full(x.shape[1], penalty)
    shrink[0] = 0.0  # the overall level is not shrunk
    model["weights"] = np.linalg.solve(x.T @ x + np.diag(shrink), x.T @ y)
    residual = y - x @ model["weights"]
    model["spread"] = float(residual.var())  # the mean of a log-normal lies above its median
    return model


# cell predict
def predict(model: dict[str, Any], frame: pd.DataFrame) -> np.ndarray:
    """Pairs expected for each prepared row."""
    return np.expm1(design(model, frame) @ model["weights"] + model["spread"] / 2).clip(min=0.0)
