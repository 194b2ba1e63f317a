"""The registries: who is listened to (sources), about what (topics), for whom (agencies) and where (places).

Belongs here: the shape of a registry row, the YAML files of this package's data/ folder, their loader with its checks, look-ups by id
and by date. Not here: finding topics or places in a text (ml/), fetching a source (assets/), settings such as which sources are on.
"""

from lake_config.registry.loader import load_registry
from lake_config.registry.lookup import Registry
from lake_config.registry.models import Agency, Place, Row, Source, Topic

__all__ = ["Agency", "Place", "Registry", "Row", "Source", "Topic", "load_registry"]
