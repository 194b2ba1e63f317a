"""What the lake asks of its S3 endpoint before it writes anything: buckets that exist, and a put that refuses to overwrite.

Belongs here: the start-up checks against any endpoint, embedded or outside. Not here: the embedded server (embedded_store.py), reading
and writing of data (lake_config).
"""

import datetime
import uuid
from urllib.parse import urlsplit

import httpx
import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from lake_config.errors import ConfigError, StoreError
from lake_config.settings import BUCKETS, Settings

_TIMEOUT_SECONDS = 10.0
_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden"})


def store_client(settings: Settings, identity: str) -> Minio:
    """A MinIO SDK client for one identity, with a short time limit and one retry: start-up checks must answer soon.

    Raises ConfigError when the identity has no keys.
    """
    keys = settings.credentials(identity)
    parts = urlsplit(settings.s3_endpoint)
    if parts.path not in {"", "/"} or not parts.netloc:
        raise ConfigError(f"LAKE_S3_ENDPOINT={settings.s3_endpoint!r} must be scheme, host and port only, for example http://minio:9000.")
    pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=_TIMEOUT_SECONDS, read=_TIMEOUT_SECONDS), retries=urllib3.Retry(total=1))
    return Minio(
        endpoint=parts.netloc,
        access_key=keys.key,
        secret_key=keys.secret,
        secure=parts.scheme == "https",
        region=settings.s3_region,
        http_client=pool,
    )


def _unreachable(settings: Settings, error: Exception) -> StoreError:
    remedy = "start it with './lake up'" if settings.is_store_embedded else "check LAKE_S3_ENDPOINT and that the store runs"
    return StoreError(f"The object store at {settings.s3_endpoint} cannot be reached ({type(error).__name__}): {remedy}.")


def ensure_buckets(settings: Settings) -> list[str]:
    """Make the buckets that are missing, as the admin identity; return the names of those made.

    Against an outside store the admin keys may be absent: then the buckets must exist already. Raises StoreError naming the missing
    buckets.
    """
    try:
        client, may_make = store_client(settings, "admin"), True
    except ConfigError:
        if settings.is_store_embedded:
            raise
        client, may_make = store_client(settings, "pipeline"), False
    try:
        missing = [bucket for bucket in BUCKETS if not client.bucket_exists(bucket_name=bucket)]
    except S3Error as error:
        raise StoreError(
            f"The object store at {settings.s3_endpoint} refuses to say which buckets exist ({error.code}):"
            f" check the keys of the identity {'admin' if may_make else 'pipeline'}."
        ) from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise _unreachable(settings, error) from error
    made = [bucket for bucket in missing if may_make and _make_bucket(settings, client, bucket)]
    absent = [bucket for bucket in missing if bucket not in made]
    if absent:
        raise StoreError(
            f"The object store at {settings.s3_endpoint} lacks the buckets {', '.join(absent)} and the keys in use may not make them:"
            " make them there, or set LAKE_S3_ADMIN_KEY and LAKE_S3_ADMIN_SECRET."
        )
    return made


def _make_bucket(settings: Settings, client: Minio, bucket: str) -> bool:
    """True when the bucket is there afterwards, False when these keys may not make it."""
    try:
        client.make_bucket(bucket_name=bucket, location=settings.s3_region)
    except S3Error as error:
        if error.code in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            return True  # another start was first
        if error.code in _DENIED:
            return False
        raise StoreError(f"The object store at {settings.s3_endpoint} could not make the bucket {bucket} ({error.code}).") from error
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise _unreachable(settings, error) from error
    return True


def probe_store(settings: Settings) -> None:
    """Refuse a store on which two writers could both win: put one new key twice with ``If-None-Match: *``; the second must get 412.

    Done as the collector in the bucket `landing` under `.probe/`, and removed again. The SDK has no such header for a put, so the puts
    use its presigned addresses. Raises StoreError with the reason and the remedy.
    """
    client, key = store_client(settings, "collector"), f".probe/{uuid.uuid4()}"
    url = client.get_presigned_url("PUT", bucket_name="landing", object_name=key, expires=datetime.timedelta(minutes=5))
    try:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:  # as the SDK and delta-rs: no proxy between lake and store
            first, second = (http.put(url, content=content, headers={"If-None-Match": "*"}) for content in (b"first", b"second"))
    except httpx.HTTPError as error:
        raise _unreachable(settings, error) from error
    if first.is_success or second.is_success:
        _remove(client, key)
    if not first.is_success:
        raise StoreError(_refusal(settings, first.status_code))
    if second.status_code != 412:
        raise StoreError(
            f"The object store at {settings.s3_endpoint} answered {second.status_code} instead of 412 to a put that must not overwrite"
            " (If-None-Match: *). Two writers could both commit, so the lake refuses to write there:"
            " use MinIO, AWS S3 or the embedded store."
        )


def _refusal(settings: Settings, status: int) -> str:
    where = f"The object store at {settings.s3_endpoint}"
    if status == 403:
        return f"{where} refused a put by the identity collector (403): check its keys and its right to write to the bucket landing."
    if status == 404:
        return f"{where} has no bucket landing (404): './lake up' makes it where the admin keys allow."
    return f"{where} answered {status} to a put with If-None-Match: the lake needs conditional writes and refuses to write there."


def _remove(client: Minio, key: str) -> None:
    try:
        client.remove_object(bucket_name="landing", object_name=key)
    except (MinioException, urllib3.exceptions.HTTPError) as error:
        raise StoreError(
            f"The start-up probe could not remove its object landing/{key} ({type(error).__name__}): check the collector's rights."
        ) from error
