"""What can stand in the way of the four edits; all are `PatchError`s."""

from __future__ import annotations


class PatchError(RuntimeError):
    """Nothing was changed; the message says what was found and what to do."""


class NotUltralytics(PatchError):
    """The folder holds no ultralytics."""


class UnsupportedUltralytics(PatchError):
    """nn/tasks.py is written in a way that the edits, or the registration on import
    (`dynconv.yolo`), do not know.
    """


class InSitePackages(PatchError):
    """The tree is an installed package, not a copy of one's own."""


class AlreadyPatched(PatchError):
    """All the edits are there."""


class NotPatched(PatchError):
    """There is nothing to take away."""


class HalfPatched(PatchError):
    """Some of the edits are there, or something that looks like them."""


class UnwritableTree(PatchError):
    """A file could not be written; those written before it were put back."""
