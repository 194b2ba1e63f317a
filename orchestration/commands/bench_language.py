"""bench language: how many texts a second the shipped model reads on this machine, stage by stage, on the city corpus.

Belongs here: timing and its words. Not here: the model (`ml.language_model`).
"""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from ml.corpus.reading import read_posts
from ml.evaluation.cascade import stages_of
from ml.language_model import DEFAULT_MODEL, LanguageModel
from ml.masking import mask_pii
from ml.model_files import read_model
from ml.normalise import normalise
from ml.passes import Reader, readable


@dataclass(frozen=True)
class Rate:
    """Texts per second of the clock and per CPU-second, each the median of the runs."""

    stage: str
    per_second: float
    per_cpu_second: float


@dataclass(frozen=True)
class LanguageReport:
    """`tokens` by text: mean, median, 95th percentile, special ones included. `deep_share`: texts that the upper stage read. Memory is the
    peak of this process, in bytes; `file_bytes` by file of the model.
    """

    model_id: str
    texts: int
    threads: int
    runs: int
    tokens: tuple[float, int, int]
    rates: list[Rate]
    deep_share: float
    peak_memory_bytes: int
    file_bytes: dict[str, int]

    def lines(self) -> list[str]:
        """For people."""
        mean, median, most = self.tokens
        first = f"{self.model_id}: {self.texts:,} texts of {mean:.1f} tokens (median {median}, 95 % up to {most}), {self.threads} threads, "
        rows = [f"{one.stage}: {one.per_second:,.0f} texts/s, {one.per_cpu_second:,.0f} per CPU-second" for one in self.rates]
        sizes = ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in self.file_bytes.items())
        last = f"upper stage asked for {self.deep_share:.1%} of the texts; peak memory {self.peak_memory_bytes / 1e6:,.0f} MB; {sizes}"
        return [f"{first}median of {self.runs} runs", *rows, last]


def _rate(stage: str, texts: int, runs: int, work: Callable[[], object]) -> Rate:
    work()
    seconds, cpu = [], []
    for _ in range(runs):
        clock, spent = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - clock)
        cpu.append(time.process_time() - spent)
    return Rate(stage, texts / statistics.median(seconds), texts / statistics.median(cpu))


def bench_language(count: int, threads: int, runs: int) -> LanguageReport:
    """Measure the lake's model on the first `count` distinct texts of the corpus. Raises ModelError for a folder that is not whole."""
    raw = list(dict.fromkeys(post.text for post in read_posts()))[:count]
    texts = [mask_pii(normalise(text)) for text in raw]
    facts, content = read_model(DEFAULT_MODEL)
    reader = Reader(content[facts.tokenizer], facts.max_length, facts.context_length)
    nothing = [""] * len(texts)
    lengths = sorted(sum(len(one.ids) for one in passes) for passes in reader.passes([readable(text) for text in texts], nothing))
    model = LanguageModel.load(threads=threads)
    with stages_of(DEFAULT_MODEL, threads=threads) as (lower, always):
        rates = [
            _rate("normalise and mask", len(raw), runs, lambda: [mask_pii(normalise(text)) for text in raw]),
            _rate("tokens", len(raw), runs, lambda: reader.passes(texts, nothing)),
            _rate("tokens and lower stage", len(raw), runs, lambda: lower.read(texts)),
            _rate("tokens and both stages for every text", len(raw), runs, lambda: always.read(texts)),
            _rate("all, as the lake reads", len(raw), runs, lambda: model.read([mask_pii(normalise(text)) for text in raw])),
        ]
    return LanguageReport(
        model_id=model.model_id,
        texts=len(raw),
        threads=threads,
        runs=runs,
        tokens=(statistics.fmean(lengths), lengths[len(lengths) // 2], lengths[int(len(lengths) * 0.95)]),
        rates=rates,
        deep_share=float(model.read(texts).deep.mean()),
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        file_bytes={name: (DEFAULT_MODEL / name).stat().st_size for name in facts.deciding_files},
    )
