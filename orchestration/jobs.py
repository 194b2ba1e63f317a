"""The jobs: collect (bronze), refine (silver and gold), maintain. Nothing else."""

import dagster as dg

COLLECT = dg.define_asset_job(
    "collect",
    selection=dg.AssetSelection.groups("bronze"),
    description="Poll every source once and take in the files that wait in the landing bucket.",
    executor_def=dg.in_process_executor,
)
REFINE = dg.define_asset_job(
    "refine",
    selection=dg.AssetSelection.groups("silver", "gold"),
    description="Bring silver and gold of the given event days up to what bronze holds.",
    executor_def=dg.in_process_executor,
)
MAINTAIN = dg.define_asset_job(
    "maintain",
    selection=dg.AssetSelection.groups("maintenance"),
    description="Compact the event days that lie in many files; propose topics that came up.",
    executor_def=dg.in_process_executor,
)
JOBS = [COLLECT, REFINE, MAINTAIN]
