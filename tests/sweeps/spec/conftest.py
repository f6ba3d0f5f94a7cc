"""Makes the good sweep of `good_sweep.py` known to the tests of this folder."""

import sys
from pathlib import Path

# The tests import it by this name, since a folder of tests is no package.
sys.path.insert(0, str(Path(__file__).parent))
import good_sweep  # noqa: F401

sys.path.pop(0)
