"""What the fork server of the workers imports before it forks the first one.

The garbage collector is off meanwhile: it would search all that is imported again and again, for a quarter of the time,
and find nothing. Afterwards it is made to leave these objects alone, so that the workers share their memory.
"""

import gc

gc.disable()

import sweeps.workers.job_kinds  # noqa: E402, F401

gc.freeze()
gc.enable()
