"""Superset's settings: Vietnamese, for one machine, closed. Superset loads this file by SUPERSET_CONFIG_PATH.

Belongs here: names that Superset reads. Not here: how gold is read (gold_connection.py), who may see what (roles.py), the dashboards
(bundle/). It refuses to load without SUPERSET_SECRET_KEY, GOLD_* and LAKE_HOME: there are no default secrets.
"""

import copy
import hashlib
import hmac
import os
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from duckdb_engine import ConnectionWrapper
from flask import jsonify, redirect, request
from jinja2 import ChoiceLoader, FileSystemLoader
from superset.config import DISALLOWED_SQL_FUNCTIONS as _FORBIDDEN
from superset.config import TALISMAN_CONFIG as _TALISMAN
from superset.config import THEME_DEFAULT as _THEME

from superset_dashboards.bundle_source.city_dashboard import SLUG
from superset_dashboards.environment import LOCAL_ZONE, gold_access, secret_key, superset_home
from superset_dashboards.gold_connection import GoldReader
from superset_dashboards.vietnamese import browser_pack, read_words, write_catalogue

os.environ["TZ"] = LOCAL_ZONE  # 'last 7 days' is counted by the process's clock
time.tzset()
os.environ["SCARF_ANALYTICS"] = "false"

_HOME = superset_home()
_SECONDS_PER_DAY = int(timedelta(days=1).total_seconds())


def _derived(purpose: str) -> str:
    """A secret of its own for each purpose, from the one that is given."""
    return hmac.new(secret_key().encode(), purpose.encode(), hashlib.sha256).hexdigest()


# Secrets, sessions, limits. Loopback speaks http, so the cookie is not marked Secure; behind TLS set LAKE_SUPERSET_TLS=1.
SECRET_KEY = secret_key()
GUEST_TOKEN_JWT_SECRET = _derived("guest token")
GLOBAL_ASYNC_QUERIES_JWT_SECRET = _derived("async queries")
_IS_TLS = os.environ.get("LAKE_SUPERSET_TLS") == "1"
SESSION_COOKIE_NAME = "lang_nghe_superset"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _IS_TLS
ENABLE_PROXY_FIX = _IS_TLS
PERMANENT_SESSION_LIFETIME = timedelta(hours=8)
WTF_CSRF_ENABLED = True
ENABLE_CORS = False
FAB_API_SWAGGER_UI = False
AUTH_USER_REGISTRATION = False
PUBLIC_ROLE_LIKE = None
RATELIMIT_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"  # counted per worker
RATELIMIT_APPLICATION = "100 per second"
AUTH_RATE_LIMITED = True
AUTH_RATE_LIMIT = "10 per minute"  # guesses of a password

# Storage of Superset's own state.
SQLALCHEMY_DATABASE_URI = os.environ.get("LAKE_SUPERSET_METADATA_URI") or f"sqlite:///{_HOME / 'superset.db'}?timeout=30"


def _cache(name: str, seconds: int) -> dict[str, object]:
    folder = str(_HOME / "cache" / name)
    return {
        "CACHE_TYPE": "FileSystemCache",
        "CACHE_DIR": folder,
        "CACHE_DEFAULT_TIMEOUT": seconds,
        "CACHE_THRESHOLD": 5000,
        "CACHE_KEY_PREFIX": f"{name}_",
    }


CACHE_CONFIG = _cache("metadata", 60)
DATA_CACHE_CONFIG = _cache("data", 20)  # a new commit is visible within this many seconds
FILTER_STATE_CACHE_CONFIG = _cache("filter_state", 90 * _SECONDS_PER_DAY)
EXPLORE_FORM_DATA_CACHE_CONFIG = _cache("explore", 7 * _SECONDS_PER_DAY)

# What users may do with data.
FEATURE_FLAGS = {"RLS_IN_SQLLAB": True, "DASHBOARD_RBAC": True, "ENABLE_TEMPLATE_PROCESSING": False, "TAGGING_SYSTEM": False}
PREVENT_UNSAFE_DB_CONNECTIONS = True
ROW_LIMIT = 10_000
SQL_MAX_ROW = 100_000
DISALLOWED_SQL_FUNCTIONS = {
    **_FORBIDDEN,
    "duckdb": {
        "delta_scan", "iceberg_scan", "read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "read_json_auto",
        "read_json_objects", "read_ndjson", "read_ndjson_auto", "read_text", "read_blob", "glob", "sniff_csv", "parquet_metadata",
        "parquet_schema", "parquet_file_metadata", "duckdb_secrets", "which_secret", "duckdb_settings", "current_setting", "query",
        "query_table",
    },
}  # fmt: skip

# Language: see vietnamese.py.
_WORDS = read_words()
BABEL_DEFAULT_LOCALE = "vi"
BABEL_TRANSLATION_DIRECTORIES = f"translations;{_HOME / 'translations'}"
write_catalogue(_WORDS, _HOME / "translations")
LANGUAGES = {"vi": {"flag": "vn", "name": "Tiếng Việt"}, "en": {"flag": "us", "name": "English"}}
D3_FORMAT = {"decimal": ",", "thousands": ".", "grouping": [3], "currency": ["", " ₫"]}
D3_TIME_FORMAT = {
    "dateTime": "%H:%M:%S %d/%m/%Y",
    "date": "%d/%m/%Y",
    "time": "%H:%M:%S",
    "periods": ["SA", "CH"],
    "days": ["Chủ nhật", "Thứ hai", "Thứ ba", "Thứ tư", "Thứ năm", "Thứ sáu", "Thứ bảy"],
    "shortDays": ["CN", "T2", "T3", "T4", "T5", "T6", "T7"],
    "months": [f"tháng {number}" for number in range(1, 13)],
    "shortMonths": [f"thg {number}" for number in range(1, 13)],
}
APP_NAME = "Lắng Nghe"
FIRST_PAGE = f"/superset/dashboard/{SLUG}/"
THEME_DEFAULT = copy.deepcopy(_THEME)
_LOGO = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='150' height='28'><g fill='none' stroke='#1f6f8b' stroke-width='3' "
    "stroke-linecap='round'>"
    "<path d='M4 11v6M10 6v16M16 9v10M22 12v4'/></g><text x='34' y='20' font-family='Helvetica,Arial,sans-serif' font-size='17' "
    "font-weight='600' "
    "fill='#1f6f8b'>Lắng Nghe</text></svg>"
)
THEME_DEFAULT["token"] |= {
    "brandAppName": APP_NAME,
    "brandLogoAlt": APP_NAME,
    "brandLogoUrl": f"data:image/svg+xml;utf8,{quote(_LOGO)}",
    "colorPrimary": "#1f6f8b",
    "colorLink": "#1f6f8b",
}
THEME_DARK = None  # figures are printed and compared: one look
ENABLE_UI_THEME_ADMINISTRATION = False
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []

# No foreign hosts: whatever the page asks for comes from here. Also stops the telemetry pixel, which ignores its own switch.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = copy.deepcopy(_TALISMAN)
_POLICY = TALISMAN_CONFIG["content_security_policy"]
for _key, _allowed in _POLICY.items():
    if isinstance(_allowed, list):
        _POLICY[_key] = [source for source in _allowed if source.startswith("'") or source in ("blob:", "data:")]
_POLICY["frame-ancestors"] = ["'self'"]
_POLICY["form-action"] = ["'self'"]
TALISMAN_CONFIG["force_https"] = _IS_TLS
TALISMAN_CONFIG["session_cookie_secure"] = _IS_TLS

_READER = GoldReader(gold_access())


def DB_CONNECTION_MUTATOR(uri, params, username, security_manager, source):  # noqa: N802, ARG001  Superset's name and signature
    """Every DuckDB connection, whatever its URI says, is a cursor of the one locked instance over gold."""
    if uri.drivername.startswith("duckdb"):
        params["creator"] = lambda: ConnectionWrapper(_READER.cursor())
        params.pop("connect_args", None)
    return uri, params


def FLASK_APP_MUTATOR(app):  # noqa: N802  Superset's name
    """What Superset has no setting for: the first page, templates, Vietnamese words (its own page of words knows the shipped languages)."""
    pack = browser_pack(_WORDS)
    app.jinja_loader = ChoiceLoader([FileSystemLoader(Path(__file__).with_name("templates")), app.jinja_loader])

    @app.before_request
    def answer_first():
        if request.path == "/superset/language_pack/vi/":
            return jsonify(pack)
        # Login leads to "/", and Superset from there to a list of its own things.
        return redirect(FIRST_PAGE) if request.path == "/" else None
