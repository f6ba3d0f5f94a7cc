"""What the fork server of the workers imports before it forks the first one.

Without the garbage collector: it would look through all that is imported again and again, and find nothing, for a
quarter of the time. Afterwards it is told to leave all of it alone, so that the workers share its memory.
"""

import gc

gc.disable()

import sweeps.workers.job_kinds  # noqa: E402, F401

gc.freeze()
gc.enable()
