"""The demo city: an invented city's press and social streams, made from a seed, with the truth known.

Belongs here: the sentence patterns and their labels (patterns/), the generator, the truth, and the HTTP server that plays the outside
world. Not here: anything that collects or reads it. The package imports nothing of the project but lake_config.errors, so that what
is measured against it cannot leak into it.
"""

from orchestration.demo_city.city import City, ExportFile, Reject, TruthRow, Version
from orchestration.demo_city.generator import DEFAULT_SEED, generate

__all__ = ["DEFAULT_SEED", "City", "ExportFile", "Reject", "TruthRow", "Version", "generate"]
