"""Silver: posts cleaned and masked, rejects with their reason, opinions (labels as facts)."""

from lake_config.tables.bronze import CONNECTOR_TABLES
from lake_config.tables.schema import BINARY, BOOL, DATE, FLOAT, INT, STRING, TIME, Column, Table


def _from(*names: str) -> tuple[str, ...]:
    return tuple(f"bronze.{connector}.{name}" for connector in CONNECTOR_TABLES for name in names)


_PAYLOAD = _from("payload", "payload_format", "payload_context")
"""What is read from the raw bytes is read with their format and context."""

_ROW = (
    Column("event_date", DATE, "Local civil day (Asia/Ho_Chi_Minh) of the post.", inputs=_from("event_date")),
    Column("connector", STRING, "Connector, and so bronze table, that the row came from."),
    Column("source_id", STRING, "Registry id of the source.", inputs=_from("source_id")),
    Column("batch_id", STRING, "Collecting batch of the bronze row.", inputs=_from("batch_id")),
    Column("row_number", INT, "Ordinal of the bronze row in its batch.", inputs=_from("row_number")),
    Column("payload_sha256", STRING, "SHA-256 of the raw bytes; names the version of the post.", inputs=_from("payload_sha256")),
    Column("fetched_at", TIME, "When the raw bytes were received, UTC.", inputs=_from("fetched_at")),
)

POSTS = Table(
    name="silver.posts",
    description="One row per fetched version of a post, masked and normalised; the latest version per post_key is the post. Appended per micro-batch, compacted nightly.",
    columns=(
        *_ROW,
        Column(
            "post_key",
            STRING,
            "SHA-256 of platform and native id: the post's identity in the lake.",
            inputs=_from("native_id", "source_id"),
        ),
        Column("content_key", STRING, "SHA-256 of the normalised, masked content (title and text).", inputs=_PAYLOAD),
        Column(
            "skeleton_key",
            STRING,
            "SHA-256 of the content's skeleton: its words without case, diacritics, punctuation, links and the values of numbers.",
            inputs=_PAYLOAD,
        ),
        Column("platform", STRING, "Platform whose native ids these are.", inputs=_from("source_id")),
        Column("source_kind", STRING, "newspaper, aggregator, social_page, video, provider or upload.", inputs=_from("source_id")),
        Column("kind", STRING, "article, post or comment.", inputs=_PAYLOAD),
        Column("parent_key", STRING, "post_key of what it answers or belongs to.", nullable=True, inputs=(*_PAYLOAD, *_from("source_id"))),
        Column(
            "url",
            STRING,
            "Public address without fragment, tracking and personal parameters; null where its path names a person, as by an account name.",
            nullable=True,
            inputs=(*_from("url"), *_PAYLOAD),
        ),
        Column("title", STRING, "Headline, normalised and masked.", nullable=True, inputs=_PAYLOAD),
        Column("text", STRING, "Body, normalised (NFC, no HTML) and masked.", inputs=_PAYLOAD),
        Column("language", STRING, "ISO 639-1 code as detected, 'und' where undecided.", inputs=_PAYLOAD),
        Column(
            "published_at",
            TIME,
            "Time of publication, UTC; null where none or an absurd one was given.",
            nullable=True,
            inputs=_from("published_at", "fetched_at"),
        ),
        Column(
            "is_date_assumed",
            BOOL,
            "event_date is not the day of the published time given.",
            inputs=_from("published_at", "fetched_at", "event_date"),
        ),
        Column(
            "event_hour",
            INT,
            "Local hour of publication, 0-23; of the fetch where event_date is the fetch day.",
            inputs=_from("published_at", "fetched_at"),
        ),
        Column(
            "author_key",
            STRING,
            "Keyed hash of platform and author; counts voices, expires; never in gold.",
            nullable=True,
            inputs=(*_PAYLOAD, *_from("source_id", "event_date")),
        ),
        Column("likes", INT, "Likes or reactions when fetched.", nullable=True, inputs=_PAYLOAD),
        Column("shares", INT, "Shares when fetched.", nullable=True, inputs=_PAYLOAD),
        Column("comment_count", INT, "Comments when fetched.", nullable=True, inputs=_PAYLOAD),
        Column("spam_score", FLOAT, "0 to 1; a stated heuristic, see ml/spam.py.", inputs=_PAYLOAD),
    ),
    key=("connector", "batch_id", "row_number"),
    owner="team:data-engineering",
)

REJECTS = Table(
    name="silver.rejects",
    description="Bronze rows that could not become a post: the reason and the reference to the raw bytes.",
    columns=(
        *_ROW,
        Column("native_id", STRING, "As in bronze, masked.", inputs=_from("native_id")),
        Column("reason", STRING, "Code of the quarantine rule, see quality/rejects.py.", inputs=(*_PAYLOAD, *_from("source_id"))),
        Column("detail", STRING, "What exactly was wrong, for people; never the text itself.", inputs=(*_PAYLOAD, *_from("source_id"))),
        Column("payload_bytes", INT, "Size of the raw payload, which bronze keeps.", inputs=_from("payload")),
    ),
    key=("connector", "batch_id", "row_number"),
)

_CONTENT = ("silver.posts.kind", "silver.posts.title", "silver.posts.text")
_CONTEXT = (*_CONTENT, "silver.posts.parent_key", "silver.posts.source_id", "silver.posts.event_date")
_READ = (*_CONTENT, "silver.posts.parent_key")

OPINIONS = Table(
    name="silver.opinions",
    description="Labels as facts about texts: one row per distinct text (in what it answers, where the model reads that), task, label and model. A new model adds rows and never rewrites.",
    columns=(
        Column("content_key", STRING, "The text.", inputs=("silver.posts.content_key",)),
        Column(
            "context_key",
            STRING,
            "SHA-256 of the title or post that the text answers; empty where it answers none or the labels do not depend on it.",
            inputs=_READ,
        ),
        Column("task", STRING, "sentiment, topic, constructive, toxic or spam."),
        Column(
            "label",
            STRING,
            "negative, neutral, positive; a topic id, 'none' where no topic was found; yes or no for the other tasks.",
            inputs=_READ,
        ),
        Column("probability", FLOAT, "Of the topic, or of yes; null for sentiment, 'none' and rules.", nullable=True, inputs=_READ),
        Column("negative_probability", FLOAT, "Sentiment only.", nullable=True, inputs=_READ),
        Column("neutral_probability", FLOAT, "Sentiment only.", nullable=True, inputs=_READ),
        Column("positive_probability", FLOAT, "Sentiment only.", nullable=True, inputs=_READ),
        Column("model_id", STRING, "Name of the model or rule set."),
        Column("weights_digest", STRING, "SHA-256 of what decides its labels: weights and thresholds, or registry terms."),
    ),
    partition_by=("task",),
    key=("content_key", "context_key", "task", "label", "weights_digest"),
)

TOMBSTONES = Table(
    name="silver.tombstones",
    description="Deletion notices of providers: a post named here is not counted, labelled or shown, whenever and however it came. One row per notice, append-only.",
    columns=(
        *_ROW,
        Column("post_key", STRING, "The post that is deleted.", inputs=_from("native_id", "source_id")),
        Column("platform", STRING, "Platform of its native id.", inputs=_from("source_id")),
    ),
    key=("connector", "batch_id", "row_number"),
)

_OF_DAY = (
    Column("event_date", DATE, "Local civil day (Asia/Ho_Chi_Minh) of the post.", inputs=("silver.posts.event_date",)),
    Column("post_key", STRING, "The post.", inputs=("silver.posts.post_key",)),
    Column("content_key", STRING, "Its text.", inputs=("silver.posts.content_key",)),
)

PLACE_MENTIONS = Table(
    name="silver.place_mentions",
    description="Every phrase of a post that names a place or looks like one, what it was linked to as of the day, and why; one row without phrase where there is none. Overwritten by event day.",
    columns=(
        *_OF_DAY,
        Column("mention_number", INT, "Ordinal in the text from 1; 0 where the post has no mention.", inputs=_CONTENT),
        Column("surface", STRING, "The phrase as written.", nullable=True, inputs=_CONTENT),
        Column("start_char", INT, "Where it begins in the content, in characters.", nullable=True, inputs=_CONTENT),
        Column("end_char", INT, "Where it ends, that character excluded.", nullable=True, inputs=_CONTENT),
        Column(
            "place_id",
            STRING,
            "Registry id of the place; null where the phrase was refused or stayed open.",
            nullable=True,
            inputs=_CONTEXT,
        ),
        Column("how", STRING, "Reason code of the link or refusal, see docs/places.md.", inputs=_CONTEXT),
        Column("standing", STRING, "current, former or future: the place as seen from the day.", nullable=True, inputs=_CONTEXT),
        Column("context_key", STRING, "SHA-256 of all the links follow from: text, title above, source's area, rules.", inputs=_CONTEXT),
        Column("model_id", STRING, "Name of the rules."),
        Column("weights_digest", STRING, "SHA-256 of the rules' name and the gazetteer."),
    ),
    key=("event_date", "post_key", "mention_number"),
)

_ROUTED = ("silver.opinions.label", *(f"silver.place_mentions.{name}" for name in ("place_id", "event_date")), "silver.posts.source_id")

POST_AGENCIES = Table(
    name="silver.post_agencies",
    description="The agencies that answer for a post on its day, each with the rule, the topic and the place that say so; one row with agency 'none' where nobody does. Overwritten by event day.",
    columns=(
        *_OF_DAY,
        Column("agency_id", STRING, "Registry id of the agency, or 'none'.", inputs=_ROUTED),
        Column("rule", STRING, "Why it, or why none, see docs/places.md.", inputs=_ROUTED),
        Column("topic_id", STRING, "The topic it answers for, or 'none'.", inputs=("silver.opinions.label",)),
        Column("place_id", STRING, "The place it answers for, as the text named it; 'hcm' for the city, or 'none'.", inputs=_ROUTED),
    ),
    key=("event_date", "post_key", "agency_id", "topic_id", "place_id"),
)

TOPIC_MENTIONS = Table(
    name="silver.topic_mentions",
    description="The cause: which listed phrases of a post carry each of its topics, and the post's attitude. One row without phrase for a topic that no listed phrase tells, and for a post without a topic. Overwritten by event day.",
    columns=(
        *_OF_DAY,
        Column("mention_number", INT, "Ordinal among the rows of the post, from 1.", inputs=_CONTENT),
        Column("topic_id", STRING, "A topic of the post, or 'none'.", inputs=("silver.opinions.label",)),
        Column("phrase", STRING, "The phrase as the registry lists it.", nullable=True, inputs=_CONTENT),
        Column("start_char", INT, "Where it begins in the content, in characters.", nullable=True, inputs=_CONTENT),
        Column("end_char", INT, "Where it ends, that character excluded.", nullable=True, inputs=_CONTENT),
        Column("attitude", STRING, "Sentiment of the text; null until it is labelled.", nullable=True, inputs=("silver.opinions.label",)),
    ),
    key=("event_date", "post_key", "mention_number"),
)

_COPIED = (*_CONTENT, "silver.posts.skeleton_key")

CLUSTERS = Table(
    name="silver.clusters",
    description="Which posts say the same in nearly the same words: each post of a day with the cluster of near copies it belongs to, mostly its own. Overwritten by event day.",
    columns=(
        *_OF_DAY,
        Column("cluster_key", STRING, "Name of its cluster: a text's skeleton_key, kept as the cluster grows and on the days it goes on.", inputs=_COPIED),
        Column("similarity", FLOAT, "To the cluster's first text of the day, 0 to 1 (estimated share of common pieces); 1 where the skeletons are equal.", inputs=_COPIED),
        Column(
            "first_post_key",
            STRING,
            "The cluster's earliest post of the day.",
            inputs=("silver.posts.post_key", "silver.posts.published_at"),
        ),
        Column(
            "sketch",
            BINARY,
            "Sketch of the text (ml/near_copies.py), with its first post of the day; null with the others and for texts too short to compare.",
            nullable=True,
            inputs=_COPIED,
        ),
        Column("model_id", STRING, "How sketches are made; those of another id are never compared."),
    ),
    key=("event_date", "post_key"),
)  # fmt: skip

SILVER = (POSTS, REJECTS, OPINIONS, TOMBSTONES, PLACE_MENTIONS, POST_AGENCIES, TOPIC_MENTIONS, CLUSTERS)
