"""Workers: processes that train one run after the other."""

from sweeps.workers.jobs import LANDSCAPE, OVERFIT, TRAIN, Job, Message
from sweeps.workers.local import LocalWorkers

__all__ = ["LANDSCAPE", "OVERFIT", "TRAIN", "Job", "LocalWorkers", "Message"]
