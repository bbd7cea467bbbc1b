"""A notebook as people have them: some fifty cells of prose, looking, trying out and timing, and a model among them."""

REALISTIC = '''\
# %% [markdown] id=title
# Demand of **shoes** per day

How many pairs of each style are sold on a day, from `data/sales.csv`.
# %% export id=setup
%load_ext autoreload
%autoreload 2
%matplotlib inline
%pip install -q "scikit-learn>=1.6" pandas

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error

warnings.filterwarnings("ignore", category=FutureWarning)
# %% id=looking
import matplotlib.pyplot as plt
import seaborn as sns

sns.set_theme()
!ls -l data
# %% [markdown] id=about-data
## The data
One row for each style and day. Sales are counted at closing time.
# %% id=read
frame = pd.read_csv("data/sales.csv", parse_dates=["day"])
frame.head()
# %% id=shape
frame.shape, frame.dtypes
# %% id=describe
frame.describe(include="all")
# %% id=missing
frame.isna().mean().sort_values(ascending=False)
# %% id=help
pd.DataFrame.resample?
# %% [markdown] id=looks
## How does it look?
# %% id=plot-days
fig, ax = plt.subplots(figsize=(12, 4))
for style, rows in frame.groupby("style"):
    ax.plot(rows["day"], rows["sold"], label=style)
ax.legend()
plt.show()
# %% id=plot-weekdays
sns.boxplot(data=frame.assign(weekday=frame["day"].dt.day_of_week), x="weekday", y="sold")
# %% id=plot-seasons
for season in frame["season"].unique():
    %time frame[frame["season"] == season]["sold"].hist(alpha=0.3)
# %% id=shell
files = !ls data
len(files)
# %% id=database
%%bash
git log --oneline -- data/sales.csv.dvc | head -3
# %% [markdown] id=constants-prose
## What stays fixed
# %% export id=constants
# Seasons as the shop counts them.
SEASONS = ("spring", "summer", "autumn", "winter")
START = pd.Timestamp("2024-01-01")
DAYS_IN_YEAR = 365.25
# %% parameters id=settings
penalty = 1.0
seasonal = True
floor: float = 0.0
# %% id=try-penalty
for value in (0.1, 1.0, 10.0):
    print(value)
# %% [markdown] id=prepare-prose
## Preparation
# %% id=try-prepare
trial = frame.assign(weekday=frame["day"].dt.day_of_week)
trial["weekday"].value_counts()
# %% export id=helper
def years_since_start(day: pd.Series) -> pd.Series:
    """Years since `START`, with fractions."""
    return (day - START).dt.days / DAYS_IN_YEAR
# %% prepare id=prepare
%%time
def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Add what follows from the day: `weekday` (0 is Monday) and `years`."""
    day = pd.to_datetime(frame["day"])
    return frame.assign(weekday=day.dt.day_of_week, years=years_since_start(day))
# %% id=prepared
prepared = prepare(frame)
prepared.head()
# %% id=check-nan
assert not prepared["years"].isna().any()
# %% id=timing
%timeit -n 3 prepare(frame)
# %% [markdown] id=features-prose
## Features
One column for each weekday and each season:

```python
# this is no heading
```
# %% export id=design
def design(frame: pd.DataFrame, *, seasonal: bool) -> np.ndarray:
    """The rows as numbers, one column per effect."""
    columns = [frame["years"], frame["promotion"]]
    columns += [frame["weekday"] == day for day in range(7)]

    if seasonal:


        columns += [frame["season"] == season for season in SEASONS]
    return np.column_stack([np.asarray(column, dtype=float) for column in columns])
# %% id=look-at-design
design(prepared, seasonal=True)[:3]
# %% id=correlations
pd.DataFrame(design(prepared, seasonal=True)).corr().round(2)
# %% [markdown] id=training-prose
## Training
# %% id=by-hand
by_hand = np.log1p(frame["sold"]).groupby(frame["style"]).mean()
by_hand
# %% id=another-model
from sklearn.ensemble import RandomForestRegressor

forest = RandomForestRegressor(n_estimators=20, random_state=0)
forest.fit(design(prepared, seasonal=True), frame["sold"])
# %% id=importance
pd.Series(forest.feature_importances_).plot.bar()
# %% train id=train
from dataclasses import dataclass


@dataclass
class Demand:
    """The fitted model and how it was asked for."""

    ridge: Ridge
    seasonal: bool
    floor: float


def train(
    frame: pd.DataFrame,
    penalty: float = penalty,
    seasonal: bool = seasonal,
    floor: float = floor,
) -> Demand:
    """Fit the logarithm of the pairs sold."""
    rows = design(frame, seasonal=seasonal)
    sold = np.log1p(frame["sold"].to_numpy(dtype=float))
    ridge = Ridge(alpha=penalty).fit(rows, sold)
    return Demand(ridge=ridge, seasonal=seasonal, floor=floor)
# %% id=fit
model = train(prepared)
model.ridge.coef_
# %% predict id=predict
def predict(model: Demand, frame: pd.DataFrame) -> np.ndarray:
    """Pairs expected for each prepared row."""
    rows = design(frame, seasonal=model.seasonal)
    return np.expm1(model.ridge.predict(rows)).clip(min=model.floor)
# %% id=residuals
residuals = prepared["sold"] - predict(model, prepared)
residuals.hist(bins=50)
# %% id=error
mean_absolute_error(prepared["sold"], predict(model, prepared))
# %% id=by-style
residuals.groupby(prepared["style"]).describe()
# %% [markdown] id=decide-prose
## What we do with it
# %% decide id=decide
def decide(prediction: np.ndarray, frame: pd.DataFrame) -> pd.DataFrame:
    """Order for a week, rounded up to boxes of six."""
    boxes = np.ceil(prediction * 7 / 6)
    return frame[["style", "day"]].assign(order=(boxes * 6).astype(int))
# %% id=orders
decide(predict(model, prepared), prepared).sort_values("order")
# %% update id=update
def update(model: Demand, frame: pd.DataFrame) -> Demand:
    """Fit again, as the model was fitted."""
    penalty = model.ridge.alpha
    return train(frame, penalty=penalty, seasonal=model.seasonal, floor=model.floor)
# %% [markdown] id=tests-prose
## Tests
# %% test id=test-data
def days(count: int) -> pd.DataFrame:
    """Rows of one style that sells thirty pairs each day."""
    rows = pd.DataFrame({"day": pd.date_range("2025-06-01", periods=count)})
    return rows.assign(style="sandal", season="summer", promotion=0, sold=30)
# %% test id=tests
import pytest


@pytest.mark.parametrize("seasonal", [True, False])
def test_what_never_changes_is_predicted_as_it_is(seasonal):
    rows = prepare(days(28))
    expected = predict(train(rows, penalty=1e-6, seasonal=seasonal), rows)
    assert abs(expected - rows["sold"]).max() < 0.5


def test_no_prediction_is_below_the_floor():
    rows = prepare(days(28).assign(sold=0))
    assert (predict(train(rows), rows) >= 0).all()
# %% test id=test-orders
%%time
def test_orders_are_whole_boxes():
    rows = prepare(days(3))
    orders = decide(predict(train(rows), rows), rows)
    assert (orders["order"] % 6 == 0).all()
    assert SEASONS[1] == "summer"
# %% [markdown] id=next
## To do
- holidays
# %% id=scratch
# half written
x = (1,
'''
