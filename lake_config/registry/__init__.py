"""The registries: who is listened to (sources), about what (topics), for whom (agencies) and where (places).

Belongs here: the shape of a registry row, the YAML files of this package's data/ folder, the loader of these and of the operator's own
files (YAML and CSV) with its checks, look-ups by id and by date. Not here: finding topics or places in a text (ml/), fetching a source
(assets/), settings such as which groups of sources are on.
"""

from lake_config.registry.loader import load_registry
from lake_config.registry.lookup import Registry
from lake_config.registry.models import Agency, Place, Row, Source, Switch, Topic, Verification

__all__ = ["Agency", "Place", "Registry", "Row", "Source", "Switch", "Topic", "Verification", "load_registry"]
