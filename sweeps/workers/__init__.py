"""Workers: processes that train one run after the other."""

from sweeps.workers.jobs import LANDSCAPE, TRAIN, Job, Message
from sweeps.workers.local import LocalWorkers

__all__ = ["LANDSCAPE", "TRAIN", "Job", "LocalWorkers", "Message"]
