"""`make fuzz`: the properties of tests/test_properties*.py with many more and always other random
arguments, round after round until the minutes are over. Each round has a seed, which repeats it.

What a failing round prints ends with an entry for the corpus, tests/corpus: once the code is
mended, the entry is kept there, and `make test` tries it each time.
"""

import itertools
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(minutes: float, seed: int | None = None) -> int:
    """How many rounds found something; with a seed there is only that one."""
    end = time.monotonic() + 60 * minutes
    files = sorted(map(str, ROOT.glob("tests/test_properties*.py")))
    options = ("-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=short")
    found = []
    for one in itertools.count(random.randrange(10**6)) if seed is None else [seed]:
        print(f"fuzz: seed {one}; to repeat: make fuzz SEED={one}", flush=True)
        command = (sys.executable, "-m", "pytest", *options, f"--hypothesis-seed={one}", *files)
        if subprocess.run(command, cwd=ROOT, env=os.environ | {"FUZZ": "1"}).returncode:
            found.append(one)
        if time.monotonic() > end:
            break
    print(f"fuzz: seeds that found something: {', '.join(map(str, found)) or 'none'}")
    return len(found)


if __name__ == "__main__":
    sys.exit(bool(main(float(sys.argv[1]), *map(int, sys.argv[2:3]))))
