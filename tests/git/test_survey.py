"""The quick look at a repository sees what the plain look sees."""

import os

from stellwerk.adapters.git.survey import recorded_files, survey

NAMES = (b"plain", b'a "quote"', b"a\ttab", b"a\nline", b"back\\slash", "größe".encode(), b"\xff\xfe")


def test_files_of_any_name_are_seen_by_their_names(repo, reader):
    for name in NAMES:
        for above in (b"", b"registry"):
            folder = os.path.join(os.fsencode(repo.root), above, name)  # noqa: PTH118
            os.makedirs(folder)  # noqa: PTH103
            with open(os.path.join(folder, name), "wb") as file:  # noqa: PTH118, PTH123
                file.write(name)
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "a")
    names = {os.fsdecode(name) for name in NAMES}
    seen = survey(reader(repo))
    assert seen.files.keys() == seen.committed.keys() == {f"{name}/{name}" for name in names}
    assert seen.records.keys() == names
    assert recorded_files(reader(repo), seen, None).keys() == {f"registry/{name}/{name}" for name in names}
