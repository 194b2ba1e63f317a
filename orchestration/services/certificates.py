"""The certificate that closes the embedded store's inner gRPC ports to everybody else on the machine.

The store's parts speak gRPC to each other, unauthenticated unless both ends show a certificate of one authority: without it any local
user reads every bucket past the S3 keys. Belongs here: making that certificate. Not here: public TLS, which is a reverse proxy's work.
"""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lake_config.settings import Settings, write_private

_LIFETIME_DAYS = 3650
_RENEW_DAYS = 365


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # a clock set back a little must not stop the store
        .not_valid_after(now + datetime.timedelta(days=_LIFETIME_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _is_good(path: Path) -> bool:
    if not path.is_file():
        return False
    expiry = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    return expiry - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=_RENEW_DAYS)


def ensure_certificates(settings: Settings) -> Path:
    """Make ca.crt, node.crt and node.key in ``secrets_dir/store-tls`` when absent or within a year of expiry; return the folder.

    The authority's private key is dropped once it has signed: nobody, this program included, can issue a second certificate.
    """
    folder = settings.secrets_dir / "store-tls"
    if all(_is_good(folder / name) for name in ("ca.crt", "node.crt")) and (folder / "node.key").is_file():
        return folder
    authority_key, node_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    private = node_key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / "node.key", private)
    write_private(folder / "node.crt", _certificate("lake-store", node_key, "lake-store-authority", authority_key, is_authority=False))
    # The authority's file comes last: a start killed half-way leaves no complete set and begins again.
    write_private(
        folder / "ca.crt", _certificate("lake-store-authority", authority_key, "lake-store-authority", authority_key, is_authority=True)
    )
    return folder
