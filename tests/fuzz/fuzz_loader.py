"""Fuzz the loader of declarations: whatever the bytes, it answers, in bounded time and memory, without a traceback.

    python tests/fuzz/fuzz_loader.py                  # two minutes
    python tests/fuzz/fuzz_loader.py --seconds 900
    python tests/fuzz/fuzz_loader.py --input FILE     # one input again, with its traceback

The engine is atheris (libFuzzer, guided by coverage) where it can be imported: `pip install atheris`. Elsewhere
Hypothesis mutates the corpus blindly, and the output says so. An input that breaks the claim is kept in a file.
Besides the engine it needs PyYAML and packaging; what is imported of Stellwerk is the checkout's, unless it is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import loader_claims

BLIND = "hypothesis, WITHOUT coverage guidance: it mutates the corpus blindly, because atheris cannot be imported here"
ENTRANCES = ("stellwerk.declarations.compose", "stellwerk.declarations.document", "stellwerk.planning.rules")
INSTRUMENTED = ("stellwerk.declarations", "stellwerk.planning.rules", "stellwerk.model", "yaml")


def main() -> int:
    """Exit code 0 where nothing was found, 1 where something was."""
    parser = argparse.ArgumentParser(description="Fuzz the loader of declarations.")
    parser.add_argument("--seconds", type=int, default=120, help="how long (default: 120)")
    parser.add_argument("--engine", choices=("auto", "atheris", "hypothesis"), default="auto")
    parser.add_argument("--seed", type=int, default=0, help="of the engine's random numbers; 0 takes a new one")
    parser.add_argument("--input", type=Path, metavar="FILE", help="run this one input instead")
    parser.add_argument("--inside", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)  # the child's working folder
    asked = parser.parse_args()
    if importlib.util.find_spec("stellwerk") is None:  # an environment that holds the engine and little else
        sys.path.insert(0, str(loader_claims.CHECKOUT / "src"))
    if asked.input:
        loader_claims.check(asked.input.read_bytes())
        print("this input breaks nothing")
        return 0
    seed = asked.seed or random.SystemRandom().randrange(1, 2**31)
    if asked.inside:
        run_atheris(asked.inside, asked.seconds, seed)
    guided = asked.engine != "hypothesis" and importlib.util.find_spec("atheris") is not None
    if asked.engine == "atheris" and not guided:
        print("atheris cannot be imported by this Python: pip install atheris", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="stellwerk-fuzz-") as folder:
        return supervise_atheris(Path(folder), asked.seconds, seed) if guided else run_blindly(asked.seconds, seed)


def supervise_atheris(folder: Path, seconds: int, seed: int) -> int:
    """Run the engine in a process of its own, which libFuzzer ends as it likes, and say what it did."""
    from importlib.metadata import version

    print(f"engine: atheris {version('atheris')}, guided by coverage; seed {seed}; {seconds} s", flush=True)
    seeds = folder / "seeds"
    seeds.mkdir()
    (folder / "made").mkdir()
    for name, data in loader_claims.seeds().items():
        (seeds / re.sub(r"[^\w.-]", "_", name)).write_bytes(data)
    (folder / "words").write_text("".join(f"{_quoted(word)}\n" for word in loader_claims.words()), encoding="ascii")
    command = [sys.executable, __file__, "--seconds", str(seconds), "--seed", str(seed), "--inside", str(folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with subprocess.Popen(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        said = [line.decode("utf-8", "replace").rstrip() for line in process.stdout]
    progress = [line for line in said if re.match(r"#\d+\s", line)]
    executed = [int(found[1]) for line in said if (found := re.match(r"stat::number_of_executed_units:\s*(\d+)", line))]
    count = executed[-1] if executed else max((int(line[1:].split()[0]) for line in progress), default=0)
    covered = [found[1] for line in progress if (found := re.search(r"cov: (\d+)", line))]
    print(f"{count:,} executions, {count / max(seconds, 1):,.0f} per second")
    reached = f"{covered[0]} counters with the seeds, {covered[-1]} at the end" if covered else "unknown"
    print(f"coverage: {reached}")
    broken = sorted(path for path in folder.iterdir() if path.name.startswith(("crash-", "timeout-", "oom-", "slow-")))
    if process.returncode == 0 and not broken:
        print("found: nothing")
        return 0
    print("\n".join(said[-60:]))
    for path in broken:
        _keep(path.name, path.read_bytes())
    return 1


def run_atheris(folder: Path, seconds: int, seed: int) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        for module in ENTRANCES:
            importlib.import_module(module)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={int(loader_claims.SECONDS)}",
        f"-rss_limit_mb={loader_claims.MEMORY >> 20}",
        f"-max_len={loader_claims.LONGEST}",
        f"-seed={seed}",
        f"-dict={folder / 'words'}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
        "-len_control=20",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "made"), str(folder / "seeds")], loader_claims.check)
    atheris.Fuzz()


def run_blindly(seconds: int, seed: int) -> int:
    """Mutate seeds by Hypothesis until the time is over or something breaks."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    print(f"engine: {BLIND}; seed {seed}; {seconds} s", flush=True)
    resource.setrlimit(resource.RLIMIT_AS, (loader_claims.MEMORY, loader_claims.MEMORY))
    known, words = list(loader_claims.seeds().values()), [word.encode() for word in loader_claims.words()]
    piece = st.one_of(
        st.sampled_from(words), st.binary(max_size=8), st.sampled_from(known).map(lambda seed: seed[:400])
    )
    edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), piece), max_size=8)
    last = b""

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(known), edits)
    def one(start: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        nonlocal last
        for share, gone, piece in changes:
            place = int(share * len(start))
            start = start[:place] + piece + start[place + gone :]
        last = start[: loader_claims.LONGEST]
        began = time.process_time()
        loader_claims.check(last)
        assert time.process_time() - began < loader_claims.SECONDS, "too slow"

    numbers, count, end = random.Random(seed), 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            one.hypothesis.fuzz_one_input(numbers.randbytes(2000))
            count += 1
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        print(f"found after {count:,} executions: {type(error).__name__}: {error}")
        _keep("crash", last)
        return 1
    print(f"{count:,} executions, {count / max(seconds, 1):,.0f} per second; coverage: not measured by this engine")
    print("found: nothing")
    return 0


def _keep(kind: str, data: bytes) -> None:
    kept = Path(f"fuzz-{kind.partition('-')[0]}-{hashlib.sha256(data).hexdigest()[:12]}")
    kept.write_bytes(data)
    print(f"kept in {kept}; again: python {Path(__file__).name} --input {kept}")
    print("once it is mended, move it to tests/fuzz/corpus")


def _quoted(word: str) -> str:
    """A word as libFuzzer's dictionaries want it."""
    return '"' + "".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\x{c:02x}" for c in word.encode()) + '"'


if __name__ == "__main__":
    sys.exit(main())
