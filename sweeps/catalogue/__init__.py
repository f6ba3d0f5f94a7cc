"""What there is to choose from: models, data sets, optimizers and schedules, with their fields."""

from sweeps.catalogue.current import load
from sweeps.catalogue.entries import Catalogue, Entry

__all__ = ["Catalogue", "Entry", "load"]
