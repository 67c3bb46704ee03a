# SPDX-License-Identifier: ISC
"""Our private keys: `Private-key-directory/<identity>`, then `Private-key`."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ike_auth.config import files
from ike_auth.config.errors import Problems, quoted
from pki.chain_certificates import ReadCertificate


class PrivateKeys:
    """Reads each file at most once, and only where there is a certificate that it may belong to."""

    def __init__(self, directory: Path, fallback: Path, problems: Problems) -> None:
        self._directory = directory
        self._fallback = fallback
        self._problems = problems
        self._keys: dict[Path, RSAPrivateKey | None] = {}
        self._unmatched: dict[Path, str] = {}  # and the name that it was looked for under
        self._matched: set[Path] = set()

    def of(self, certificate: ReadCertificate) -> RSAPrivateKey | None:
        """The key of this certificate; None if it is not one of ours."""
        for name in certificate.names:
            path = self._directory / name.value
            if "/" in name.value or (key := self._read(path)) is None:
                continue
            if key.public_key() == certificate.public_key:
                self._matched.add(path)
                return key
            self._unmatched.setdefault(path, name.value)
        key = self._read(self._fallback)
        return key if key and key.public_key() == certificate.public_key else None

    def check_all_used(self) -> None:
        """Complains of keys whose file says that they are for a name, while no certificate of that name is theirs."""
        for path, name in self._unmatched.items():
            if path not in self._matched:
                message = f"`{path}` is not the private key of a certificate that bears {quoted(name)}"
                self._problems.error(None, message, "the certificate was made for another key, or is an old one")

    def _read(self, path: Path) -> RSAPrivateKey | None:
        if path not in self._keys:
            self._keys[path] = self._load(path) if os.path.lexists(path) else None
        return self._keys[path]

    def _load(self, path: Path) -> RSAPrivateKey | None:
        content = files.read_secret_file(path, self._problems)
        if content is None:
            return None
        try:
            key = load_pem_private_key(content, password=None)
        except TypeError:
            hint = "a daemon cannot ask for its passphrase: store the key without one, readable by its owner only"
            self._problems.error(None, f"private key `{path}` is encrypted", hint)
            return None
        except (ValueError, UnsupportedAlgorithm):
            self._problems.error(None, f"`{path}` does not hold a private key in PEM")
            return None
        if not isinstance(key, RSAPrivateKey):
            hint = "IKEv1 authenticates by RSA here"
            self._problems.error(None, f"the private key in `{path}` is not an RSA key", hint)
            return None
        return key
