"""The quarantine rules: why a bronze row cannot become a post. The codes are stable; dashboards and audits count them."""

from enum import StrEnum


class Reason(StrEnum):
    """Reason codes of silver.rejects, each with what it means."""

    MALFORMED_ROW = "malformed_row"
    """The row is not the JSON or CSV it should be, or was cut off."""
    NOT_AN_OBJECT = "not_an_object"
    """The JSON line is valid, but no object."""
    MISSING_TEXT = "missing_text"
    """No column gives a text; nothing of a page is the text of an article."""
    EMPTY_TEXT = "empty_text"
    """There is a text, but nothing is left of it once markup and invisible characters are gone."""
    WRONG_TYPE = "wrong_type"
    """A field has a type that its meaning excludes, such as a text that is a number."""
    UNDECODABLE = "undecodable"
    """The bytes are neither in the declared encoding nor in one that gives plausible Vietnamese."""
    MALFORMED_ENTRY = "malformed_entry"
    """A feed entry that no feed reader can make sense of."""
    MALFORMED_DOCUMENT = "malformed_document"
    """A feed's body that is no feed, or an article's that is no page or was cut off."""
    UNREADABLE_FILE = "unreadable_file"
    """An export file that cannot be cut into rows."""
    UNKNOWN_SOURCE = "unknown_source"
    """The registry no longer knows the source."""
