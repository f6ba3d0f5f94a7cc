"""`make bench`: every benchmark one after the other, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    left_out = (
        "__init__",
        "__main__",
        "measure",
        "optuna_loop",
        "same_training",
        "suite",
    )  # about the code, not the product
    names = sorted(path.stem for path in here.glob("*.py") if path.stem not in left_out)
    failed = [
        name
        for name in names
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=here.parent).returncode
    ]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
