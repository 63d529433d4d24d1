"""TLS after BCP 195 (PS3.15 B.12; RFC 9325): 1.2 and 1.3, the peer's certificate and name always verified."""

from __future__ import annotations

import contextlib
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from smartbox_tui.errors import SmartBoxError

CIPHERS_12: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption only (RFC 9325 4.2). All of TLS 1.3 have both."""

_CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True, slots=True)
class Trouble:
    """`cause` one word for the screens, `why` a sentence's end, `hint` what to do."""

    cause: str
    why: str
    hint: str


class TlsTrouble(SmartBoxError):
    """Code tls; `cause` says which kind."""

    def __init__(self, name: str, trouble: Trouble) -> None:
        super().__init__("tls", f"No TLS connection with {name}: {trouble.why}.", trouble.hint)
        self.cause = trouble.cause


@dataclass(frozen=True, slots=True)
class Tls:
    """What a connection is secured with. Files are PEM; each is a whole path, or the name of a systemd credential.

    ca_file    whom to trust: CAs, or the peer's own certificate; empty: the CAs that the system trusts
    cert_file  our certificate, with its intermediates behind it; empty: none is shown
    key_file   its private key, without a password; empty: it stands in cert_file
    name       the name in the peer's certificate; empty: the host's that is called
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    name: str = ""

    def context(self, peer_name: str) -> ssl.SSLContext:
        """Read anew for each connection, so that a renewed certificate holds at once. Raises TlsTrouble (files)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and name
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(CIPHERS_12)
        # What is in ca_file is trusted, be it a root, an intermediate or the peer's own certificate.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if self.ca_file:
            self._load_trusted(context, peer_name)
        else:
            context.load_default_certs()
        if self.cert_file:
            self._load_own(context, peer_name)
        return context

    def _load_trusted(self, context: ssl.SSLContext, peer_name: str) -> None:
        path = _readable(self.ca_file, "the trusted certificates (ca_file)", peer_name)
        try:
            context.load_verify_locations(path)
        except (OSError, ValueError) as exc:
            raise _unusable(
                peer_name, f"{path} holds no certificate", "ca_file is a PEM file: -----BEGIN CERTIFICATE-----."
            ) from exc

    def _load_own(self, context: ssl.SSLContext, peer_name: str) -> None:
        cert = _readable(self.cert_file, "the box's certificate (cert_file)", peer_name)
        key = _readable(self.key_file, "the box's private key (key_file)", peer_name) if self.key_file else cert
        try:
            # An empty password instead of a question on the terminal.
            context.load_cert_chain(cert, key, password="")
        except ssl.SSLError as exc:
            if exc.reason == "KEY_VALUES_MISMATCH":
                why, hint = f"the key in {key} does not belong to the certificate in {cert}", "Give both of a pair."
            elif exc.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
                why, hint = f"the certificate in {cert} is too weak", "Have one issued with RSA 2048 and SHA-256."
            else:
                why = f"{cert} and {key} are no certificate and its private key"
                hint = "Both are PEM; a key with a password cannot be read by the box: protect the file instead."
            raise _unusable(peer_name, why, hint) from exc
        except (OSError, ValueError) as exc:
            raise _unusable(peer_name, f"{cert} and {key} are no certificate and its private key", "PEM.") from exc


def _unusable(peer_name: str, why: str, hint: str) -> TlsTrouble:
    return TlsTrouble(peer_name, Trouble("files", why, hint))


def _readable(name: str, what: str, peer_name: str) -> Path:
    path = Path(name)
    if not path.is_absolute():
        path = Path(os.environ.get(_CREDENTIALS, "/run/credentials")) / name
    try:
        with path.open("rb"):
            return path
    except OSError as exc:
        why = f"{what} cannot be read from {path} ({exc.strerror or type(exc).__name__})"
        raise _unusable(peer_name, why, "Check the path, and that the box may read the file.") from exc


ENCRYPTED: Final = Trouble(
    "encrypted",
    "the other side speaks TLS only, and the box calls it without",
    "Switch TLS on for it (tls = true), or have a port without TLS opened for the box.",
)
NO_GREETING: Final = Trouble(
    "plain",
    "the port does not speak TLS",
    "Check the port: TLS often has one of its own, 2762; or set tls = false.",
)
SILENT: Final = Trouble(
    "silent", "the port does not answer the TLS greeting in time", "Check that this is the port for TLS."
)
_ISSUER: Final = Trouble(
    "issuer",
    "nobody the box trusts vouches for its certificate",
    "Give its certificate, or that of the CA which signed it, as ca_file.",
)
_NAME: Final = Trouble(
    "name",
    "its certificate is for another name",
    "Enter the server by the name in its certificate, or give that name as tls_name.",
)
_WEAK: Final = Trouble(
    "weak", "its certificate is too weak", "Have IT renew it with RSA 2048 or better, and SHA-256."
)
_DEMANDED: Final = Trouble(
    "demanded", "it demands a certificate of the box", "Give one as cert_file and key_file, issued for the box."
)
_NOT_TAKEN: Final = Trouble(
    "refused",
    "it does not accept the box's certificate",
    "Have the box's certificate or its CA entered there; check that it has not expired.",
)
_NO_CERTIFICATE: Final = Trouble(
    "demanded",
    "it breaks off the greeting; it may demand a certificate of the box, or ciphers that are not safe any more",
    "Give cert_file and key_file, or have IT see why its log says no.",
)
_VERSION: Final = Trouble(
    "version",
    "it offers no TLS 1.2 or 1.3",
    "Older versions are not safe any more: have IT switch on TLS 1.2 there.",
)
_CIPHER: Final = Trouble(
    "version", "the two have no cipher in common", "Have IT switch on ECDHE with AES-GCM for TLS 1.2, or TLS 1.3."
)
_BY_VERIFY_CODE: Final = {
    # X509_V_ERR_* of OpenSSL's x509_vfy.h
    9: Trouble(
        "not-yet", "its certificate is not valid yet", "Check the box's clock first, then the certificate's dates."
    ),
    10: Trouble("expired", "its certificate has expired", "Have IT renew it; check the box's clock, too."),
    18: _ISSUER,
    19: _ISSUER,
    20: _ISSUER,
    21: _ISSUER,
    62: _NAME,
    64: _NAME,
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}
_BY_REASON: Final = {
    "WRONG_VERSION_NUMBER": NO_GREETING,
    "HTTP_REQUEST": NO_GREETING,
    "UNEXPECTED_EOF_WHILE_READING": NO_GREETING,
    "RECORD_LAYER_FAILURE": NO_GREETING,
    "PACKET_LENGTH_TOO_LONG": NO_GREETING,
    "UNEXPECTED_MESSAGE": NO_GREETING,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _DEMANDED,
    "SSLV3_ALERT_BAD_CERTIFICATE": _NOT_TAKEN,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _NOT_TAKEN,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _NOT_TAKEN,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _NOT_TAKEN,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _NOT_TAKEN,
    "TLSV1_ALERT_UNKNOWN_CA": _NOT_TAKEN,
    "TLSV1_ALERT_ACCESS_DENIED": _NOT_TAKEN,
    "TLSV1_ALERT_DECRYPT_ERROR": _NOT_TAKEN,
    "TLSV1_ALERT_PROTOCOL_VERSION": _VERSION,
    "UNSUPPORTED_PROTOCOL": _VERSION,
    "WRONG_SSL_VERSION": _VERSION,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _CIPHER,
    "DH_KEY_TOO_SMALL": _CIPHER,
}


def explain(exc: OSError, tls: Tls) -> Trouble:
    """What an error of the handshake, or of the first words after it, means: under TLS 1.3 a server judges our
    certificate only after we believe the greeting done (RFC 8446 4.4.2.4, 6.2)."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        found = _BY_VERIFY_CODE.get(exc.verify_code)
        why = f"its certificate is not accepted ({exc.verify_message or 'no reason given'})"
        return found or Trouble("certificate", why, "Have IT check the server's certificate.")
    if isinstance(exc, TimeoutError):
        return SILENT
    if not isinstance(exc, ssl.SSLError):
        return NO_GREETING
    hung_up = isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError)  # by OpenSSL's and Python's versions
    reason = exc.reason or ("UNEXPECTED_EOF_WHILE_READING" if hung_up else "")
    if reason == "SSLV3_ALERT_HANDSHAKE_FAILURE":  # what TLS 1.2 says for both
        return _CIPHER if tls.cert_file else _NO_CERTIFICATE
    found = _BY_REASON.get(reason)
    why = f"the TLS connection failed ({reason or type(exc).__name__})"
    return found or Trouble("broken", why, "Check both sides' certificates and the server's log.")


def summary(sock: ssl.SSLSocket) -> tuple[str, str]:
    """What was agreed, and a hint where the peer's certificate ends within 30 days."""
    text, hint = f"{sock.version()}, {(sock.cipher() or ('no cipher',))[0]}", ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        certificate = sock.getpeercert() or {}
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
        text += f", certificate valid until {end:%Y-%m-%d}"
        if (end - datetime.now(UTC)).days < 30:
            hint = "The server's certificate expires soon: have IT renew it in time."
    return text, hint
