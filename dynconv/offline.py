"""One switch that keeps ultralytics, and the sources of weights of timm and torchvision, from
talking to other hosts, and back.

Left alone, ultralytics asks two DNS servers when it is imported; when it trains, PyPI for a newer
version, GitHub for a font and on a GPU for weights to check mixed precision with; it sends usage
figures to Google Analytics; and a checkpoint or an export that needs a package makes it run `pip
install`. It reads its switches once, on import.

timm fetches pretrained weights with huggingface_hub, which tries again and again for some 40
seconds where there is no network, and on Colab asks the reader for a token first. Its switches can
be turned at any time.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable

SWITCHES = {
    # no DNS question on import, no version check, no usage figures (old versions know only 'true')
    "YOLO_OFFLINE": "true",
    # never pip install what a checkpoint names: a stranger may own that name on PyPI
    "YOLO_AUTOINSTALL": "false",
    # huggingface_hub: only weights that are on this machine, and no usage figures
    "HF_HUB_OFFLINE": "1",
    # nor look for a token that nobody gave it, for which it asks Colab's vault of secrets
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
}
_before: dict[str, str | None] = {}  # what `stay_offline` found, for `go_online`


def stay_offline() -> None:
    """Set the switches, for this process and the processes that it starts. Call it before
    ultralytics is imported.

    It also keeps ultralytics from saying, where it is imported for the first time, where it has put
    its settings.

    Calling it again changes nothing. Importing dynconv never does it for you. What is on this
    machine (images, weights, data sets) goes on working; a download, also of weights asked for by
    name, is refused with a ConnectionError.

    Raises:
        RuntimeError: ultralytics was imported already without the switches, and would not see them;
            nothing is changed.
    """
    utils = sys.modules.get("ultralytics.utils")
    if utils is not None and (utils.ONLINE or utils.AUTOINSTALL):
        raise RuntimeError(
            "stay_offline() came too late: ultralytics is imported already and reads its switches"
            " only then. Restart the kernel (or the script) and call dynconv.offline.stay_offline()"
            " before the first import of ultralytics"
        )
    if not _before:
        _before.update({name: os.environ.get(name) for name in SWITCHES})
    os.environ.update(SWITCHES)
    logging.getLogger("ultralytics").addFilter(_no_word_of_settings)
    _tell_hub()


def go_online() -> None:
    """Take back `stay_offline`: the switches get the values that they had before.

    Downloads work again at once. What ultralytics decided when it was imported (no version check,
    no usage figures, no automatic installation) stays so until the notebook or script is
    started anew. Without `stay_offline` before, nothing is changed.
    """
    for name, value in _before.items():
        os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    _before.clear()
    logging.getLogger("ultralytics").removeFilter(_no_word_of_settings)
    _tell_hub()


def is_offline() -> bool:
    """Whether YOLO_OFFLINE is set, by `stay_offline` or by the reader."""
    return _is_on("YOLO_OFFLINE")


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in ("1", "true", "yes", "on", "y", "t")


def _no_word_of_settings(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Creating new Ultralytics Settings")


def _tell_hub() -> None:
    """Make huggingface_hub obey the environment as it is now: it read it on import, and looks at
    what it read at each request.
    """
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:
        constants.HF_HUB_OFFLINE = _is_on("HF_HUB_OFFLINE") or _is_on("TRANSFORMERS_OFFLINE")
        constants.HF_HUB_DISABLE_IMPLICIT_TOKEN = _is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN")


def guard_downloads() -> None:
    """Make YOLO_OFFLINE hold for ultralytics' downloads too, which do not look at it, and for those
    of torch.hub, from where the module TorchVision of a model row has its weights. The bridge calls
    this; idempotent.

    Whether a font can be had from GitHub is answered with no, without asking; a download is
    refused. The wrappers look at the variable at each call, and without it do what ultralytics and
    torch do.
    """
    import torch.hub
    from ultralytics.utils import downloads

    if hasattr(downloads.safe_download, "__wrapped__"):
        return
    is_url, safe_download = downloads.is_url, downloads.safe_download

    @functools.wraps(is_url)
    def guarded_is_url(url, check=False):
        return is_url(url, check=False) and not check if is_offline() else is_url(url, check)

    def guarded(download):
        @functools.wraps(download)
        def call(url, *arguments, **keywords):
            if is_offline() and is_url(url):
                raise ConnectionError(
                    f"{url} is not on this machine, and YOLO_OFFLINE is set. Give the path of a"
                    " local file, or call dynconv.offline.go_online() first (without"
                    " stay_offline(): unset the variable)"
                )
            return download(url, *arguments, **keywords)

        return call

    replace("is_url", is_url, guarded_is_url)
    replace("safe_download", safe_download, guarded(safe_download))
    torch.hub.download_url_to_file = guarded(torch.hub.download_url_to_file)


def replace(name: str, old: Callable, new: Callable) -> None:
    """In all modules of ultralytics, some of which have imported the function by name already."""
    for module in [each for key, each in sys.modules.items() if key.startswith("ultralytics.")]:
        if vars(module).get(name) is old:
            setattr(module, name, new)
