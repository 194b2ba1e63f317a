"""Keys of providers: shown once, kept as digests, valid and revoked at once; and the server's process that knows only what it needs."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from lake_config.errors import BadInputError, ConfigError
from lake_config.settings import Settings, load_settings
from orchestration.commands.bench_push import REGISTRY, SOURCE
from orchestration.commands.push_keys import give_key, revoke_key
from orchestration.commands.serving import wanted_services
from orchestration.push.keys import KeyRing, has_keys, make_key, revoke_keys, variable
from orchestration.services.programs import build_program, supervisor_environment
from orchestration.services.secrets import ensure_secrets


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    registry = tmp_path / "registry"
    registry.mkdir()
    (registry / "stream.yaml").write_text(REGISTRY, encoding="utf-8")
    return load_settings({"LAKE_HOME": str(tmp_path / "home"), "LAKE_PORT_BASE": "9000", "LAKE_REGISTRY": str(registry)})


def test_only_the_digest_is_kept_and_only_for_its_owner(settings: Settings) -> None:
    key = make_key(settings, "a")
    path = settings.secrets_dir / "push_keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {"a": [hashlib.sha256(key.encode()).hexdigest()]}
    assert key not in path.read_text()
    assert len(key) >= 43


def test_a_key_opens_its_own_source_alone(settings: Settings) -> None:
    key, other = make_key(settings, "a"), make_key(settings, "b")
    ring = KeyRing(settings)
    assert ring.is_right("a", key)
    assert not ring.is_right("b", key)
    assert not ring.is_right("a", other)
    assert not ring.is_right("nobody", key)
    for wrong in ("", key[:-1], key + "x", "\udcff", "x" * 100_000):
        assert not ring.is_right("a", wrong)


def test_a_server_that_runs_sees_new_and_revoked_keys(settings: Settings) -> None:
    ring = KeyRing(settings)
    first = make_key(settings, "a")
    assert ring.is_right("a", first)
    second = make_key(settings, "a", keeps_old=True)
    assert ring.is_right("a", first)
    assert ring.is_right("a", second)
    third = make_key(settings, "a", keeps_old=True)
    assert [ring.is_right("a", key) for key in (first, second, third)] == [False, True, True]
    fourth = make_key(settings, "a")
    assert [ring.is_right("a", key) for key in (second, third, fourth)] == [False, False, True]
    assert revoke_keys(settings, "a") == 1
    assert not ring.is_right("a", fourth)
    assert revoke_keys(settings, "a") == 0


def test_the_environment_gives_a_digest(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"secret").hexdigest()
    settings = load_settings({"LAKE_HOME": str(tmp_path), variable("my-stream_2"): digest})
    assert variable("my-stream_2") == "LAKE_PUSH_KEY_MY_STREAM_2"
    assert has_keys(settings)
    assert KeyRing(settings).is_right("my-stream_2", "secret")
    assert not KeyRing(settings).is_right("my-stream_2", digest)
    with pytest.raises(ConfigError, match="LAKE_PUSH_KEY_BAD must be the SHA-256 of a provider's key") as refused:
        KeyRing(load_settings({"LAKE_HOME": str(tmp_path), variable("bad"): "secret"}))
    assert "secret" not in str(refused.value)


def test_a_broken_file_of_keys_is_named(settings: Settings) -> None:
    make_key(settings, "a")
    (settings.secrets_dir / "push_keys.json").write_text("[")
    with pytest.raises(ConfigError, match=r"push_keys\.json does not hold keys of providers"):
        has_keys(settings)


def test_the_server_runs_only_where_a_provider_has_a_key(settings: Settings) -> None:
    assert "push" not in wanted_services(settings)
    key = give_key(settings, SOURCE, keeps_old=False)[0].rsplit(" ", 1)[-1]
    assert KeyRing(settings).is_right(SOURCE, key)
    assert "push" in wanted_services(settings)
    assert revoke_key(settings, SOURCE) == [f"1 key(s) of {SOURCE} revoked."]
    assert "push" not in wanted_services(settings)
    with pytest.raises(BadInputError, match="has no key on file"):
        revoke_key(settings, SOURCE)
    with pytest.raises(BadInputError, match="upload is collected by exports"):
        give_key(settings, "upload", keeps_old=False)


def test_the_push_process_gets_the_collectors_key_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN", "t")
    ensure_secrets(settings)
    program = build_program(settings, "push", supervisor_environment(settings))
    keys = json.loads((settings.secrets_dir / "s3.json").read_text())
    assert program.environment["LAKE_S3_COLLECTOR_SECRET"] == keys["collector"]["secret"]
    others = {entry["secret"] for name, entry in keys.items() if name != "collector"}
    assert not others & set(program.environment.values())
    assert "WEBHOOK_TOKEN" not in program.environment
    assert load_settings(dict(program.environment)).extra_registry == settings.extra_registry
    assert program.argv[-4:] == ["--host", "127.0.0.1", "--port", "9014"]
