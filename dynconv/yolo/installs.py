"""ultralytics installs what it misses while it runs: what an export or several GPUs need, and any
package that a checkpoint names. Not within our functions and commands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from ultralytics.utils import LOGGER, checks

from ..offline import replace


def guard_installs(is_asked: Callable[[], bool]) -> None:
    """Let ultralytics ask before it calls pip; idempotent.

    Args:
        is_asked: whether one of our functions has called, so that nothing is installed: what is
            missing is named, and the import that needs it fails.
    """
    check_requirements = checks.check_requirements
    if hasattr(check_requirements, "of_dynconv"):
        return

    @functools.wraps(check_requirements)
    def guarded_check_requirements(*arguments, **keywords):
        if not is_asked() or not keywords.get("install", True) or len(arguments) > 2:
            return check_requirements(*arguments, **keywords)
        here = check_requirements(*arguments, **keywords | {"install": False})
        if not here:
            wanted = arguments[0] if arguments else keywords.get("requirements")
            LOGGER.warning(
                f"{wanted} is not here, and dynconv installs nothing while it runs. An export needs"
                " `pip install 'dynconv[export]'`; anything else install yourself, if you know who"
                " made it"
            )
        return here

    guarded_check_requirements.of_dynconv = True
    replace("check_requirements", check_requirements, guarded_check_requirements)
