"""The model card in words: Markdown from a report. Belongs here: headings, tables, what a figure means. Not here: any figure of its own."""

from collections.abc import Iterable, Mapping, Sequence

from ml.evaluation.corpus_facts import CorpusFacts
from ml.evaluation.measure import Measured, Sentiment
from ml.evaluation.metrics import Figure, ManyLabels
from ml.evaluation.report import Report
from ml.labelled.shared import SHARED_SETS

Row = Sequence[object]
_TERMS = {one.name: one.terms for one in SHARED_SETS}


def card(report: Report) -> str:
    """The card of the model, ending in a line end. The same report always gives the same text."""
    parts = [
        _head(report),
        _training(report),
        _sentiment(report),
        _detail(report),
        _phenomena(report),
        _topics(report),
        _flags(report),
        _cascade(report),
        _corpus(report.corpus),
        _curve(report),
        _files(report),
    ]
    return "\n".join(part for part in parts if part)


def _table(header: Row, rows: Iterable[Row]) -> str:
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in (header, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(header), *lines[1:]]) + "\n"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _figure(figure: Figure) -> str:
    return f"{_percent(figure.value)} ({_percent(figure.low)}-{_percent(figure.high)})"


def _head(report: Report) -> str:
    speed, size = report.speed, sum(one.size_bytes for one in report.files.values())
    rows = [
        ("weights", f"`{report.weights_digest}` (SHA-256)"),
        ("size of the folder", f"{size / 1e6:.1f} MB"),
        ("tasks", "sentiment" + (f", {len(report.topic_ids)} topics, constructive, toxic, spam" if report.topic_ids else "")),
        (
            "speed",
            f"{speed.texts / speed.seconds:,.0f} texts/s, {speed.texts / speed.cpu_seconds:,.0f} per CPU-second ({speed.texts:,} distinct "
            f"texts of {speed.mean_characters:.0f} characters on average, {speed.threads} threads, {speed.processor})",
        ),
    ]
    intro = "Made by `./lake eval` from `card.json`; not typed. Figures in per cent; in brackets 95 % bootstrap intervals over the texts."
    return f"# {report.model_id}\n\n{intro}\n\n" + _table(("", ""), rows)


def _training(report: Report) -> str:
    made = report.training
    if made is None:
        why = "Not recorded: no training.json lies beside the weights, so the terms of the training data are not known here."
        return f"## How it was made\n\n{why}\n"
    names = [name for name in made.get("sets", {}) if name in _TERMS]
    rows = [(name, _words(value)) for name, value in made.items()]
    terms = [(name, _TERMS[name]) for name in names]
    text = "## How it was made\n\n" + _table(("", ""), rows)
    if not terms:
        return text + "\nNo text under other people's terms was used to train it.\n"
    return text + "\n### Terms of the training data, as its owners state them\n\n" + _table(("set", "terms"), terms)


def _words(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _with_sentiment(report: Report) -> list[tuple[Measured, Sentiment]]:
    return [(one, one.sentiment) for one in report.sets if one.sentiment]


def _sentiment(report: Report) -> str:
    header = ("set", "texts", "accuracy", "weighted F1", "macro F1", "ECE", "macro F1 without diacritics", "lost")
    rows: list[Row] = []
    for one, plain in _with_sentiment(report):
        for name, found, bare in ((one.name, plain, one.unaccented), (f"{one.name}, with context", one.with_context, None)):
            if found:
                figures = [_figure(figure) for figure in (found.accuracy, found.weighted_f1, found.macro_f1)]
                lost = _percent(one.lost_unaccented or 0.0) if bare else ""
                bare_figure = _figure(bare.macro_f1) if bare else ""
                rows.append((name, f"{found.texts:,}", *figures, _percent(found.calibration_error), bare_figure, lost))
    rows += [(name, "not measured: the data was absent", *[""] * 6) for name in report.not_measured]
    what = [f"* {one.name}: {one.what} ({one.terms})" for one in report.sets]
    text = (
        "## Sentiment on development sets\n\nTexts alone, as `./lake score` reads them; with context: with the title or post answered.\n\n"
    )
    return text + _table(header, rows) + "\n" + "\n".join(what) + "\n"


def _detail(report: Report) -> str:
    parts = ["## Classes, shares, confusion\n\nTrue and predicted shares of each class, its F1, and how texts of it were called.\n"]
    for one, plain in _with_sentiment(report):
        header = ("class", "true share", "predicted share", "F1", *(f"called {label}" for label in plain.classes))
        rows = [
            (label, _percent(plain.true_share[label]), _percent(plain.predicted_share[label]), _percent(plain.f1_by_class[label]), *counts)
            for label, counts in zip(plain.classes, plain.confusion, strict=True)
        ]
        parts.append(f"### {one.name}\n\n" + _table(header, rows))
        if "neutral" not in plain.classes:
            parts.append(
                f"Neutral was no choice here: the more probable of the two counts. Free to choose, the model calls "
                f"{_percent(plain.called_neutral)} % neutral.\n"
            )
    return "\n".join(parts)


def _phenomena(report: Report) -> str:
    parts = []
    for one in report.sets:
        if one.phenomena:
            rows = [
                (name, found.texts, _percent(found.right), _percent(found.right_unaccented))
                for name, found in sorted(one.phenomena.items(), key=lambda entry: (entry[1].right, entry[0]))
            ]
            parts.append(f"### {one.name}\n\n" + _table(("phenomenon", "texts", "right", "right without diacritics"), rows))
        if one.pairs:
            parts.append(
                f"Of {one.pairs} pairs in which one small change turns the label, both are right in {_percent(one.pairs_right)} %.\n"
            )
    return "## Sentiment by phenomenon\n\n" + "\n".join(parts) if parts else ""


def _topics(report: Report) -> str:
    parts = []
    for one in report.sets:
        found: list[tuple[str, ManyLabels]] = [
            (name, topics) for name, topics in (("text alone", one.topics), ("with context", one.topics_with_context)) if topics
        ]
        if not found:
            continue
        rows: list[Row] = [("micro F1", "", *(_figure(topics.micro) for _, topics in found))]
        rows.append(("macro F1", "", *(_figure(topics.macro) for _, topics in found)))
        for topic, count in found[0][1].texts_by_label.items():
            rows.append((topic, count, *(_percent(topics.by_label[topic]) for _, topics in found)))
        parts.append(f"### {one.name}\n\n" + _table(("F1", "texts", *(name for name, _ in found)), rows))
    return "## Topics\n\n" + "\n".join(parts) if parts else ""


def _flags(report: Report) -> str:
    rows = [
        (one.name, name, f"{flag.texts:,}", f"{flag.yes:,}", _figure(flag.f1), _percent(flag.accuracy))
        for one in report.sets
        for name, flag in one.flags.items()
    ]
    return "## Constructive, toxic, spam\n\n" + _table(("set", "label", "texts", "yes", "F1 of yes", "accuracy"), rows) if rows else ""


def _cascade(report: Report) -> str:
    if not report.cascade:
        return ""
    rows = [
        (one.name, *(_percent(value) for value in (one.deep_share, one.macro_f1, one.always_upper, one.lower_alone)))
        for one in report.cascade
    ]
    header = ("set", "texts that needed it", "macro F1", "were it always asked", "were it never asked")
    why = "Texts of which the lower stage is unsure go on to the upper one; the threshold was chosen on the city's development texts."
    return f"## The upper stage\n\n{why}\n\n" + _table(header, rows)


def _corpus(facts: CorpusFacts) -> str:
    header = ("", "train", "dev", "challenge")
    parts = ["## The city corpus\n", _table(header, [("texts", *facts.counts.total)])]
    for title, counted in (
        ("sentiment", facts.counts.labels),
        ("kind", facts.counts.kinds),
        ("phenomenon", facts.counts.phenomena),
        ("topic", facts.counts.topics),
    ):
        parts.append(_table((title, *header[1:]), [(name, *counts) for name, counts in counted.items()]))
    parts.append(
        "### Agreement of its two labellings on sentiment\n\n"
        "Both were given by the same kind of annotator: this is self-consistency, never agreement between independent people. "
        f"{facts.settled:,} labels were settled in writing.\n"
    )
    rows = [
        (name, f"{one.posts:,}", _percent(one.same), "-" if one.alpha is None else f"{one.alpha:.3f}")
        for name, one in facts.agreement.items()
    ]
    parts.append(_table(("posts", "labelled twice", "same label", "Krippendorff's alpha"), rows))
    return "\n".join(parts)


def _curve(report: Report) -> str:
    if not report.learning_curve:
        return "## Learning curve\n\nNot measured for this model.\n"
    rows = [
        (f"{point['posts']:,}", point["steps"], *(_figure(Figure(**point[name])) for name in ("macro_f1", "challenge_macro_f1")))
        for point in report.learning_curve
    ]
    text = "## Learning curve\n\nMacro F1 by the number of city posts trained on, everything else equal.\n\n"
    return text + _table(("city posts", "steps", "city dev", "challenge"), rows)


def _files(report: Report) -> str:
    rows = [(f"`{name}`", f"{one.size_bytes:,}", f"`{one.sha256}`") for name, one in report.files.items()]
    return "## Files\n\n" + _table(("file", "bytes", "SHA-256"), rows)
