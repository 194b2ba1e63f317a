"""Gold: the figures that dashboards read. Small tables, overwritten by event day; no author column, ever."""

from dataclasses import replace

from lake_config.tables.bronze import CONNECTOR_TABLES
from lake_config.tables.schema import BOOL, DATE, FLOAT, INT, STRING, TIME, Column, Table

SENTIMENTS = ("negative", "neutral", "positive")
_SENTIMENT_VI = {"negative": "tiêu cực", "neutral": "trung lập", "positive": "tích cực"}

_DAY = Column("event_date", DATE, "Local civil day (Asia/Ho_Chi_Minh) of the posts.", inputs=("silver.posts.event_date",), label_vi="Ngày")
_HOUR = Column("event_hour", INT, "Local hour, 0-23.", inputs=("silver.posts.event_hour",), label_vi="Giờ")
_KIND = Column(
    "source_kind",
    STRING,
    "Kind of source: newspaper, aggregator, social_page, video, provider, upload.",
    inputs=("silver.posts.source_kind",),
    label_vi="Mã loại nguồn",
)
_KIND_NAME = Column(
    "source_kind_name", STRING, "Vietnamese name of the kind of source.", inputs=("silver.posts.source_kind",), label_vi="Loại nguồn"
)
_PLACE = ("silver.place_mentions.place_id", "silver.place_mentions.post_key", "silver.posts.post_key")
_LABEL = ("silver.opinions.label", "silver.opinions.content_key", "silver.posts.content_key")


def _counts() -> tuple[Column, ...]:
    return (
        Column("mentions", INT, "Posts, latest version each; a repost by someone else is a mention more.", inputs=("silver.posts.post_key",), label_vi="Lượt đề cập"),
        Column("unique_texts", INT, "Distinct texts among the mentions of this row; not additive over rows.", inputs=("silver.posts.content_key",), label_vi="Văn bản khác nhau"),
        Column(
            "distinct_voices", INT, "Distinct authors among the mentions of this row, by keyed hash; posts without author count none. Not additive over rows.",
            inputs=("silver.posts.author_key",), label_vi="Tiếng nói khác nhau",
        ),
    )  # fmt: skip


_MESSAGES = Column(
    "distinct_messages",
    INT,
    "Clusters of near copies among the mentions of this row: a message and its edited copies count once. Not additive over rows.",
    inputs=("silver.clusters.cluster_key", "silver.clusters.post_key"),
    label_vi="Thông điệp khác nhau",
)


def _shares() -> tuple[Column, ...]:
    columns: list[Column] = []
    for name in SENTIMENTS:
        vi = _SENTIMENT_VI[name]
        columns += [
            Column(f"{name}_count", INT, f"Mentions whose text is labelled {name}.", inputs=_LABEL, label_vi=f"Số lượt {vi}"),
            Column(f"{name}_share", FLOAT, f"{name}_count / mentions, 0 to 1.", inputs=_LABEL, label_vi=f"Tỷ lệ {vi}"),
            Column(
                f"{name}_share_low",
                FLOAT,
                "Lower end of the 95 % Wilson interval of the share (sampling only, not yet the classifier's error).",
                inputs=_LABEL,
                label_vi=f"Tỷ lệ {vi}, cận dưới",
            ),
            Column(f"{name}_share_high", FLOAT, "Upper end of that interval.", inputs=_LABEL, label_vi=f"Tỷ lệ {vi}, cận trên"),
        ]
    return tuple(columns)


_LIVE = ("bronze.fetch_log.outcome", "silver.posts.source_id", "gold.source_hourly.mentions")
"""What tells whether a source was alive: its answers, its posts, and how many of them it usually brings."""

COVERAGE = Column(
    "coverage_share",
    FLOAT,
    "Share of the expected sources of this kind that were alive that day, weighted by their usual volume; null where none is expected.",
    nullable=True,
    inputs=_LIVE,
    label_vi="Độ phủ nguồn",
)


def _coverage() -> tuple[Column, ...]:
    return (
        Column("expected_sources", INT, "Sources of this kind that should have spoken that day: valid, on and marked expected.", inputs=_LIVE, label_vi="Nguồn kỳ vọng"),
        Column("live_sources", INT, "Those of them that were alive: they spoke or answered, and their volume is not that of a source that fell silent.", inputs=_LIVE, label_vi="Nguồn hoạt động"),
        Column("expected_weight", FLOAT, "Usual posts a day of the expected sources together; adds up over rows of different kinds or days.", inputs=_LIVE, label_vi="Lượng tin thường ngày của nguồn kỳ vọng"),
        Column("live_weight", FLOAT, "The part of expected_weight that belongs to live sources.", inputs=_LIVE, label_vi="Lượng tin thường ngày của nguồn hoạt động"),
        COVERAGE,
    )  # fmt: skip


_MODEL = Column("model_id", STRING, "Sentiment model whose labels were counted.", inputs=("silver.opinions.model_id",), label_vi="Mô hình")

SENTIMENT_DAILY = Table(
    name="gold.sentiment_daily",
    description="Sentiment by day and kind of source. Every kept post counts once, so mentions add up over rows.",
    description_vi="Sắc thái ý kiến theo ngày và loại nguồn. Mỗi bài đăng được giữ lại tính đúng một lần.",
    columns=(_DAY, _KIND, _KIND_NAME, *_counts(), _MESSAGES, *_shares(), *_coverage(), _MODEL),
    key=("event_date", "source_kind"),
    owner="team:policy-analytics",
)
SENTIMENT_HOURLY = Table(
    name="gold.sentiment_hourly",
    description="Sentiment by local hour and kind of source.",
    description_vi="Sắc thái ý kiến theo giờ và loại nguồn.",
    columns=(_DAY, _HOUR, _KIND, _KIND_NAME, *_counts(), _MESSAGES, *_shares(), COVERAGE, _MODEL),
    key=("event_date", "event_hour", "source_kind"),
    owner="team:policy-analytics",
)
TOPIC_DAILY = Table(
    name="gold.topic_daily",
    description="Sentiment by day, topic and kind of source. A post about two topics counts in both; 'none' holds those about no registered topic.",
    description_vi="Sắc thái ý kiến theo ngày, chủ đề và loại nguồn. Bài nói về hai chủ đề được tính ở cả hai; “none” là bài không thuộc chủ đề nào đã đăng ký.",
    columns=(
        _DAY,
        Column("topic_id", STRING, "Registry id of the topic, or 'none'.", inputs=_LABEL, label_vi="Mã chủ đề"),
        Column("topic_name", STRING, "Vietnamese name of the topic.", inputs=_LABEL, label_vi="Chủ đề"),
        _KIND, _KIND_NAME, *_counts(), _MESSAGES, *_shares(), COVERAGE, _MODEL,
    ),
    key=("event_date", "topic_id", "source_kind"),
    owner="team:policy-analytics",
)  # fmt: skip
PLACE_DAILY = Table(
    name="gold.place_daily",
    description="Sentiment by day, place and kind of source. A post naming two places counts in both; 'none' holds those that name none.",
    description_vi="Sắc thái ý kiến theo ngày, địa bàn và loại nguồn. Bài nhắc hai nơi được tính ở cả hai; “none” là bài không nhắc nơi nào.",
    columns=(
        _DAY,
        Column("place_id", STRING, "Registry id of the place, or 'none'.", inputs=_PLACE, label_vi="Mã địa bàn"),
        Column("place_name", STRING, "Vietnamese name of the place.", inputs=_PLACE, label_vi="Địa bàn"),
        _KIND, _KIND_NAME, *_counts(), _MESSAGES, *_shares(), COVERAGE, _MODEL,
    ),
    key=("event_date", "place_id", "source_kind"),
    owner="team:policy-analytics",
)  # fmt: skip

_CAUSE = ("silver.topic_mentions.topic_id", "silver.topic_mentions.phrase", "silver.topic_mentions.post_key")
CAUSE_DAILY = Table(
    name="gold.cause_daily",
    description="Why: the listed phrases that carry a topic, by day, with the attitude of the posts that say them. A post that says two phrases counts in both.",
    description_vi="Vì sao: các cụm từ trong danh mục khiến bài được xếp vào chủ đề, theo ngày, kèm thái độ của bài. Bài có hai cụm từ được tính ở cả hai.",
    columns=(
        _DAY,
        Column("topic_id", STRING, "Registry id of the topic.", inputs=_CAUSE, label_vi="Mã chủ đề"),
        Column("topic_name", STRING, "Vietnamese name of the topic.", inputs=_CAUSE, label_vi="Chủ đề"),
        Column("phrase", STRING, "Phrase of the registry; words in brackets for posts that say none of the topic's.", inputs=_CAUSE, label_vi="Cụm từ"),
        *_counts(),
        _MESSAGES,
        *(Column(f"{name}_count", INT, f"Mentions whose text is labelled {name}.", inputs=(*_LABEL, "silver.topic_mentions.attitude"), label_vi=f"Số lượt {_SENTIMENT_VI[name]}") for name in SENTIMENTS),
        _MODEL,
    ),
    key=("event_date", "topic_id", "phrase"),
    owner="team:policy-analytics",
)  # fmt: skip

_UNTOLD = ("silver.topic_mentions.topic_id", "silver.topic_mentions.post_key", "silver.posts.text", "silver.posts.title")
TOPIC_PROPOSALS = Table(
    name="gold.topic_proposals",
    description="Subjects that came up in the week that ends on the day among texts that no phrase of a topic tells, against the four weeks before. Proposals to people: none becomes a topic by itself. Only phrases of ten distinct texts and ten distinct voices or more.",
    description_vi="Chủ đề mới nổi trong tuần kết thúc vào ngày này, trong các bài không có cụm từ của chủ đề nào, so với bốn tuần trước. Chỉ là đề xuất: con người quyết định có thêm vào danh mục hay không. Chỉ gồm cụm từ có từ mười văn bản và mười tiếng nói khác nhau trở lên.",
    columns=(
        _DAY,
        Column("term", STRING, "The leading phrase.", inputs=_UNTOLD, label_vi="Cụm từ chính"),
        Column("other_terms", STRING, "Phrases that mostly the same texts say, parted by semicolons.", inputs=_UNTOLD, label_vi="Cụm từ đi cùng"),
        *_counts(),
        Column("texts_before", INT, "Distinct texts of the four weeks before that say one of the phrases.", inputs=_UNTOLD, label_vi="Văn bản bốn tuần trước"),
        Column("score", FLOAT, "How much more the leading phrase is said than before, in standard deviations (log-odds with informative prior).", inputs=_UNTOLD, label_vi="Điểm nổi bật"),
        Column("example_keys", STRING, "Keys of at most five texts, parted by spaces, for who may read them in silver.", inputs=("silver.posts.content_key",), label_vi="Mã văn bản ví dụ"),
        Column("status", STRING, "proposed.", label_vi="Trạng thái"),
    ),
    key=("event_date", "term"),
    owner="team:policy-analytics",
)  # fmt: skip


def _bronze(*names: str) -> tuple[str, ...]:
    return tuple(f"bronze.{connector}.{name}" for connector in CONNECTOR_TABLES for name in names)


_BRONZE_ROWS = _bronze("batch_id", "row_number")
_VERSIONS = (
    *_bronze("source_id", "native_id", "payload_sha256", "fetched_at", "batch_id", "row_number"),
    "silver.rejects.batch_id",
    "silver.rejects.row_number",
)
_NAMED = (*_bronze("source_id"), "bronze.fetch_log.source_id", "silver.posts.source_id", "silver.rejects.source_id")

SOURCE_DAILY = Table(
    name="gold.source_daily",
    description="Health of each source by day: what it yielded, whether it was expected, whether it was alive.",
    description_vi="Tình trạng từng nguồn theo ngày: số bài, có được kỳ vọng không, có hoạt động không.",
    columns=(
        _DAY,
        Column("source_id", STRING, "Registry id of the source.", inputs=_NAMED, label_vi="Mã nguồn"),
        Column("source_name", STRING, "Name of the source.", inputs=_NAMED, label_vi="Nguồn"),
        replace(_KIND, inputs=_NAMED),
        replace(_KIND_NAME, inputs=_NAMED),
        Column("landed", INT, "Bronze rows of that event day.", inputs=_BRONZE_ROWS, label_vi="Dòng thô nhận được"),
        Column("mentions", INT, "Posts kept.", inputs=("silver.posts.post_key",), label_vi="Lượt đề cập"),
        Column("rejected", INT, "Rows rejected.", inputs=("silver.rejects.row_number",), label_vi="Dòng bị loại"),
        Column("fetch_attempts", INT, "Attempts to fetch the source on that local day.", inputs=("bronze.fetch_log.outcome",), label_vi="Số lần lấy tin"),
        Column("fetch_failures", INT, "Attempts that failed.", inputs=("bronze.fetch_log.outcome",), label_vi="Số lần lỗi"),
        Column("last_fetched_at", TIME, "Latest receipt of a post of that day, UTC.", nullable=True, inputs=("silver.posts.fetched_at",), label_vi="Lần nhận gần nhất"),
        Column("is_expected", BOOL, "The source should have spoken that day.", label_vi="Được kỳ vọng"),
        Column("is_live", BOOL, "It yielded a post of that day or answered on it, and no finding says that it fell silent.", inputs=_LIVE, label_vi="Hoạt động"),
        Column("expected_mentions", FLOAT, "Posts it usually brings on such a day of the week, from its last 8 weeks; null while its history is too short.", nullable=True, inputs=_LIVE, label_vi="Số bài thường ngày"),
        Column("coverage_weight", FLOAT, "Its weight in coverage: expected_mentions, or the stated default without history; 0 where it is not expected.", inputs=_LIVE, label_vi="Trọng số độ phủ"),
    ),
    key=("event_date", "source_id"),
)  # fmt: skip
SOURCE_HOURLY = Table(
    name="gold.source_hourly",
    description="Posts of each source by local hour of publication; hours without any have no row. What a source usually brings is learned from it.",
    description_vi="Số bài của từng nguồn theo giờ đăng; là cơ sở để biết lượng tin thường ngày của nguồn.",
    columns=(
        _DAY,
        _HOUR,
        Column("source_id", STRING, "Registry id of the source.", inputs=("silver.posts.source_id",), label_vi="Mã nguồn"),
        Column("mentions", INT, "Posts kept.", inputs=("silver.posts.post_key",), label_vi="Lượt đề cập"),
    ),
    key=("event_date", "event_hour", "source_id"),
)
_FOUND = ("gold.source_hourly.mentions", "bronze.fetch_log.outcome", "bronze.fetch_log.finding")
SOURCE_FINDINGS = Table(
    name="gold.source_findings",
    description="What a person should know of an expected source on a day: it fell silent, collapsed, does not answer, moved. See docs/source-health.md.",
    description_vi="Những điều cần biết về từng nguồn trong ngày: im lặng, giảm mạnh, không trả lời, chuyển địa chỉ.",
    columns=(
        _DAY,
        Column("source_id", STRING, "Registry id of the source.", inputs=_NAMED, label_vi="Mã nguồn"),
        Column("source_name", STRING, "Name of the source.", inputs=_NAMED, label_vi="Nguồn"),
        replace(_KIND, inputs=_NAMED),
        replace(_KIND_NAME, inputs=_NAMED),
        Column("finding", STRING, "Code: silence, collapse, stalled, mute, unreachable, not_asked, or one of bronze.fetch_log.", inputs=_FOUND, label_vi="Mã phát hiện"),
        Column("finding_name", STRING, "Vietnamese name of the finding.", inputs=_FOUND, label_vi="Phát hiện"),
        Column("severity", STRING, "error: posts are missing or will be; warn: look at it.", inputs=_FOUND, label_vi="Mức độ"),
        Column("since", DATE, "First day of what was found.", inputs=_FOUND, label_vi="Từ ngày"),
        Column("window_days", INT, "Days over which posts were counted; null where none were.", nullable=True, inputs=_FOUND, label_vi="Số ngày xét"),
        Column("expected", FLOAT, "Posts expected in these days.", nullable=True, inputs=_FOUND, label_vi="Số bài kỳ vọng"),
        Column("seen", INT, "Posts seen in these days.", nullable=True, inputs=_FOUND, label_vi="Số bài thực tế"),
        Column("probability", FLOAT, "How likely so few are from a source that is well.", nullable=True, inputs=_FOUND, label_vi="Xác suất"),
        Column("threshold", FLOAT, "Below this probability it is a finding.", nullable=True, inputs=_FOUND, label_vi="Ngưỡng"),
        Column("detail", STRING, "In words, for people.", inputs=_FOUND, label_vi="Chi tiết"),
    ),
    key=("event_date", "source_id", "finding"),
)  # fmt: skip
ACCOUNTING = Table(
    name="gold.accounting",
    description="The account of every landed row: landed = kept + superseded + duplicate + rejected + withdrawn, per event day and connector.",
    description_vi="Sổ đối chiếu: số dòng nhận = giữ lại + bị thay bằng bản mới + trùng + bị loại + đã gỡ.",
    columns=(
        _DAY,
        Column("connector", STRING, "Connector that landed the rows.", inputs=_BRONZE_ROWS, label_vi="Bộ thu thập"),
        Column("landed", INT, "Rows in bronze.", inputs=_BRONZE_ROWS, label_vi="Đã nhận"),
        Column("kept", INT, "Posts in silver, latest version each.", inputs=("silver.posts.post_key",), label_vi="Giữ lại"),
        Column("superseded", INT, "Older versions of a kept post.", inputs=_VERSIONS, label_vi="Bản cũ"),
        Column("duplicate", INT, "The same version of the same post fetched again.", inputs=_VERSIONS, label_vi="Trùng"),
        Column("rejected", INT, "Rows in silver.rejects.", inputs=("silver.rejects.row_number",), label_vi="Bị loại"),
        Column(
            "withdrawn",
            INT,
            "Rows of posts that their provider deleted: notices and versions.",
            inputs=(*_VERSIONS, "silver.tombstones.post_key"),
            label_vi="Đã gỡ",
        ),
    ),
    key=("event_date", "connector"),
)
QUALITY_RESULTS = Table(
    name="gold.quality_results",
    description="Every expectation run: on which table and day, what was observed, whether it held. Appended; counts only, never sample values.",
    description_vi="Kết quả từng phép kiểm tra chất lượng dữ liệu.",
    columns=(
        Column("event_date", DATE, "Event day whose rows were checked.", label_vi="Ngày"),
        Column("table_name", STRING, "Table that was checked.", label_vi="Bảng"),
        Column("expectation", STRING, "Type of the expectation or check.", label_vi="Phép kiểm tra"),
        Column("column_name", STRING, "Column concerned.", nullable=True, label_vi="Cột"),
        Column("is_success", BOOL, "It held.", label_vi="Đạt"),
        Column("is_blocking", BOOL, "A failure stops publication.", label_vi="Chặn công bố"),
        Column("checked_rows", INT, "Rows looked at.", label_vi="Số dòng kiểm tra"),
        Column("unexpected_rows", INT, "Rows that break it.", label_vi="Số dòng sai"),
        Column("run_id", STRING, "Dagster run that checked.", label_vi="Lượt chạy"),
        Column("checked_at", TIME, "When, UTC.", label_vi="Thời điểm"),
    ),
    key=("run_id", "table_name", "event_date", "expectation", "column_name"),
)

_CLUSTER = ("silver.clusters.cluster_key", "silver.clusters.post_key")
_TIMES = (*_CLUSTER, "silver.posts.published_at")
_VOICES = (*_CLUSTER, "silver.posts.author_key")

COPIES_DAILY = Table(
    name="gold.copies_daily",
    description="Messages that were posted three times or more in a day, near copies included: how often, by how many voices, how fast, and two signs that deserve a look. See docs/copies-and-spam.md.",
    description_vi="Nội dung được đăng lại nhiều trong ngày, kể cả bản sửa vài chữ: bao nhiêu lượt, bao nhiêu tiếng nói, nhanh chậm ra sao.",
    columns=(
        _DAY,
        Column("cluster_key", STRING, "Name of the cluster, the same on the days it goes on.", inputs=_CLUSTER, label_vi="Mã đầy đủ của nội dung"),
        Column("cluster_code", STRING, "Its first eight characters, to speak of it.", inputs=_CLUSTER, label_vi="Mã nội dung"),
        Column("topic_id", STRING, "Registry id of the topic that most of its mentions are about, or 'none'.", inputs=_LABEL, label_vi="Mã chủ đề"),
        Column("topic_name", STRING, "Vietnamese name of that topic.", inputs=_LABEL, label_vi="Chủ đề"),
        Column("mentions", INT, "Posts of the cluster, latest version each.", inputs=_CLUSTER, label_vi="Lượt đăng"),
        Column("unique_texts", INT, "Distinct texts among them.", inputs=(*_CLUSTER, "silver.posts.content_key"), label_vi="Bản khác nhau"),
        Column("distinct_voices", INT, "Distinct authors among them, by keyed hash; posts without author count none.", inputs=_VOICES, label_vi="Tiếng nói khác nhau"),
        Column("distinct_sources", INT, "Sources that carried it.", inputs=(*_CLUSTER, "silver.posts.source_id"), label_vi="Số nguồn"),
        Column("article_count", INT, "News articles among them: then the others repeat the news.", inputs=(*_CLUSTER, "silver.posts.kind"), label_vi="Số bài báo"),
        Column("largest_voice_share", FLOAT, "Share of the most frequent author in the mentions with an author; a number, never who. Null without authors.", nullable=True, inputs=_VOICES, label_vi="Phần của tiếng nói nhiều nhất"),
        Column("mean_similarity", FLOAT, "Mean similarity to the day's first text, 0 to 1.", inputs=("silver.clusters.similarity",), label_vi="Độ giống trung bình"),
        Column("negative_share", FLOAT, "Share of mentions whose text is labelled negative.", inputs=(*_CLUSTER, *_LABEL), label_vi="Tỷ lệ tiêu cực"),
        Column("first_seen_at", TIME, "Earliest known publication of the day, UTC.", nullable=True, inputs=_TIMES, label_vi="Lần đầu trong ngày"),
        Column("span_minutes", FLOAT, "Minutes from the first to the last known publication; null for fewer than two.", nullable=True, inputs=_TIMES, label_vi="Kéo dài (phút)"),
        Column("burst_minutes", FLOAT, "Fewest minutes within which four fifths of the known publications lie; null for fewer than two.", nullable=True, inputs=_TIMES, label_vi="Dồn dập trong (phút)"),
        Column("posts_per_minute", FLOAT, "Known publications per minute of their span, taken as a minute at least; null for fewer than two.", nullable=True, inputs=_TIMES, label_vi="Lượt mỗi phút"),
        Column("interval_variation", FLOAT, "Standard deviation of the intervals between publications over their mean; about 1 by chance, 0 for a clock.", nullable=True, inputs=_TIMES, label_vi="Độ thất thường của khoảng cách"),
        Column("is_coordinated", BOOL, "Many voices, nearly the same text, within an hour, and no news article; thresholds in assets/gold/copies.py.", inputs=(*_VOICES, "silver.posts.published_at", "silver.clusters.similarity", "silver.posts.kind"), label_vi="Dấu hiệu phối hợp"),
        Column("is_bot_like", BOOL, "Few voices, many posts, regular intervals; thresholds in assets/gold/copies.py.", inputs=(*_VOICES, "silver.posts.published_at"), label_vi="Dấu hiệu đăng tự động"),
    ),
    key=("event_date", "cluster_key"),
    owner="team:policy-analytics",
)  # fmt: skip

GOLD = (
    SENTIMENT_DAILY,
    SENTIMENT_HOURLY,
    TOPIC_DAILY,
    PLACE_DAILY,
    CAUSE_DAILY,
    TOPIC_PROPOSALS,
    SOURCE_DAILY,
    SOURCE_HOURLY,
    SOURCE_FINDINGS,
    COPIES_DAILY,
    ACCOUNTING,
    QUALITY_RESULTS,
)
