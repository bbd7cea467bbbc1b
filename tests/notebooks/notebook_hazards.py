"""Notebooks with one hazard each. `found` is (rule, `cell N, line M`, words of the message)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

TRAIN = """\
# %% train
def train(frame):
    return frame["sold"].mean()
"""


@dataclass(frozen=True, kw_only=True)
class Hazard:
    name: str
    text: str
    rule: str
    at: str
    words: str
    params: dict[str, Any] = field(default_factory=dict)


def hazard(name: str, text: str, rule: str, at: str, words: str, **params: Any) -> Hazard:
    return Hazard(name=name, text=text, rule=rule, at=at, words=words, params=params)


HAZARDS = (
    hazard(
        "a function reads the frame of an exploration cell",
        '# %%\nimport pandas as pd\ndf = pd.read_csv("x")\n# %% train\ndef train(frame):\n    return df["a"].mean()\n',
        "SW801",
        "cell 2, line 2",
        "`df` is defined by cell 1 (line 2) only",
    ),
    hazard(
        "a lambda inside a function reads it",
        "# %%\nrate = 2\n# %% train\ndef train(frame):\n    return list(\n        map(lambda x: x * rate, frame))\n",
        "SW801",
        "cell 2, line 3",
        "`rate` is defined by cell 1",
    ),
    hazard(
        "a comprehension's condition reads it",
        "# %% export\nlow = 2\n# %% train\ndef train(frame):\n    return [low for row in frame if row > limit]\n# %%\nlimit = 3\n",
        "SW801",
        "cell 2, line 2",
        "`limit` is defined by cell 3",
    ),
    hazard(
        "a default value reads it",
        "# %%\nsize = 2\n# %% train\ndef train(frame, many=size):\n    return many\n",
        "SW801",
        "cell 2, line 1",
        "`size` is defined by cell 1",
    ),
    hazard(
        "a decorator reads it",
        "# %%\ndef timed(f):\n    return f\n# %% train\n@timed\ndef train(frame):\n    return 1\n",
        "SW801",
        "cell 2, line 1",
        "`timed` is defined by cell 1",
    ),
    hazard(
        "a type annotation reads it, written as text",
        '# %%\nimport pandas as pd\n# %% train\ndef train(frame: "pd.DataFrame"):\n    return 1\n',
        "SW801",
        "cell 2, line 1",
        "`pd` is imported by cell 1",
    ),
    hazard(
        "an import stands in an exploration cell",
        "# %%\nimport numpy as np\n# %% train\ndef train(frame):\n    return np.mean(frame)\n",
        "SW801",
        "cell 2, line 2",
        "`np` is imported by cell 1 (line 1) only",
    ),
    hazard(
        "the name is written with a ligature where it is defined",
        "# %%\n\ufb01ne = 2\n# %% train\ndef train(frame):\n    return fine\n",
        "SW801",
        "cell 2, line 2",
        "`fine` is defined by cell 1 (line 1) only",
    ),
    hazard(
        "a name with umlauts is bound again",
        "# %% export\nGröße = 2\n# %% train\ndef train(frame):\n    return Größe\n# %%\nGröße = 3\n",
        "SW803",
        "cell 3, line 1",
        "`Größe` of cell 1 is bound again",
    ),
    hazard(
        "the cell that defined a name was deleted",
        "# %% train\ndef train(frame):\n    return scale * len(frame)\n",
        "SW801",
        "cell 1, line 2",
        "`scale` is defined nowhere",
    ),
    hazard(
        "a method reads a name of the class's body",
        "# %% train\nclass Model:\n    size = 3\n\n    def grow(self):\n        return size\n\ndef train(frame):\n    return Model()\n",
        "SW801",
        "cell 1, line 5",
        "`size` is defined nowhere",
    ),
    hazard(
        "Jupyter's own display ships",
        "# %% train\ndef train(frame):\n    display(frame)\n    return 1\n",
        "SW801",
        "cell 1, line 2",
        "`display` exists in Jupyter only",
    ),
    hazard(
        "a test uses the frame of an exploration cell",
        TRAIN + '# %%\ndf = {"sold": 3}\n# %% test\ndef test_mean():\n    assert train(df)\n',
        "SW801",
        "cell 3, line 2",
        "`df` is defined by cell 2",
    ),
    hazard(
        "a cell works on its own name from before",
        "# %%\nrows = [1, 2]\n# %% export\nrows = rows + [3]\n# %% train\ndef train(frame):\n    return rows\n",
        "SW801",
        "cell 2, line 1",
        "`rows` is defined by cell 1",
    ),
    hazard(
        "a constant is computed from a later one",
        "# %% export\nWEEK = DAYS * 24\n# %% export\nDAYS = 7\n" + TRAIN.replace('frame["sold"].mean()', "WEEK"),
        "SW802",
        "cell 1, line 1",
        "`DAYS` is read here, and cell 2 defines it only later",
    ),
    hazard(
        "a lambda reads a later constant",
        "# %% export\nscale = lambda x: x * FACTOR\n# %% export\nFACTOR = 7\n" + TRAIN,
        "SW802",
        "cell 1, line 1",
        "`FACTOR` is read here, and cell 2 defines it only later",
    ),
    hazard(
        "a nested function reads a later one",
        "# %% train\ndef train(frame):\n    def inner():\n        return helper(frame)\n    return inner()\n# %% export\ndef helper(frame):\n    return 1\n",
        "SW802",
        "cell 1, line 3",
        "`helper` is read when `train` is called",
    ),
    hazard(
        "a helper is defined again for a trial",
        "# %% export\ndef clean(rows):\n    return rows\n# %% train\ndef train(frame):\n    return clean(frame)\n# %%\ndef clean(rows):\n    return rows[1:]\n",
        "SW803",
        "cell 3, line 1",
        "`clean` of cell 1 is bound again here, in a cell that does not ship",
    ),
    hazard(
        "two exported cells import one name from two places",
        "# %% export\nfrom math import log\n# %% export\nfrom cmath import log\n# %% train\ndef train(frame):\n    return log(2)\n",
        "SW803",
        "cell 2, line 1",
        "`log` of cell 1 is bound again",
    ),
    hazard(
        "a loop of another cell takes a constant's name",
        "# %% export\nstep = 3\n# %% train\ndef train(frame):\n    return step\n# %%\nfor step in range(9):\n    pass\n",
        "SW803",
        "cell 3, line 1",
        "`step` of cell 1 is bound again",
    ),
    hazard(
        "a column is added to a frame of another cell",
        '# %% export\ntable = {}\n# %% export\ntable.loc[0, "a"] = 1\n# %% train\ndef train(frame):\n    return table\n',
        "SW804",
        "cell 2, line 1",
        "`table.loc[...] = ...` changes `table` of cell 1 in place",
    ),
    hazard(
        "inplace=True on a frame of another cell",
        "# %% export\ntable = dict()\n# %% export\ntable.dropna(inplace=True)\n# %% train\ndef train(frame):\n    return table\n",
        "SW804+SW809",
        "cell 2, line 1",
        "`table.dropna(..., inplace=True)` changes `table` of cell 1",
    ),
    hazard(
        "a function appends to a list of another cell",
        "# %% export\nseen = []\n# %% train\ndef train(frame):\n    seen.append(len(frame))\n    return 1\n",
        "SW804",
        "cell 2, line 2",
        "`seen.append(...)` in `train` changes `seen`",
    ),
    hazard(
        "a function sets a global name",
        "# %% export\nlast = None\n# %% train\ndef train(frame):\n    global last\n    last = frame\n    return 1\n",
        "SW804",
        "cell 2, line 3",
        "`train` sets the name `last` of the whole notebook",
    ),
    hazard(
        "exploration changes a constant",
        '# %% export\nnames = ["a"]\n# %%\nnames.append("b")\n# %% train\ndef train(frame):\n    return names\n',
        "SW804",
        "cell 2, line 1",
        "the module keeps it as it was",
    ),
    hazard("a star import", "# %% export\nfrom numpy import *\n" + TRAIN, "SW805", "cell 1, line 1", "import *"),
    hazard(
        "a star import beside one by name",
        "# %% export\nfrom math import *\nfrom math import log\nA = log(2)\n" + TRAIN,
        "SW805",
        "cell 1, line 1",
        "import *",
    ),
    hazard(
        "train is not tagged",
        "# %% export\nA = 1\n# %%\n\ndef train(frame):\n    return 1\n",
        "SW806",
        "cell 2, line 1",
        "no exported cell defines `train`",
    ),
    hazard(
        "the cell trains and defines no function",
        TRAIN + "# %% prepare\nprepared = 3\n",
        "SW807",
        "cell 2, line 1",
        "does not define `prepare`",
    ),
    hazard(
        "a look at a prepared frame",
        TRAIN.rstrip() + "\ntrain(3).head(2)\n",
        "SW809",
        "cell 1, line 3",
        "`train(...).head(...)` runs",
    ),
    hazard("two trainings", TRAIN + TRAIN, "SW808", "cell 2, line 1", "`train` is defined by cell 1 already"),
    hazard(
        "data are read at import",
        '# %% export\nimport pandas as pd\n\nstyles = pd.read_csv("styles.csv")["style"].tolist()\n' + TRAIN,
        "SW809",
        "cell 1, line 3",
        "reads data whenever",
    ),
    hazard(
        "a file is opened at import",
        '# %% export\nwith open("styles.txt") as file:\n    STYLES = list(file)\n' + TRAIN,
        "SW809",
        "cell 1, line 1",
        "`open(...)` reads data",
    ),
    hazard("a cell prints", TRAIN.rstrip() + '\nprint("defined")\n', "SW809", "cell 1, line 3", "`print(...)` prints"),
    hazard(
        "a cell plots",
        "# %% export\nimport matplotlib.pyplot as plt\nplt.figure()\n" + TRAIN,
        "SW809",
        "cell 1, line 2",
        "`plt.figure(...)` plots",
    ),
    hazard(
        "a test is called where it is defined",
        TRAIN + "# %% test\ndef test_it():\n    assert train\ntest_it()\n",
        "SW809",
        "cell 2, line 3",
        "`test_it(...)` runs",
    ),
    hazard("a shell command's result", "# %% export\nA = !ls\n" + TRAIN, "SW810", "cell 1, line 1", "`A = !ls`"),
    hazard("a shell cell", "# %% export\n%%bash\nls\n" + TRAIN, "SW810", "cell 1, line 1", "`%%bash`"),
    hazard("a query cell", "# %% export\n%%sql\nselect 1\n" + TRAIN, "SW810", "cell 1, line 1", "`%%sql`"),
    hazard("another notebook is run", "# %% export\n%run a.ipynb\n" + TRAIN, "SW810", "cell 1, line 1", "`%run`"),
    hazard("a stored variable", "# %% export\n%store -r a\n" + TRAIN, "SW810", "cell 1, line 1", "`%store`"),
    hazard("an unknown magic", "# %% export\n%frobnicate\n" + TRAIN, "SW810", "cell 1, line 1", "`%frobnicate`"),
    hazard(
        "what is installed stands in a file",
        "# %% export\n%pip install -r requirements.txt\n" + TRAIN,
        "SW810",
        "cell 1, line 1",
        "cannot become a requirement",
    ),
    hazard(
        "await at the top level",
        "# %% export\nimport asyncio\nA = await asyncio.sleep(0)\n" + TRAIN,
        "SW811",
        "cell 1, line 2",
        "`await`",
    ),
    hazard(
        "async with at the top level",
        "# %% export\nfrom contextlib import nullcontext\nasync with nullcontext():\n    A = 1\n" + TRAIN,
        "SW811",
        "cell 1, line 2",
        "`await`",
    ),
    hazard("half a cell", "# %% export\nA = 1\nB = (2,\n" + TRAIN, "SW812", "cell 1, line 2", "never closed"),
    hazard(
        "a return outside of a function", "# %% export\nA = 1\nreturn A\n" + TRAIN, "SW812", "cell 1, line 2", "return"
    ),
    hazard(
        "a global statement outside of a function, below a cell that sets the name",
        "# %% export\nlimit = 3\n# %% export\nif 1:\n    global limit\n" + TRAIN,
        "SW812",
        "cell 2, line 2",
        "`global` outside of a function",
    ),
    hazard(
        "a test cell of bare assertions",
        TRAIN + "# %% test\nassert train is not None\n",
        "SW813",
        "cell 2, line 1",
        "defines no test",
    ),
    hazard("a tag in the plural", TRAIN + "# %% tests\nA = 1\n", "SW814", "cell 2, line 1", "`tests`"),
    hazard("no tag at all", TRAIN.replace(" train", "", 1), "SW815", "", "nothing ships"),
    hazard(
        "an id twice",
        "# %% export id=a\nA = 1\n# %% [markdown] id=a\nprose\n" + TRAIN,
        "SW816",
        "cell 2, line 1",
        "cell 1 has the id `a` too",
    ),
    hazard(
        "a declared parameter that nobody has",
        TRAIN,
        "SW817",
        "cell 1, line 1",
        "declares `depth`",
        depth=3,
    ),
    hazard(
        "a misspelt parameter that **params swallows",
        "# %% parameters\ndepth = 6\n# %% train\ndef train(frame, **params):\n    return {'depth': depth, **params}\n",
        "SW817+SW818",
        "cell 1, line 1",
        "declares `dept`",
        dept=3,
    ),
    hazard(
        "a parameter that nobody declares",
        "# %% parameters\ndepth = 6\n# %% train\ndef train(frame, depth=depth):\n    return depth\n",
        "SW818",
        "cell 1, line 1",
        "does not declare",
    ),
    hazard(
        "a set as parameter",
        "# %% parameters\nnames = {'a'}\n# %% train\ndef train(frame, names=names):\n    return names\n",
        "SW819",
        "cell 1, line 1",
        "YAML has no set",
        names=["a"],
    ),
    hazard(
        "train has a default of its own",
        "# %% parameters\ndepth = 6\n# %% train\ndef train(frame, depth=8):\n    return depth\n",
        "SW820",
        "cell 2, line 1",
        "a default of its own",
        depth=3,
    ),
    hazard(
        "a constant is computed from a parameter",
        "# %% parameters\ndepth = 6\n# %% export\nLEAVES = 2**depth\n# %% train\ndef train(frame, depth=depth):\n    return LEAVES\n",
        "SW821",
        "cell 2, line 1",
        "this reads the parameter `depth`",
        depth=3,
    ),
    hazard(
        "train needs what nobody declares",
        "# %% train\ndef train(frame, depth):\n    return depth\n",
        "SW822",
        "cell 1, line 1",
        "needs `depth`",
    ),
    hazard(
        "predict stays behind",
        TRAIN + "# %%\ndef predict(model, frame):\n    return model\n",
        "SW823",
        "cell 2, line 1",
        "`predict` is defined in a cell without a tag",
    ),
    hazard(
        "a test that would ship",
        TRAIN + "# %% test export\ndef test_it():\n    assert train\n",
        "SW825",
        "cell 2, line 1",
        "`test` and `export`",
    ),
    hazard(
        "prepare changes the frame of its caller",
        TRAIN + "# %% prepare\ndef prepare(frame):\n    frame.fillna(0, inplace=True)\n    return frame\n",
        "SW826",
        "cell 2, line 2",
        "`frame.fillna(..., inplace=True)` changes the `frame`",
    ),
)
