# SPDX-License-Identifier: ISC
"""The forms in which certificates are handed over: data, and what is common to asking for any of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pki import keys
from pki.bundles import android, apple, isakmpd, libreswan, pem, pkcs12, racoon, strongswan, windows
from pki.bundles.files import Bundle
from pki.bundles.handover import Handover
from pki.bundles.request import Compat, Request
from pki.errors import PkiError, shown

# What a request says of the connection, and the option that says it.
OPTIONS: Final = {
    "server": "--server",
    "remote_id": "--remote-id",
    "networks": "--network",
    "local_networks": "--local-network",
    "title": "--title",
    "ike": "--ike",
}


@dataclass(frozen=True, slots=True)
class Format:
    """One form. `takes` names the fields of a request that mean something to it; what takes `server` needs it."""

    name: str
    about: str
    make: Callable[[Handover, Request], Bundle]
    kinds: tuple[str, ...]  # of keys that its readers have, or how these kinds begin (`keys.KINDS`)
    takes: frozenset[str] = frozenset()
    suffix: str = ""  # of the one file that it is; empty: it is a directory
    compat: Compat | None = None  # how its PKCS#12 is sealed unless told otherwise; None: it has none
    is_text: bool = False  # short enough, with a small key, for a QR code
    opened_by: str = ""  # which software of its users has opened one of ours, in our tests; empty: none

    @property
    def needs_key(self) -> bool:
        return self.compat is not None

    def bundle(self, handover: Handover, request: Request) -> Bundle:
        """Raises PkiError."""
        if self.needs_key and handover.key is None:
            raise PkiError(
                f"{self.name} needs the private key of `{handover.leaf.name}`",
                f"its holder has the key: export the rest for {' or '.join(WITHOUT_KEY)}",
            )
        kind = keys.kind(handover.leaf.certificate.public_key())
        if not kind.startswith(self.kinds):
            usable = [it for it in keys.KINDS if it.startswith(self.kinds)]
            raise PkiError(f"{self.name} has no keys of kind {kind}", f"one of {', '.join(usable)}")
        for name, option in OPTIONS.items():
            if getattr(request, name) != getattr(_UNASKED, name) and name not in self.takes:
                raise PkiError(f"{option} means nothing to {self.name}", f"leave out {option}")
        if not request.title.isprintable():
            raise PkiError(f"`{shown(request.title)}` cannot be a title", "use printable text")
        if "server" in self.takes and request.server is None:
            raise PkiError(f"{self.name} needs --server", "--server vpn.example.org: where the client connects to")
        return self.make(handover, request)


_UNASKED = Request()
_PERSON = frozenset({"server", "remote_id", "title"})
_SITE = _PERSON | {"networks", "local_networks"}
_RSA = ("rsa-",)
_USUAL = (*_RSA, "p-")
_NEWER = (*_USUAL, "ed25519")

FORMATS: Final = {
    it.name: it
    for it in (
        Format(
            "android",
            "profile for strongSwan's app",
            android.make,
            _USUAL,
            _PERSON | {"networks"},
            suffix=".sswan",
            compat="legacy",
            is_text=True,
        ),
        Format(
            "apple", "profile for iOS and macOS", apple.make, _USUAL, _PERSON, suffix=".mobileconfig", compat="legacy"
        ),
        Format(
            "isakmpd", "what isakmpd and ike-auth read below /etc/isakmpd", isakmpd.make, _RSA, opened_by="ike-auth"
        ),
        Format(
            "libreswan",
            "PKCS#12 for NSS, a connection, a script",
            libreswan.make,
            _USUAL,
            _SITE | {"ike"},
            compat="modern",
            opened_by="libreswan",
        ),
        Format("p12", "PKCS#12", pkcs12.make, _NEWER, suffix=".p12", compat="modern", opened_by="OpenSSL"),
        Format("pem", "certificates and key in PEM", pem.make, keys.KINDS, opened_by="OpenSSL"),
        Format("racoon", "racoon.conf and its certificates", racoon.make, _RSA, _SITE),
        Format(
            "strongswan",
            "what swanctl reads below /etc/swanctl",
            strongswan.make,
            _NEWER,
            _SITE | {"ike"},
            opened_by="strongSwan",
        ),
        Format(
            "windows",
            "PowerShell script, PKCS#12, certificates",
            windows.make,
            (*_RSA, "p-256", "p-384"),
            frozenset({"server", "title", "networks"}),
            compat="modern",
        ),
    )
}
WITHOUT_KEY: Final = tuple(it.name for it in FORMATS.values() if not it.needs_key)
