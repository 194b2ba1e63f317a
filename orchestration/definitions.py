"""What Dagster loads (workspace.yaml). One `build_definitions`, so that tests load the same."""

import dagster as dg

from assets.bronze.assets import BRONZE_ASSETS, FETCH_LOG_SPEC, PUSH_LEDGER_SPEC
from assets.gold.assets import GOLD_ASSETS, QUALITY_RESULTS_SPEC
from assets.silver.assets import SILVER_ASSETS
from assets.support import LakeResource, ModelResource
from orchestration.jobs import JOBS
from orchestration.schedules import SCHEDULES
from orchestration.sensors import SENSORS


def build_definitions() -> dg.Definitions:
    """All definitions of the lake. Imports nothing from the network and reads no secret; resources do so when a run needs them."""
    return dg.Definitions(
        assets=[*BRONZE_ASSETS, FETCH_LOG_SPEC, PUSH_LEDGER_SPEC, *SILVER_ASSETS, *GOLD_ASSETS, QUALITY_RESULTS_SPEC],
        jobs=JOBS,
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={
            "collector": LakeResource(identity="collector"),
            "lake": LakeResource(identity="pipeline"),
            "sentiment": ModelResource(),
        },
    )


defs = build_definitions()
