"""`make bench`: runs every benchmark, one after the other, each in its own process."""

import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    here = Path(__file__).parent
    # These are about the code, not the product, or parts of others, or need data that are not here.
    no_benchmarks = ("__init__", "__main__", "measure", "optuna_loop", "same_training", "suite", "thin_text")
    names = sorted(path.stem for path in here.glob("*.py") if path.stem not in no_benchmarks)
    failed = [
        name
        for name in names
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=here.parent).returncode
    ]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
