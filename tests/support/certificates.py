"""Certificates for tests, made by the openssl command: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.dcmtk import need


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, PEM."""

    cert: Path
    key: Path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([need("openssl"), *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA that lives in a folder."""

    def __init__(self, folder: Path, name: str = "Test CA") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.pair = self.own(name, "ca")
        self.cert = self.pair.cert

    def own(self, common_name: str, stem: str, *names: str, bits: int = 2048, password: str = "") -> Pair:
        """Signed by itself. `names` as in DNS:localhost or IP:127.0.0.1."""
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        alternative = ("-addext", f"subjectAltName={','.join(names)}") if names else ()
        secret = ("-passout", f"pass:{password}") if password else ("-noenc",)
        _openssl(
            "req", "-x509", "-newkey", f"rsa:{bits}", *secret, "-keyout", pair.key, "-out", pair.cert,
            "-days", "90", "-subj", f"/CN={common_name}", *alternative,
        )  # fmt: skip
        return pair

    def issue(self, common_name: str, stem: str, *names: str, days: int = 90) -> Pair:
        """Signed by the authority; `days` below 0: it has expired."""
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        request, extensions = self._folder / f"{stem}.csr", self._folder / f"{stem}.ext"
        _openssl(
            "req",
            "-newkey",
            "rsa:2048",
            "-noenc",
            "-keyout",
            pair.key,
            "-out",
            request,
            "-subj",
            f"/CN={common_name}",
        )
        extensions.write_text(f"subjectAltName={','.join(names)}\n" if names else "basicConstraints=CA:FALSE\n")
        _openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.pair.key, "-CAcreateserial",
            "-days", str(days), "-extfile", extensions, "-out", pair.cert,
        )  # fmt: skip
        return pair
