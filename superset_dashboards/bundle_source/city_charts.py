"""The charts of 'Toàn cảnh thành phố': what each shows and what its number means, in the words of policy staff.

Belongs here: titles, meanings, metrics. Not here: where a chart stands on the page (city_dashboard.py), Superset's parameters
(chart_kinds.py).
"""

from collections.abc import Mapping

from superset_dashboards.bundle_source.chart_kinds import (
    TIME_FORMAT,
    Chart,
    bars,
    big_number,
    daily_bars_by,
    lines,
    table,
    where,
    where_sql,
)

_COUNTS = ("positive_count", "neutral_count", "negative_count")
_NEGATIVE = ("mentions", "negative_share", "negative_share_low", "negative_share_high")
_SHARES = ("mentions", "positive_share", "neutral_share", "negative_share", "negative_share_low", "negative_share_high")
_A_TOPIC = where("topic_id", "!=", "none")
_A_PART_OF_THE_CITY = where_sql("place_id LIKE 'hcm-d-%' OR place_id LIKE 'hcm-w2025-%'")
_INTERVAL = "Khoảng tin cậy 95 % (Wilson) chỉ tính sai số lấy mẫu, chưa tính sai số của mô hình phân loại."
_BY_LOWER_BOUND = "Xếp theo cận dưới của khoảng tin cậy, để nhóm chỉ có vài lượt không đứng đầu do ngẫu nhiên."

_OVERVIEW = (
    Chart(
        "mentions",
        "Lượt đề cập",
        "Mentions",
        "Số bài đăng và bình luận công khai trong kỳ, mỗi bài tính bản mới nhất; người khác đăng lại là thêm một lượt.",
        "sentiment_daily",
        "big_number_total",
        big_number("mentions", "bài đăng và bình luận"),
    ),
    Chart(
        "unique-texts",
        "Văn bản khác nhau",
        "Unique texts, sum of daily values",
        "Số nội dung khác nhau, cộng theo ngày và loại nguồn: nội dung có ở hai ngày được tính hai lần. Ít hơn hẳn số lượt nghĩa là được "
        "đăng lại nhiều.",
        "sentiment_daily",
        "big_number_total",
        big_number("unique_texts", "cộng theo ngày và loại nguồn"),
    ),
    Chart(
        "distinct-voices",
        "Tiếng nói khác nhau",
        "Distinct voices, sum of daily values",
        "Số tác giả khác nhau, đếm bằng mã băm, không lưu tên ai; cộng theo ngày và loại nguồn: người viết ở hai ngày được tính hai lần.",
        "sentiment_daily",
        "big_number_total",
        big_number("distinct_voices", "cộng theo ngày và loại nguồn"),
    ),
    Chart(
        "newest-data",
        "Dữ liệu mới nhất",
        "Latest receipt",
        "Thời điểm nhận bài gần nhất của kỳ được chọn, giờ Việt Nam.",
        "source_daily",
        "big_number_total",
        big_number("last_fetched_at", "giờ Việt Nam", number_format=TIME_FORMAT),
    ),
    Chart(
        "sentiment-shares",
        "Tỷ lệ sắc thái, kèm n và khoảng tin cậy 95 %",
        "Sentiment shares with n and 95 % interval",
        f"Mỗi tỷ lệ là số lượt có sắc thái đó chia cho n, cộng trên mọi ngày và loại nguồn được chọn. {_INTERVAL}",
        "sentiment_by_label",
        "table",
        table(
            ["label_name"],
            ["label_share", "label_share_low", "label_share_high", "label_count", "mentions"],
            "label_share",
            bars=["label_share"],
        ),
    ),
    Chart(
        "sentiment-over-time",
        "Sắc thái theo ngày",
        "Sentiment by day",
        "Số lượt đề cập mỗi ngày, chia theo sắc thái. Chiều cao cả cột là n của ngày đó; ngày không có bài thì không có cột. "
        "Ngày tính theo giờ Việt Nam.",
        "sentiment_daily",
        "echarts_timeseries_bar",
        bars("event_date", _COUNTS),
    ),
    Chart(
        "by-source-kind",
        "Sắc thái theo loại nguồn",
        "Sentiment by kind of source",
        "Số lượt đề cập của từng loại nguồn, chia theo sắc thái; con số cuối thanh là n.",
        "sentiment_daily",
        "echarts_timeseries_bar",
        bars("source_kind_name", _COUNTS, sort_by="mentions"),
    ),
    Chart(
        "negative-share-over-time",
        "Tỷ lệ tiêu cực theo ngày, với khoảng tin cậy 95 %",
        "Negative share by day with 95 % interval",
        "Đường giữa là tỷ lệ tiêu cực, hai đường kia là cận dưới và cận trên. Hai ngày có khoảng chồng lên nhau thì chưa thể nói là khác "
        f"nhau. {_INTERVAL}",
        "sentiment_daily",
        "echarts_timeseries_line",
        lines(["negative_share", "negative_share_low", "negative_share_high"], number_format=".0%"),
    ),
)

_TOPICS = (
    Chart(
        "by-topic",
        "Sắc thái theo chủ đề",
        "Sentiment by topic",
        "Số lượt đề cập của từng chủ đề, chia theo sắc thái; con số cuối thanh là n. Bài nói về hai chủ đề được tính ở cả hai; bài không "
        "thuộc chủ đề nào không có ở đây.",
        "topic_daily",
        "echarts_timeseries_bar",
        bars("topic_name", _COUNTS, [_A_TOPIC], sort_by="mentions"),
    ),
    Chart(
        "top-negative-topics",
        "Chủ đề tiêu cực nhất",
        "Most negative topics",
        f"Tỷ lệ tiêu cực của từng chủ đề, kèm n và khoảng tin cậy. {_BY_LOWER_BOUND} {_INTERVAL}",
        "topic_daily",
        "table",
        table(["topic_name"], _NEGATIVE, "negative_share_low", [_A_TOPIC], page=12, bars=["negative_share"]),
    ),
    Chart(
        "topics-over-time",
        "Các chủ đề được nói đến nhiều nhất theo ngày",
        "Most mentioned topics by day",
        "Số lượt đề cập mỗi ngày của sáu chủ đề nhiều lượt nhất trong kỳ được chọn.",
        "topic_daily",
        "echarts_timeseries_bar",
        daily_bars_by("topic_name", "mentions", 6, [_A_TOPIC]),
    ),
    Chart(
        "causes",
        "Vì sao: các cụm từ được nói đến trong mỗi chủ đề",
        "Why: the phrases that carry each topic",
        "Cụm từ trong danh mục chủ đề có mặt trong bài, kèm thái độ của cả bài, xếp theo số lượt tiêu cực. Bài có hai cụm từ được tính ở "
        "cả hai; dòng trong ngoặc là bài thuộc chủ đề mà không có cụm từ nào trong danh mục.",
        "cause_daily",
        "table",
        table(["topic_name", "phrase"], ["mentions", *_COUNTS], "negative_count", page=15),
    ),
    Chart(
        "topic-proposals",
        "Đề xuất chủ đề mới",
        "Proposed topics",
        "Cụm từ nổi lên trong bảy ngày so với bốn tuần trước, trong các bài không có cụm từ của chủ đề nào; chỉ gồm cụm từ có từ "
        "mười văn bản và mười tiếng nói khác nhau. Đây là đề xuất: không có chủ đề nào được tự động thêm vào danh mục.",
        "topic_proposals",
        "table",
        table(["term", "other_terms"], ["unique_texts", "distinct_voices", "texts_before", "score"], "score", page=10),
    ),
    Chart(
        "copies",
        "Nội dung được đăng lại nhiều",
        "Messages posted again and again, edited copies included",
        "Những nội dung có từ ba lượt đăng trong một ngày, kể cả bản sửa vài chữ. Nhiều lượt mà ít tiếng nói thì đừng xem là ý kiến của "
        "nhiều người. Dấu hiệu phối hợp hay đăng tự động chỉ cho biết cần xem kỹ; chúng không nói gì về người nào, và không lượt nào bị bỏ "
        "ra ngoài các con số khác.",
        "copies_daily",
        "table",
        table(
            ["topic_name", "cluster_code"],
            [
                "mentions",
                "unique_texts",
                "distinct_voices",
                "distinct_sources",
                "largest_voice_share",
                "burst_minutes",
                "coordinated_days",
                "bot_like_days",
                "first_seen_at",
            ],
            "mentions",
            page=12,
            bars=["mentions"],
        ),
    ),
)

_PLACES = (
    Chart(
        "by-place",
        "Sắc thái theo địa bàn",
        "Sentiment by place",
        "Mười lăm địa bàn được nhắc đến nhiều nhất: quận, huyện trước tháng 7/2025; phường, xã, đặc khu từ tháng 7/2025. Con số cuối "
        "thanh là n. "
        "Bài nhắc hai nơi được tính ở cả hai; bài chỉ nhắc chung cả thành phố không có ở đây.",
        "place_daily",
        "echarts_timeseries_bar",
        bars("place_name", _COUNTS, [_A_PART_OF_THE_CITY], rows=15, sort_by="mentions"),
    ),
    Chart(
        "top-negative-places",
        "Địa bàn có tỷ lệ tiêu cực cao",
        "Places with a high negative share",
        f"Tỷ lệ tiêu cực trong các bài nhắc đến từng địa bàn, kèm n và khoảng tin cậy. {_BY_LOWER_BOUND} {_INTERVAL}",
        "place_daily",
        "table",
        table(["place_name"], _NEGATIVE, "negative_share_low", [_A_PART_OF_THE_CITY], page=12, bars=["negative_share"]),
    ),
)

_TRUST = (
    Chart(
        "coverage-over-time",
        "Độ phủ nguồn theo ngày",
        "Source coverage by day",
        "Phần lượng tin thường ngày của các nguồn kỳ vọng thuộc về những nguồn đang hoạt động trong ngày. "
        "Ngày có độ phủ thấp thì các con số của ngày đó kém tin cậy.",
        "source_daily",
        "echarts_timeseries_line",
        lines(["coverage_share"], number_format=".0%", bounds=(0, 1)),
    ),
    Chart(
        "quality",
        "Kiểm tra chất lượng dữ liệu",
        "Data quality checks",
        "Số phép kiểm tra đã chạy trên từng bảng, số không đạt, và số không đạt đã chặn công bố. Không theo bộ lọc chủ đề và loại nguồn.",
        "quality_results",
        "table",
        table(["table_name"], ["checks", "failed", "blocking_failed", "passed_share", "last_checked_at"], "checks"),
    ),
    Chart(
        "sources",
        "Tình trạng từng nguồn",
        "Health of each source",
        "Mỗi nguồn đã cho bao nhiêu bài, nhận bài gần nhất khi nào, hoạt động bao nhiêu phần trong số ngày được kỳ vọng, "
        "mỗi ngày theo lượng tin thường ngày. "
        "N/A là nguồn không được kỳ vọng có tin hằng ngày.",
        "source_daily",
        "table",
        table(
            ["source_name", "source_kind_name"],
            ["mentions", "landed", "rejected", "fetch_failures", "coverage_share", "last_fetched_at"],
            "mentions",
            page=15,
            bars=["mentions"],
        ),
    ),
    Chart(
        "accounting",
        "Sổ đối chiếu dữ liệu",
        "The account of every landed row",
        "Đã nhận = giữ lại + bản cũ + trùng + bị loại + đã gỡ. Chênh lệch phải bằng 0. Không theo bộ lọc chủ đề và loại nguồn.",
        "accounting",
        "table",
        table(["connector"], ["landed", "kept", "superseded", "duplicate", "rejected", "withdrawn", "unexplained"], "landed"),
    ),
)

CHARTS: Mapping[str, Chart] = {chart.name: chart for chart in (*_OVERVIEW, *_TOPICS, *_PLACES, *_TRUST)}
