"""The speed of the model is measured on the model that ships."""

from ml.language_model import DEFAULT_MODEL
from orchestration.commands.bench_language import bench_language


def test_every_stage_is_timed() -> None:
    report = bench_language(12, 1, 1)
    assert (report.model_id, report.texts) == (DEFAULT_MODEL.name, 12)
    assert len(report.rates) == 5
    assert all(rate.per_second > 0 and rate.per_cpu_second > 0 for rate in report.rates)
    assert 0 <= report.deep_share <= 1
    assert sum(report.file_bytes.values()) < 45e6
    assert len(report.lines()) == len(report.rates) + 2
