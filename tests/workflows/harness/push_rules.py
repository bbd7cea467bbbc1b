"""The hook of the simulated forge, run by git in the bare repository as `pre-receive` and `post-receive`.

Who pushes is told by the push option `token=...`, which stands for the credentials of HTTPS. It imports nothing of the
harness, because every push pays for its start.
"""

import fnmatch
import hashlib
import json
import os
import subprocess
import sys
import time

ZERO = "0" * 40
WORKFLOWS = ".github/workflows/"


def git(*words):
    return subprocess.run(["git", *words], stdout=subprocess.PIPE, check=False, text=True).stdout


def pusher():
    """The identity and the permissions behind the token; None for a token that is unknown or was revoked."""
    for index in range(int(os.environ.get("GIT_PUSH_OPTION_COUNT", "0"))):
        key, _, value = os.environ[f"GIT_PUSH_OPTION_{index}"].partition("=")
        if key == "token":
            name = hashlib.sha256(value.encode()).hexdigest()
            try:
                with open(f"harness/tokens/{name}.json", encoding="utf-8") as file:  # noqa: PTH123
                    return json.load(file)
            except FileNotFoundError:
                return None
    return None


def known(commit, path):
    """Whether some branch has the same file with the same content already, which GitHub lets through."""
    wanted = git("rev-parse", "--verify", "--quiet", f"{commit}:{path}")
    refs = git("for-each-ref", "--format=%(refname)").split()
    return any(git("rev-parse", "--verify", "--quiet", f"{ref}:{path}") == wanted for ref in refs)


def protection(who, protected, old, new, ref):
    """Why a protected branch does not take a change; '' where it does."""
    for pattern, allowed in protected.items():
        if fnmatch.fnmatch(ref, f"refs/heads/{pattern}"):
            failed = f"GH006: Protected branch update failed for {ref}."
            if who["identity"] not in allowed:
                return f"{failed} Changes must be made through a pull request."
            if new == ZERO or (old != ZERO and git("merge-base", old, new).strip() != old):
                return f"{failed} Cannot force-push to or delete this branch."
    return ""


def workflow_refusal(new):
    """Why workflow files are not taken from this pusher; '' where none is touched."""
    commits = ("log", "-m", "--format=", "--name-only", new, "--not", "--all", "--", WORKFLOWS)
    unknown = [path for path in sorted(set(git(*commits).split("\n")) - {""}) if not known(new, path)]
    said = "refusing to allow a GitHub App to create or update workflow"
    return f"{said} `{unknown[0]}` without `workflows` permission" if unknown else ""


def refusal(who, repository, protected, changes):
    """Why the push is refused, in GitHub's manner; '' where it is taken."""
    if who is None:
        return "Authentication failed: the push carries no valid token"
    if who["permissions"].get("contents") != "write":
        return f"Permission to {repository}.git denied to {who['identity']}."
    found = [f"{ref} is read-only" for _, _, ref in changes if ref.startswith("refs/pull/")]
    found += [protection(who, protected, old, new, ref) for old, new, ref in changes]
    if who["permissions"].get("workflows") != "write":
        found += [workflow_refusal(new) for _, new, _ in changes if new != ZERO]
    return next(filter(None, found), "")


def main():
    changes = [line.split() for line in sys.stdin]
    who = pusher()
    if os.path.basename(sys.argv[0]) == "post-receive":  # noqa: PTH119
        folder = "harness/pushes"
        for place, (old, new, ref) in enumerate(changes):
            name = f"{time.time_ns():020}-{place}.json"
            record = {"who": who["identity"], "starts": who["starts"], "before": old, "after": new, "ref": ref}
            with open(f"{folder}/.{name}", "w", encoding="utf-8") as file:  # noqa: PTH123
                json.dump(record, file)
            os.rename(f"{folder}/.{name}", f"{folder}/{name}")  # noqa: PTH104
        return
    with open("harness/rules.json", encoding="utf-8") as file:  # noqa: PTH123
        rules = json.load(file)
    why = refusal(who, rules["repository"], rules["protected"], changes)
    if why:
        print(f"error: {why}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
