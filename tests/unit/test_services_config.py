import configparser
import json
import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from dagster import DagsterInstance

from lake_config.errors import ConfigError, ServiceError
from lake_config.settings import BUCKETS, IDENTITIES, Settings, load_settings
from orchestration.demo_state import demo_state, write_demo_state
from orchestration.services import secrets
from orchestration.services.certificates import ensure_certificates
from orchestration.services.dagster_home import REPOSITORY, instance_config, write_dagster_home
from orchestration.services.embedded_store import identities_document, prepare_store, store_command, store_environment, store_ports
from orchestration.services.ports import require_free_ports
from orchestration.services.programs import SERVICES, STAMP, build_program, lake_environment, service_ports, supervisor_environment
from orchestration.services.secrets import ensure_secrets, superset_secrets
from orchestration.services.supervisor import ServiceStatus, start_services, status, stop_services
from orchestration.services.supervisord import configuration, socket_path
from superset_dashboards import roles


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"LAKE_HOME": str(tmp_path / "home"), "LAKE_PORT_BASE": "9000"})


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_private_and_one_per_identity(settings: Settings) -> None:
    ensure_secrets(settings)
    before = {path.name: path.read_bytes() for path in settings.secrets_dir.iterdir()}
    ensure_secrets(settings)
    assert {path.name: path.read_bytes() for path in settings.secrets_dir.iterdir()} == before
    assert _mode(settings.secrets_dir) == 0o700
    assert {_mode(path) for path in settings.secrets_dir.iterdir()} == {0o600}
    keys = json.loads(before["s3.json"])
    assert set(keys) == set(IDENTITIES)
    assert len({entry["secret"] for entry in keys.values()}) == len(IDENTITIES)
    own, logins = superset_secrets(settings), before["passwords.txt"].decode()
    assert f"user:     admin\n  password: {own['admin_password']}\n" in logins
    assert f"user:     lanh_dao\n  password: {own['viewer_password']}\n" in logins
    assert own["admin_password"] != own["viewer_password"]
    assert own["secret_key"] not in logins


def test_secrets_made_by_many_at_once_are_the_same_for_all(settings: Settings) -> None:
    barrier = threading.Barrier(8)

    def make(_: int) -> str:
        barrier.wait()
        ensure_secrets(settings)
        return settings.credentials("pipeline").secret

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1


def test_a_secret_added_later_leaves_the_others_and_a_loose_mode_is_tightened(settings: Settings) -> None:
    ensure_secrets(settings)
    path = settings.secrets_dir / "s3.json"
    keys = json.loads(path.read_text())
    kept = keys["bi"]
    del keys["auditor"]
    path.write_text(json.dumps(keys))
    (settings.secrets_dir / "store.json").chmod(0o644)
    ensure_secrets(settings)
    assert json.loads(path.read_text())["bi"] == kept
    assert "auditor" in json.loads(path.read_text())
    assert _mode(settings.secrets_dir / "store.json") == 0o600


def test_an_outside_store_gets_no_generated_keys(tmp_path: Path) -> None:
    settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_S3_ENDPOINT": "http://minio.example:9000"})
    ensure_secrets(settings)
    assert not (settings.secrets_dir / "s3.json").exists()
    with pytest.raises(ConfigError, match="LAKE_S3_BI_KEY"):
        settings.credentials("bi")


def test_a_broken_secrets_file_is_named_and_not_replaced(settings: Settings) -> None:
    ensure_secrets(settings)
    path = settings.secrets_dir / "superset.json"
    path.write_text("{half")
    with pytest.raises(ConfigError, match=r"superset\.json is not valid JSON"):
        ensure_secrets(settings)
    assert path.read_text() == "{half"


def test_identities_are_least_privilege(settings: Settings) -> None:
    ensure_secrets(settings)
    document = identities_document(settings)
    actions = {entry["name"]: set(entry["actions"]) for entry in document["identities"]}  # type: ignore[attr-defined]
    assert actions["bi"] == {"Read:gold", "List:gold"}
    assert actions["admin"] == {"Admin"}
    assert not any(action.startswith("Write") for action in actions["auditor"])
    assert "Write:evidence" not in actions["pipeline"]
    assert {action.split(":")[1] for action in actions["collector"]} == {"landing", "bronze"}
    assert all(action == "Admin" or action.split(":")[1] in BUCKETS for granted in actions.values() for action in granted)


def test_one_key_for_all_identities_is_refused_for_the_embedded_store(tmp_path: Path) -> None:
    settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_S3_KEY": "one", "LAKE_S3_SECRET": "secret-secret"})
    with pytest.raises(ConfigError, match="same access key"):
        identities_document(settings)


def test_the_store_command_binds_loopback_and_shows_no_secret(settings: Settings) -> None:
    ensure_secrets(settings)
    prepare_store(settings)
    command = store_command(settings)
    for flag in ("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-disableHttp=true", "-s3.autoCreateBucket=false", "-master.telemetry=false"):
        assert flag in command
    for name, port in store_ports(settings).items():
        assert f"-{name.replace('_grpc', '')}.port{'.grpc' if 'grpc' in name else ''}={port}" in command
    secrets = {entry["secret"] for entry in json.loads((settings.secrets_dir / "s3.json").read_text()).values()}
    secrets |= set(json.loads((settings.secrets_dir / "store.json").read_text()).values())
    assert not any(secret in argument for secret in secrets for argument in command)
    assert _mode(settings.home / "run" / "identities.json") == 0o600
    environment = store_environment(settings)
    assert environment["WEED_JWT_FILER_SIGNING_READ_KEY"] in secrets
    assert Path(environment["WEED_GRPC_FILER_KEY"]).is_file()


def test_stale_flags_of_the_store_are_forgotten(settings: Settings) -> None:
    ensure_secrets(settings)
    stale = settings.home / "store" / "mini.options"
    stale.parent.mkdir(parents=True)
    stale.write_text("webdav=true\n")
    prepare_store(settings)
    assert not stale.exists()


def test_certificates_are_kept_and_completed(settings: Settings) -> None:
    folder = ensure_certificates(settings)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {_mode(path) for path in folder.iterdir()} == {0o600}
    authority = x509.load_pem_x509_certificate(before["ca.crt"])
    x509.load_pem_x509_certificate(before["node.crt"]).verify_directly_issued_by(authority)
    ensure_certificates(settings)
    assert (folder / "node.crt").read_bytes() == before["node.crt"]
    (folder / "ca.crt").unlink()  # as when the first start was killed half-way
    ensure_certificates(settings)
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    x509.load_pem_x509_certificate((folder / "node.crt").read_bytes()).verify_directly_issued_by(authority)


def test_supervisord_configuration_names_every_service_and_holds_no_secret(settings: Settings) -> None:
    ensure_secrets(settings)
    text = configuration(settings)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert [section.removeprefix("program:") for section in parser.sections() if section.startswith("program:")] == list(SERVICES)
    for name, service in SERVICES.items():
        section = parser[f"program:{name}"]
        assert (section["autorestart"], section["autostart"], section["stopasgroup"], section["killasgroup"]) == (
            "true",
            "false",
            "true",
            "true",
        )
        assert int(section["stopwaitsecs"]) == service.stop_seconds
    assert int(parser["program:store"]["stopwaitsecs"]) >= 20
    for entry in json.loads((settings.secrets_dir / "s3.json").read_text()).values():
        assert entry["secret"] not in text


def test_percent_signs_in_the_home_folder_survive(tmp_path: Path) -> None:
    settings = load_settings({"LAKE_HOME": str(tmp_path / "100% lake")})
    parser = configparser.ConfigParser()
    parser.read_string(configuration(settings))
    assert parser["supervisord"]["childlogdir"] == str(settings.log_dir)


def test_a_long_home_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    settings = load_settings({"LAKE_HOME": str(tmp_path / ("very-long-folder-name" * 6))})
    path = socket_path(settings)
    try:
        assert len(os.fsencode(path)) < 100
        assert _mode(path.parent) == 0o700
        path.parent.chmod(0o755)
        with pytest.raises(ServiceError, match="this user's alone"):
            socket_path(settings)
    finally:
        path.parent.rmdir()


def test_children_see_the_same_lake_and_no_foreign_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("LAKE_STRAY", "1")
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"LAKE_HOME": "relative", "LAKE_PORT_BASE": "9100"})
    environment = supervisor_environment(settings)
    assert "AWS_ACCESS_KEY_ID" not in environment
    assert "LAKE_STRAY" not in environment
    again = load_settings(environment)
    assert (again.home, again.ports, again.s3_endpoint) == (settings.home, settings.ports, settings.s3_endpoint)
    assert lake_environment(settings)[STAMP] != lake_environment(load_settings({"LAKE_HOME": "other"}))[STAMP]


def test_the_store_process_gets_only_what_it_needs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN", "t")
    ensure_secrets(settings)
    prepare_store(settings)
    environment = build_program(settings, "store", supervisor_environment(settings)).environment
    assert "WEBHOOK_TOKEN" not in environment
    assert environment["HOME"] == str(settings.home / "run")
    assert environment[STAMP]


def test_a_lake_from_before_the_viewer_gets_its_password_and_keeps_the_rest(settings: Settings) -> None:
    ensure_secrets(settings)
    path = settings.secrets_dir / "superset.json"
    old = {name: value for name, value in json.loads(path.read_text()).items() if not name.startswith("viewer_")}
    path.write_text(json.dumps(old))
    with pytest.raises(ConfigError, match=r"lacks viewer_user, viewer_password"):
        superset_secrets(settings)
    ensure_secrets(settings)
    own = superset_secrets(settings)
    assert {name: own[name] for name in old} == old
    assert own["viewer_password"] in (settings.secrets_dir / "passwords.txt").read_text()
    assert _mode(settings.secrets_dir / "passwords.txt") == 0o600


def test_the_superset_process_gets_its_own_secrets_and_the_reading_key_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_TOKEN", "t")
    ensure_secrets(settings)
    program = build_program(settings, "superset", supervisor_environment(settings))
    own, keys = superset_secrets(settings), json.loads((settings.secrets_dir / "s3.json").read_text())
    given = {name: value for name, value in program.environment.items() if name.startswith(("SUPERSET_", "GOLD_RO_"))}
    assert given == {
        "SUPERSET_SECRET_KEY": own["secret_key"],
        "SUPERSET_ADMIN_PASSWORD": own["admin_password"],
        "SUPERSET_VIEWER_PASSWORD": own["viewer_password"],
        "GOLD_RO_KEY": keys["bi"]["key"],
        "GOLD_RO_SECRET": keys["bi"]["secret"],
    }
    others = {entry["secret"] for name, entry in keys.items() if name != "bi"}
    others |= set(json.loads((settings.secrets_dir / "store.json").read_text()).values())
    assert not others & set(program.environment.values())
    assert "WEBHOOK_TOKEN" not in program.environment
    assert not any(secret in argument for secret in (*others, *given.values()) for argument in program.argv)


def test_both_environments_call_supersets_users_by_the_same_names() -> None:
    assert (secrets.ADMIN_USER, secrets.VIEWER_USER) == (roles.ADMIN_USER, roles.VIEWER_USER)


def test_dagster_programs_use_the_generated_workspace(settings: Settings) -> None:
    ensure_secrets(settings)
    home = write_dagster_home(settings)
    environment = supervisor_environment(settings)
    webserver = build_program(settings, "webserver", environment)
    assert webserver.environment["DAGSTER_HOME"] == str(home)
    assert str(home / "workspace.yaml") in webserver.argv
    server = yaml.safe_load((home / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
    assert server == {"host": "127.0.0.1", "port": 9010, "location_name": "lang_nghe"}
    code_server = build_program(settings, "code_server", environment)
    assert code_server.argv[-1] == "--use-python-environment-entry-point"
    assert "9010" in code_server.argv


def test_dagster_accepts_the_instance_file(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    home = write_dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.get() as instance:
        assert instance.run_retries_enabled
        assert instance.run_monitoring_enabled
        assert not instance.get_settings("telemetry")["enabled"]
        assert instance.get_settings("freshness")["enabled"]
        assert not instance.get_settings("run_retries")["retry_on_asset_or_op_failure"]
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"


def test_root_workspace_and_generated_one_name_the_same_location(settings: Settings) -> None:
    root = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())["load_from"][0]["python_module"]
    assert root == {"module_name": "orchestration.definitions", "location_name": "lang_nghe"}
    assert root["module_name"] in build_program(settings, "code_server", {}).argv


def test_postgres_without_its_driver_is_refused(tmp_path: Path) -> None:
    settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_POSTGRES_URL": "postgresql://lake@db/dagster"})
    try:
        config = instance_config(settings)
    except ConfigError as error:
        assert "dagster-postgres" in str(error)  # noqa: PT017  which of the two holds depends on what is installed
    else:
        assert config["storage"] == {"postgres": {"postgres_url": {"env": "LAKE_POSTGRES_URL"}}}


def test_a_taken_port_is_named_with_service_variable_and_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_DAGSTER_PORT": str(port)})
        with pytest.raises(ServiceError, match=rf"port {port}, needed by the Dagster UI .*pid {os.getpid()}.*LAKE_DAGSTER_PORT"):
            require_free_ports(settings, ["webserver"])


def test_two_services_on_one_port_are_refused(tmp_path: Path, free_port_base: object) -> None:
    base = free_port_base()  # type: ignore[operator]
    settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_SUPERSET_PORT": str(base), "LAKE_DAGSTER_PORT": str(base)})
    with pytest.raises(ServiceError, match="given to both"):
        require_free_ports(settings, ["webserver", "superset"])


def test_unknown_service_is_refused(settings: Settings) -> None:
    with pytest.raises(ServiceError, match="Unknown service 'kafka'; known: store"):
        start_services(settings, ["kafka"], progress=lambda _: None)


def test_status_and_stop_when_nothing_ever_ran(settings: Settings) -> None:
    states = status(settings)
    assert [entry.name for entry in states] == list(SERVICES)
    assert {entry.state for entry in states} == {"STOPPED"}
    assert not settings.home.exists()
    assert isinstance(states[0], ServiceStatus)
    stop_services(settings)


def test_ports_of_all_services_are_distinct(settings: Settings) -> None:
    ports = [port for name in SERVICES for port in service_ports(settings, name).values()]
    assert len(ports) == len(set(ports))


def test_a_demo_city_comes_back_as_it_was(tmp_path: Path) -> None:
    environment = {"LAKE_HOME": str(tmp_path), "LAKE_DEMO_SCALE": "0.2"}
    write_demo_state(load_settings(environment), released_round=2)
    again = load_settings({"LAKE_HOME": str(tmp_path)})
    assert again.source_groups == ("demo", "upload")
    argv = build_program(again, "demo_city", {}).argv
    assert argv[argv.index("--scale") + 1] == "0.2"
    assert argv[argv.index("--round") + 1] == "2"
    with pytest.raises(ConfigError, match=r"has the scale 0\.2, LAKE_DEMO_SCALE says 3"):
        demo_state(load_settings({"LAKE_HOME": str(tmp_path), "LAKE_DEMO_SCALE": "3"}))
    (tmp_path / "demo.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="is not what the demo wrote"):
        demo_state(again)
