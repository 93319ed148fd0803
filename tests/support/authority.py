"""A certificate authority for a test, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MADE = (
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-days",
    "30",  # longer than the week for which Caddy makes an authority of its own below it
)


@dataclass(frozen=True)
class Authority:
    """``certificate`` and ``key`` sign; ``chain`` and ``chain_key`` are what a server of ``name`` shows."""

    certificate: Path
    key: Path
    chain: Path
    chain_key: Path


def create(directory: Path, name: str) -> Authority:
    made = Authority(*(directory / file for file in ("ca.pem", "ca.key", "fullchain.pem", "privkey.pem")))
    _openssl(made.certificate, made.key, "/CN=test authority", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(
        made.chain,
        made.chain_key,
        f"/CN={name}",
        f"subjectAltName=DNS:{name}",
        "basicConstraints=critical,CA:FALSE",
        signed_by=("-CA", str(made.certificate), "-CAkey", str(made.key)),
    )
    return made


def _openssl(
    certificate: Path, key: Path, subject: str, *extensions: str, signed_by: tuple[str, ...] = ()
) -> None:
    out = ["-out", str(certificate), "-keyout", str(key), "-subj", subject]
    added = [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run([*MADE, *out, *added, *signed_by], check=True, capture_output=True)
