"""Which bytes of versions and datasets are gone on purpose, and the words in which all that reads history says so.

Bytes that are merely missing are another matter: no record speaks of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.observed import Observed, Version
    from stellwerk.model.records import Erasure, VersionRecord


def bytes_gone(observed: Observed, md5: str) -> str:
    """Why no content of that name is there, in words; '' where no record says that it went.

    What retention took may have been brought back since; what was erased by decision stays away.
    """
    erased = observed.erased.get(md5)
    if erased is not None:
        return erased_words(erased)
    removal = next((item for item in reversed(observed.removals) if md5 in item.objects), None)
    return f"removed by retention on {removal.at[:10]}" if removal else ""


def erased_words(erasure: Erasure) -> str:
    """`erased by decision of ada on 2026-01-31: a customer asked to be forgotten`."""
    return f"erased by decision of {erasure.by.partition(' <')[0]} on {erasure.at[:10]}: {erasure.because}"


def package_gone(observed: Observed, record: VersionRecord) -> str:
    """Why the version's package is gone, in words; '' where it is not. A later version may have the same package."""
    erased = observed.erased.get(record.package.md5)
    if erased is not None:
        return erased_words(erased)
    removal = observed.removed.get(f"{record.model}@{record.number}")
    return f"removed by retention on {removal.at[:10]}" if removal else ""


def evaluation_gone(observed: Observed, version: Version) -> str:
    """Why the rows the version would be judged on are gone, in words; '' where nothing says so.

    Retention takes a version's data only together with its package; data that came back are asked for when needed.
    """
    erased = observed.erased.get(version.record.data.md5)
    return erased_words(erased) if erased else ""
