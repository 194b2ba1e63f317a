"""Bronze: what was fetched, unchanged, in one envelope for every connector, and the log of fetches."""

from lake_config.tables.schema import BINARY, DATE, INT, STRING, TIME, Column, Table

FETCH_OUTCOMES = ("ok", "not_modified", "http_error", "unreachable", "refused", "unreadable", "postponed")
"""ok: a whole body with a status of success. http_error: another status. unreachable: no whole answer. refused: this side would not have
it. unreadable: an answer that is not what it says it is. postponed: not asked, for the host's sake."""

MOVED_HOST, MOVED_PERMANENTLY, GONE, ROBOTS_DISALLOW = FETCH_FINDINGS = ("moved_host", "moved_permanently", "gone", "robots_disallow")
"""What a person should know of a source whether or not the answer was good: it redirects to another host, it moved for good within its
host, it is gone for good (410), its robots.txt forbids it."""

ENVELOPE = (
    Column("source_id", STRING, "Registry id of the source it was fetched from."),
    Column("native_id", STRING, "The post's own id at its platform; where the source gives none, derived from its link or its bytes."),
    Column("url", STRING, "Public address of the post.", nullable=True),
    Column("fetched_at", TIME, "When the bytes were received, UTC."),
    Column("published_at", STRING, "Time of publication exactly as the source gave it, unparsed.", nullable=True),
    Column(
        "event_date",
        DATE,
        "Local civil day (Asia/Ho_Chi_Minh) of publication as first seen; the fetch day where none or an absurd one was given.",
    ),
    Column("event_date_origin", STRING, "Where event_date comes from: 'published', 'first_seen' (an earlier version's day) or 'fetched'."),
    Column("http_status", INT, "HTTP status of the response it came in; null for files.", nullable=True),
    Column("etag", STRING, "ETag of that response or object.", nullable=True),
    Column("last_modified", STRING, "Last-Modified of that response or object.", nullable=True),
    Column("batch_id", STRING, "The collecting batch; one batch is one Delta commit."),
    Column("row_number", INT, "Ordinal within the batch, from 0; (connector, batch_id, row_number) names one bronze row for ever."),
    Column("payload", BINARY, "The raw bytes of this post as received, unchanged."),
    Column("payload_sha256", STRING, "SHA-256 of payload, hexadecimal; two rows of a post with the same value are the same version of it."),
    Column(
        "payload_format",
        STRING,
        "How to read payload: feed_entry, feed_document, article_page, graph_post, graph_comment, youtube_video, youtube_comment, jsonl_line, csv_record, parquet_row, xlsx_row, file.",
    ),
    Column(
        "payload_context",
        STRING,
        "JSON with what is needed to read payload apart from its document (encoding, namespaces, header, column map).",
    ),
)

FETCH_LOG = Table(
    name="bronze.fetch_log",
    description="One row per attempt to fetch a source, successful or not: the evidence for source health and coverage. Partitioned by the local day of the attempt.",
    columns=(
        Column("event_date", DATE, "Local civil day of the attempt."),
        Column("connector", STRING, "Connector that made the attempt."),
        Column("source_id", STRING, "Registry id of the source."),
        Column("fetched_at", TIME, "When the attempt ended, UTC."),
        Column("outcome", STRING, f"One of {', '.join(FETCH_OUTCOMES)} (not asked, for its host's sake)."),
        Column("http_status", INT, "HTTP status, where there was a response.", nullable=True),
        Column("received_bytes", INT, "Size of the body."),
        Column("listed", INT, "Posts that the response or file lists."),
        Column("landed", INT, "Posts landed from it: those not yet landed in the same version."),
        Column("detail", STRING, "What went wrong, for people.", nullable=True),
        Column(
            "finding",
            STRING,
            f"What a person should know of the source, good answer or not: one of {', '.join(FETCH_FINDINGS)}.",
            nullable=True,
        ),
        Column("batch_id", STRING, "The collecting batch."),
    ),
    key=("batch_id", "source_id", "fetched_at"),
)


def envelope_table(connector: str, description: str) -> Table:
    """The bronze table of a connector."""
    return Table(name=f"bronze.{connector}", description=description, columns=ENVELOPE, key=("batch_id", "row_number"))


NEWS_FEEDS = envelope_table(
    "news_feeds", "Entries of RSS and Atom feeds as fetched, append-only: each version of an entry once per time it was new."
)
EXPORTS = envelope_table(
    "exports", "Rows of export files (JSONL, CSV, Parquet, XLSX; packed or not) dropped in the landing bucket, append-only."
)
NEWS_ARTICLES = envelope_table("news_articles", "Article pages that feeds list, as fetched, append-only: each version of a text once.")
PAGE_POSTS = envelope_table("page_posts", "Posts, comments and replies of public pages from the Graph API, append-only: each version once.")
VIDEO_COMMENTS = envelope_table("video_comments", "Videos, comments and replies from the YouTube Data API, append-only: each version once.")
PROVIDER_PUSH = envelope_table(
    "provider_push", "Lines that providers pushed, append-only; payload_context names the provider's batch and the digest of its body."
)
PUSH_LEDGER = Table(
    name="bronze.push_ledger",
    description="One row per batch that a provider pushed: an index of bronze.provider_push, behind it by up to an hour. Partitioned by the local day of receipt.",
    columns=(
        Column("event_date", DATE, "Local civil day of receipt."),
        Column("source_id", STRING, "Registry id of the source."),
        Column("provider_batch", STRING, "The provider's own id of the batch."),
        Column("body_sha256", STRING, "SHA-256 of the batch's unpacked body, hexadecimal."),
        Column("batch_id", STRING, "batch_id of its rows in bronze.provider_push."),
        Column("row_count", INT, "Lines in the batch."),
        Column("received_at", TIME, "When the batch was received, UTC."),
        Column("undated", STRING, "JSON array of the native ids without a usable time, which stand on the day of receipt."),
    ),
    key=("source_id", "batch_id"),
)
CONNECTOR_TABLES = {
    "news_feeds": NEWS_FEEDS,
    "news_articles": NEWS_ARTICLES,
    "exports": EXPORTS,
    "page_posts": PAGE_POSTS,
    "video_comments": VIDEO_COMMENTS,
    "provider_push": PROVIDER_PUSH,
}
"""Connector name -> its bronze table. A new connector adds a line here, a module in assets/bronze and a registry entry."""

BRONZE = (*CONNECTOR_TABLES.values(), FETCH_LOG, PUSH_LEDGER)
