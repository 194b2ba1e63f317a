"""Metrics: how figures of many rows become one. Counts are added up, shares and their intervals computed again from the sums.

Belongs here: SQL over gold columns, in words that DuckDB and Postgres share. Not here: charts.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from lake_config.tables.gold import SENTIMENTS

Z = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval, as in gold."""

SENTIMENT_VI = {"negative": "Tiêu cực", "neutral": "Trung lập", "positive": "Tích cực"}
SENTIMENT_SIGN = {"negative": "−", "neutral": "±", "positive": "+"}
"""Before the name of a counted series: puts the series in order (browsers collate + before ± before −), tells them apart without colour,
and keeps each label of a dataset to one metric, without which Superset gives a series the colour of another."""
COUNT_FORMAT, SHARE_FORMAT = ",d", ".1%"


@dataclass(frozen=True)
class Metric:
    """A named SQL aggregate of one dataset. ``label`` is what readers see."""

    name: str
    sql: str
    label: str
    description: str
    d3format: str | None = COUNT_FORMAT


def summed(column: str, label: str, description: str) -> Metric:
    """The sum of an additive column, under the column's own name."""
    return Metric(column, f"SUM({column})", label, description)


def wilson(count: str, total: str, *, upper: bool) -> str:
    """SQL of one end of the 95 % Wilson interval of SUM(count) / SUM(total); null where the total is 0."""
    k, n = f"SUM({count})", f"NULLIF(SUM({total}), 0)"
    sign, clamp, bound = ("+", "LEAST", "1.0") if upper else ("-", "GREATEST", "0.0")
    root = f"SQRT({k} * 1.0 * ({n} - {k}) / {n} + {Z * Z / 4!r})"
    # Without the CASE, LEAST and GREATEST would turn the null of an empty group into a bound.
    return f"CASE WHEN SUM({total}) > 0 THEN {clamp}({bound}, ({k} + {Z * Z / 2!r} {sign} {Z!r} * {root}) / ({n} + {Z * Z!r})) END"


def _share(name: str, count: str, label: str, share: str, ends: tuple[str, str] | None = None) -> tuple[Metric, ...]:
    low_label, high_label = ends or (f"{label}, cận dưới", f"{label}, cận trên")
    low, high = (wilson(count, "mentions", upper=upper) for upper in (False, True))
    end = f"khoảng tin cậy 95 % (Wilson) của tỷ lệ {share}."
    return (
        Metric(
            f"{name}_share",
            f"SUM({count}) * 1.0 / NULLIF(SUM(mentions), 0)",
            label,
            f"Tỷ lệ {share} trong số lượt đề cập, tính lại từ tổng số lượt.",
            SHARE_FORMAT,
        ),
        Metric(f"{name}_share_low", low, low_label, f"Cận dưới {end}", SHARE_FORMAT),
        Metric(f"{name}_share_high", high, high_label, f"Cận trên {end}", SHARE_FORMAT),
    )


MENTIONS = summed(
    "mentions", "Lượt đề cập (n)", "Số bài đăng và bình luận, mỗi bài tính bản mới nhất; người khác đăng lại là thêm một lượt."
)
_DAILY = "Tổng các giá trị theo ngày và loại nguồn: cùng một {thing} ở hai ngày hoặc hai loại nguồn được tính hai lần."


def opinion_metrics(labels: Iterable[str] = SENTIMENTS) -> tuple[Metric, ...]:
    """Metrics of every table that has the three count columns: n, texts, voices, and count, share, low and high for each label."""
    metrics = [
        MENTIONS,
        summed("unique_texts", "Văn bản khác nhau", _DAILY.format(thing="văn bản")),
        summed("distinct_messages", "Thông điệp khác nhau", _DAILY.format(thing="thông điệp (kể cả bản sửa vài chữ)")),
        summed("distinct_voices", "Tiếng nói khác nhau", _DAILY.format(thing="tác giả (đã băm)")),
    ]
    for label in labels:
        word = SENTIMENT_VI[label]
        metrics.append(summed(f"{label}_count", f"{SENTIMENT_SIGN[label]} {word}", f"Số lượt đề cập có sắc thái {word.lower()}."))
        metrics += _share(label, f"{label}_count", word, word.lower())
    return tuple(metrics)


def proposal_metrics() -> tuple[Metric, ...]:
    """Metrics of proposed topics. The windows of two days overlap, so of several days the largest value counts, never the sum."""
    largest = "Giá trị lớn nhất trong các ngày được chọn."
    return (
        Metric("mentions", "MAX(mentions)", "Lượt đề cập trong tuần", largest),
        Metric("unique_texts", "MAX(unique_texts)", "Văn bản trong tuần", largest),
        Metric("distinct_voices", "MAX(distinct_voices)", "Tiếng nói trong tuần", largest),
        Metric("texts_before", "MAX(texts_before)", "Văn bản bốn tuần trước", largest),
        Metric("score", "MAX(score)", "Điểm nổi bật", largest, ".1f"),
    )


def copies_metrics() -> tuple[Metric, ...]:
    """Metrics of what is posted again and again. A cluster has one row a day."""
    return (
        summed("mentions", "Lượt đăng", "Số bài và bình luận mang nội dung này, kể cả bản sửa vài chữ."),
        summed("unique_texts", "Bản khác nhau", "Số bản có câu chữ khác nhau, cộng theo ngày."),
        summed("distinct_voices", "Tiếng nói", "Số tác giả khác nhau (đã băm), cộng theo ngày; bài không có tác giả thì không tính."),
        Metric("distinct_sources", "MAX(distinct_sources)", "Số nguồn", "Số nguồn đăng nội dung này trong ngày nhiều nguồn nhất."),
        Metric(
            "largest_voice_share",
            "MAX(largest_voice_share)",
            "Phần của tiếng nói nhiều nhất",
            "Một tiếng nói chiếm nhiều nhất bao nhiêu phần số lượt trong một ngày; chỉ là con số, không cho biết là ai.",
            SHARE_FORMAT,
        ),
        Metric(
            "burst_minutes", "MIN(burst_minutes)", "Dồn dập trong (phút)", "Số phút ngắn nhất mà bốn phần năm số lượt của một ngày dồn vào."
        ),
        Metric(
            "coordinated_days",
            _days("is_coordinated"),
            "Ngày có dấu hiệu phối hợp",
            "Nhiều tiếng nói, câu chữ gần như một, dồn trong một giờ.",
        ),
        Metric("bot_like_days", _days("is_bot_like"), "Ngày có dấu hiệu tự động", "Ít tiếng nói, nhiều lượt, cách nhau đều đặn."),
        Metric("first_seen_at", "MIN(first_seen_at)", "Lần đầu", "Lần đăng sớm nhất trong kỳ, giờ Việt Nam.", None),
    )


def label_metrics() -> tuple[Metric, ...]:
    """Metrics of the dataset with one row per sentiment label."""
    return (
        summed("mentions", "n", MENTIONS.description),
        summed("label_count", "Số lượt", "Số lượt đề cập có sắc thái này."),
        *_share("label", "label_count", "Tỷ lệ", "của sắc thái này", ends=("Cận dưới", "Cận trên")),
    )


def _days(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN 1 ELSE 0 END)"


def source_metrics() -> tuple[Metric, ...]:
    """Metrics of source health. A source-day is one source on one day."""
    expected, live = _days("is_expected"), _days("is_expected AND is_live")
    return (
        summed("landed", "Dòng thô nhận được", "Số dòng thô của các ngày được chọn."),
        summed("mentions", "Lượt đề cập", "Số bài đăng được giữ lại."),
        summed("rejected", "Dòng bị loại", "Số dòng không thành bài đăng; lý do được lưu trong bảng dòng bị loại."),
        summed("fetch_attempts", "Lần lấy tin", "Số lần lấy tin từ nguồn."),
        summed("fetch_failures", "Lần lỗi", "Số lần lấy tin không thành công."),
        Metric("last_fetched_at", "MAX(last_fetched_at)", "Nhận gần nhất", "Thời điểm nhận bài gần nhất, giờ Việt Nam.", None),
        Metric("expected_days", expected, "Ngày kỳ vọng", "Số ngày mà nguồn được kỳ vọng có tin."),
        Metric("live_days", live, "Ngày hoạt động", "Số ngày kỳ vọng mà nguồn thực sự hoạt động."),
        Metric(
            "coverage_share",
            f"{_weight('is_expected AND is_live')} / NULLIF({_weight('is_expected')}, 0)",
            "Độ phủ",
            "Phần lượng tin thường ngày của các nguồn kỳ vọng thuộc về những nguồn đang hoạt động.",
            SHARE_FORMAT,
        ),
    )


def _weight(condition: str) -> str:
    return f"SUM(CASE WHEN {condition} THEN coverage_weight ELSE 0.0 END)"


def volume_metrics() -> tuple[Metric, ...]:
    """Metrics of the posts of each source by hour."""
    return (summed("mentions", "Lượt đề cập", "Số bài đăng được giữ lại."),)


def finding_metrics() -> tuple[Metric, ...]:
    """Metrics of what was found of sources. A finding that lasts is counted on each of its days."""
    return (
        Metric("source_days", "COUNT(*)", "Số ngày có phát hiện", "Mỗi phát hiện được tính ở từng ngày nó kéo dài."),
        Metric("severe", _days("severity = 'error'"), "Nghiêm trọng", "Số ngày nguồn im lặng, giảm mạnh hoặc không trả lời."),
        Metric("sources", "COUNT(DISTINCT source_id)", "Số nguồn", "Số nguồn khác nhau có phát hiện."),
        Metric("since", "MIN(since)", "Từ ngày", "Ngày đầu tiên của phát hiện.", None),
    )


def accounting_metrics() -> tuple[Metric, ...]:
    """Metrics of the account: the five ways of a landed row, and what they leave unexplained."""
    return (
        summed("landed", "Đã nhận", "Số dòng thô nhận được."),
        summed("kept", "Giữ lại", "Số bài đăng được giữ lại, bản mới nhất."),
        summed("superseded", "Bản cũ", "Bản cũ của bài đã giữ."),
        summed("duplicate", "Trùng", "Cùng một bản của cùng một bài, nhận lại."),
        summed("rejected", "Bị loại", "Dòng không thành bài đăng, có lý do."),
        summed("withdrawn", "Đã gỡ", "Dòng của bài đăng mà nhà cung cấp báo đã xóa."),
        Metric(
            "unexplained",
            "SUM(landed - kept - superseded - duplicate - rejected - withdrawn)",
            "Chênh lệch",
            "Phải bằng 0: mọi dòng nhận được đều có lời giải thích.",
        ),
    )


def quality_metrics() -> tuple[Metric, ...]:
    """Metrics of the quality checks that were run."""
    return (
        Metric("checks", "COUNT(*)", "Lần kiểm tra", "Số phép kiểm tra đã chạy."),
        Metric("failed", _days("NOT is_success"), "Không đạt", "Số phép kiểm tra không đạt."),
        Metric(
            "blocking_failed", _days("NOT is_success AND is_blocking"), "Chặn công bố", "Số phép kiểm tra không đạt và đã chặn công bố."
        ),
        Metric(
            "passed_share",
            f"{_days('is_success')} * 1.0 / NULLIF(COUNT(*), 0)",
            "Tỷ lệ đạt",
            "Số phép đạt chia cho số phép đã chạy.",
            SHARE_FORMAT,
        ),
        Metric("last_checked_at", "MAX(checked_at)", "Kiểm tra gần nhất", "Thời điểm kiểm tra gần nhất, giờ Việt Nam.", None),
    )
