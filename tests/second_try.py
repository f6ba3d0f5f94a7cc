"""After red tests on CI: run every browser test and fault test that failed once more, one by one.

If all of them pass then, the run is green, and their names are printed, so that somebody mends the race. If any other
test failed, or one fails again, the run stays red. Only `.ci/run` calls this; `make test` repeats nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FAILED = Path(".pytest_cache/v/sweepboard/failed")
"""Written by tests/conftest.py: the name of each test that failed -> whether it may be tried once more."""


def main() -> int:
    """Returns 0 if every test that failed may be tried again and passes then, else 1."""
    failed = json.loads(FAILED.read_text()) if FAILED.exists() else {}
    if not failed or not all(failed.values()):
        print("No second try: what failed is not a browser test or a fault test.")
        return 1
    for name in failed:
        # It must not overwrite the list of the first run: it keeps its cache elsewhere.
        command = [sys.executable, "-m", "pytest", "-o", "cache_dir=.pytest_cache/second_try", name]
        if subprocess.run(command, check=False).returncode:
            print(f"Failed at the second try too: {name}")
            return 1
    print("Passed at the second try:", *failed, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
