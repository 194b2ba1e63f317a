"""Places named in texts, linked to the unit that the name meant on the day of the post.

Belongs here: the gazetteer's names (gazetteer.py), the words that tell (cues.py), what is no place (refusals.py), which unit is meant
(choice.py), and driving texts through (linker.py). Not here: the registry rows, tables, which agency answers for a place.
"""

from ml.places.gazetteer import Gazetteer, Level, Unit
from ml.places.linker import Context, Link, PlaceLinker

__all__ = ["Context", "Gazetteer", "Level", "Link", "PlaceLinker", "Unit"]
