"""Superset in Vietnamese: it ships none, so the words a reader meets stand in translations_vi.json, by Superset's own English message.

Belongs here: handing those words to the browser and to the pages and messages that the server writes. What is not in the file stays
English.
"""

import json
import os
from pathlib import Path
from typing import Any

WORDS = Path(__file__).with_name("translations_vi.json")
LOCALE = "vi"
_PLURAL_FORMS = "nplurals=1; plural=0;"


def read_words() -> dict[str, str]:
    """English message -> Vietnamese."""
    words: dict[str, str] = json.loads(WORDS.read_text(encoding="utf-8"))
    return words


def browser_pack(words: dict[str, str]) -> dict[str, Any]:
    """The words as Superset's pages load them (Jed 1.x)."""
    header = {"domain": "superset", "lang": LOCALE, "plural_forms": _PLURAL_FORMS}
    entries = {english: [vietnamese] for english, vietnamese in words.items()}
    return {"domain": "superset", "locale_data": {"superset": {"": header, **entries}}}


def write_catalogue(words: dict[str, str], folder: Path) -> None:
    """Compile the words to <folder>/vi/LC_MESSAGES/messages.mo, where Flask-Babel looks for what the server itself says. Needs Babel."""
    from babel.messages import Catalog
    from babel.messages.mofile import write_mo

    catalogue = Catalog(locale=LOCALE)
    for english, vietnamese in words.items():
        catalogue.add(english, vietnamese)
    target = folder / LOCALE / "LC_MESSAGES" / "messages.mo"
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_suffix(f".{os.getpid()}")
    with fresh.open("wb") as handle:
        write_mo(handle, catalogue)
    fresh.replace(target)
