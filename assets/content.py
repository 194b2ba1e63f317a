"""What a post says as one text, for its key and its labels. Pure.

Belongs here: what the connectors of bronze and the tables of silver must agree on. Not here: normalising and masking (ml).
"""


def content_of(kind: str, title: str | None, text: str) -> str:
    """What a post says as one text: an article's or post's title and body; of a comment only its own words (the title is its parent's)."""
    if kind == "comment" or not title:
        return text
    return title if title == text or not text else f"{title}\n{text}"
