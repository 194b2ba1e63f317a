"""Does every chart of the city's dashboard have data, asked of Superset itself over its API. Nothing else belongs here."""

from typing import Any

import httpx

from lake_config.settings import Settings
from orchestration.services.programs import service_url
from orchestration.services.secrets import superset_secrets

_DASHBOARD = "toan-canh"
_SECONDS = 60.0
_MAY_BE_EMPTY = ("topic_proposals",)
"""Tables in which no row is good news: nothing came up that no topic covers."""


def chart_faults(settings: Settings) -> list[str]:
    """One line per chart of the dashboard whose query fails, or gives no row where one is expected; empty when all is well."""
    secrets = superset_secrets(settings)
    login = {"username": secrets["admin_user"], "password": secrets["admin_password"], "provider": "db"}
    try:
        with httpx.Client(base_url=str(service_url(settings, "superset")), timeout=_SECONDS, trust_env=False) as http:
            token = http.post("/api/v1/security/login", json=login).raise_for_status().json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            charts = http.get(f"/api/v1/dashboard/{_DASHBOARD}/charts").raise_for_status().json()["result"]
            found = [fault for chart in charts if (fault := _fault(http, chart))]
            return found if charts else [f"the dashboard {_DASHBOARD} has no charts"]
    except (httpx.HTTPError, KeyError, ValueError) as error:
        return [f"Superset cannot be asked ({type(error).__name__}: {error})"]


def _fault(http: httpx.Client, chart: dict[str, Any]) -> str | None:
    form = chart["form_data"]
    dataset, kind = str(form["datasource"]).split("__", 1)
    metrics = form.get("metrics") or [form["metric"]]
    columns = [column for column in (form.get("x_axis"), *form.get("groupby", [])) if column]
    where = [one["sqlExpression"] for one in form["adhoc_filters"] if one["expressionType"] == "SQL"]
    filters = [
        {"col": one["subject"], "op": one["operator"], "val": one["comparator"]}
        for one in form["adhoc_filters"]
        if one["expressionType"] == "SIMPLE" and one["operator"] != "TEMPORAL_RANGE"
    ]
    query = {"columns": columns, "metrics": metrics, "filters": filters, "extras": {"where": " AND ".join(where)}, "row_limit": 10}
    answer = http.post("/api/v1/chart/data", json={"datasource": {"id": int(dataset), "type": kind}, "queries": [query]})
    if not answer.is_success:
        return f"the chart {chart['slice_name']!r} fails with {answer.status_code}: {answer.text[:200]}"
    rows = answer.json()["result"][0]["data"]
    if any(value is not None for row in rows for name, value in row.items() if name in metrics):
        return None
    table = http.get(f"/api/v1/dataset/{dataset}").raise_for_status().json()["result"]["table_name"]
    return None if table in _MAY_BE_EMPTY else f"the chart {chart['slice_name']!r} has no data"
