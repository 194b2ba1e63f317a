"""Settings: read once from the environment, errors name the variable, secrets stay out of sight."""

import json
import multiprocessing
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake_config.errors import ConfigError
from lake_config.settings import BUCKETS, IDENTITIES, Credentials, Settings, author_key_secret, demo_marker, load_settings, write_private


def settings_of(home: Path, **more: str) -> Settings:
    return load_settings({"LAKE_HOME": str(home), **more})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for environment in ({}, {"LAKE_HOME": "", "LAKE_S3_ENDPOINT": "", "LAKE_S3_REGION": "", "LAKE_DEMO_CITY_URL": "", "LAKE_REGISTRY": ""}):
        settings = load_settings(environment)
        assert settings.home == tmp_path / ".lake"
        assert (settings.ports["s3"], settings.ports["demo_city"]) == (8300, 8313)
        assert (settings.s3_endpoint, settings.s3_region, settings.is_store_embedded) == ("http://127.0.0.1:8300", "us-east-1", True)
        assert settings.demo_city_url == "http://127.0.0.1:8313"
        assert settings.source_groups == ("upload",)
        assert settings.extra_registry == ()


def test_everything_given(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        LAKE_PORT_BASE="9000",
        LAKE_S3_PORT="9500",
        LAKE_S3_ENDPOINT="https://minio.example/",
        LAKE_S3_REGION="hcm-1",
        LAKE_SOURCES=" vietnam, ,upload ",
        LAKE_DEMO_CITY_URL="http://city:1/",
        LAKE_REGISTRY=f"{tmp_path}::",
        LAKE_CONTACT="https://hcmc.example/listening",
    )
    assert settings.contact == "https://hcmc.example/listening"
    assert (settings.ports["s3"], settings.ports["filer"], settings.ports["demo_city"]) == (9500, 9001, 9013)
    assert (settings.s3_endpoint, settings.s3_region, settings.is_store_embedded) == ("https://minio.example", "hcm-1", False)
    assert settings.source_groups == ("vietnam", "upload")
    assert settings.demo_city_url == "http://city:1"
    assert settings.extra_registry == (tmp_path,)
    assert len(set(settings.ports.values())) == len(settings.ports)


def test_invented_posts_come_only_into_a_lake_of_the_demo_city(tmp_path: Path) -> None:
    assert settings_of(tmp_path).source_groups == ("upload",)
    demo_marker(tmp_path).write_text("{}")
    assert settings_of(tmp_path).source_groups == ("demo", "upload")
    assert settings_of(tmp_path, LAKE_SOURCES="vietnam").source_groups == ("vietnam",)


PORTS = [f"LAKE_{name}" for name in ("PORT_BASE", "S3_PORT", "DAGSTER_PORT", "SUPERSET_PORT", "DEMO_CITY_PORT")]
WRONG = [
    *[(name, value) for name in PORTS for value in ("", "0", "65536", "-1", "80.5", "²", "٣٣٣٣", "http")],
    *[
        (name, value)
        for name in ("LAKE_S3_ENDPOINT", "LAKE_DEMO_CITY_URL")
        for value in ("minio:9000", "s3://x", "http:///x", "http://a b")
    ],
    ("LAKE_PORT_BASE", "65530"),
    ("LAKE_REGISTRY", "/no/such/folder"),
    *[("LAKE_CONTACT", value) for value in ("two words", "a\nb", "(", "địa chỉ", "x" * 201)],
]


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(ConfigError, match=variable):
        settings_of(tmp_path, **{variable: value})


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8))
def test_any_port_is_a_port_or_a_named_error(value: str) -> None:
    try:
        port = load_settings({"LAKE_S3_PORT": value}).ports["s3"]
    except ConfigError as error:
        assert "LAKE_S3_PORT" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert 1 <= port <= 65535


def test_keys_of_an_identity_go_before_common_ones_and_those_before_the_file(tmp_path: Path) -> None:
    file_keys = {name: {"key": f"file-{name}", "secret": "f"} for name in IDENTITIES}
    write_private(tmp_path / "secrets" / "s3.json", json.dumps(file_keys).encode())
    common = {"LAKE_S3_KEY": "common", "LAKE_S3_SECRET": "c"}
    own = {"LAKE_S3_BI_KEY": "own", "LAKE_S3_BI_SECRET": "o"}
    assert settings_of(tmp_path).credentials("bi") == Credentials("file-bi", "f")
    assert settings_of(tmp_path, **common).credentials("bi") == Credentials("common", "c")
    assert settings_of(tmp_path, **common, **own).credentials("bi") == Credentials("own", "o")
    assert settings_of(tmp_path, **common, **own).credentials("desk") == Credentials("common", "c")


@pytest.mark.parametrize("half", ["LAKE_S3_KEY", "LAKE_S3_SECRET", "LAKE_S3_BI_KEY", "LAKE_S3_BI_SECRET"])
def test_half_a_pair_of_keys_is_an_error(tmp_path: Path, half: str) -> None:
    prefix = half.rsplit("_", 1)[0]
    with pytest.raises(ConfigError, match=f"{prefix}_KEY and {prefix}_SECRET must be set together"):
        settings_of(tmp_path, **{half: "x"}).credentials("bi")


def test_missing_keys_and_unknown_identities_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No keys for the S3 identity 'bi': set LAKE_S3_BI_KEY and LAKE_S3_BI_SECRET"):
        settings_of(tmp_path).credentials("bi")
    with pytest.raises(ConfigError, match="Unknown identity 'root'; known: admin, collector"):
        settings_of(tmp_path).credentials("root")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"bi": {}}', '{"bi": {"key": "k"}}', '{"bi": null}'])
def test_a_damaged_file_of_keys_is_named(tmp_path: Path, content: str) -> None:
    write_private(tmp_path / "secrets" / "s3.json", content.encode())
    with pytest.raises(ConfigError, match=r"s3\.json holds no keys for the identity 'bi'"):
        settings_of(tmp_path).credentials("bi")


def test_secrets_never_show(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, LAKE_S3_KEY="key-id", LAKE_S3_SECRET="s3cret", LAKE_PORT_BASE="9000")
    shown = f"{settings!r} {settings} {settings.credentials('bi')!r} {settings.credentials('bi')}"
    assert "s3cret" not in shown
    assert "key-id" in shown


def test_only_lake_variables_are_kept() -> None:
    assert set(load_settings({"LAKE_S3_KEY": "k", "LAKE_S3_SECRET": "s", "PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x"}).environment) == {
        "LAKE_S3_KEY",
        "LAKE_S3_SECRET",
    }


def test_rights_name_known_buckets_and_nobody_but_admin_may_all() -> None:
    for identity, rights in IDENTITIES.items():
        assert all(set(buckets) <= set(BUCKETS) for buckets in rights.values())
        assert ("Admin" in rights) == (identity == "admin")
    assert "evidence" not in IDENTITIES["pipeline"]["Write"]
    assert IDENTITIES["bi"] == {"Read": ("gold",), "List": ("gold",)}


def test_a_private_file_is_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "fresh" / "secret"
    write_private(path, b"first")
    path.chmod(0o644)
    write_private(path, b"second")
    assert path.read_bytes() == b"second"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def _key(home: Path) -> bytes:
    return author_key_secret(settings_of(home), "2024-02")


def test_many_processes_get_one_author_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        keys = set(pool.map(_key, [tmp_path] * 32))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    folder = tmp_path / "secrets" / "author"
    assert [path.name for path in folder.iterdir()] == ["2024-02.key"]
    assert (mode(folder / "2024-02.key"), mode(folder), mode(tmp_path / "secrets")) == (0o600, 0o700, 0o700)


def test_each_month_has_its_own_key_and_one_forgotten_is_gone_for_good(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    first, other = author_key_secret(settings, "2024-02"), author_key_secret(settings, "2024-03")
    assert first != other
    assert author_key_secret(settings, "2024-02") == first
    (settings.secrets_dir / "author" / "2024-02.key").unlink()
    assert author_key_secret(settings, "2024-02") != first
