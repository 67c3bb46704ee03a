# SPDX-License-Identifier: ISC
"""What a check of a certificate is, and what it finds: values."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from keynote.severity import Severity
from pki.certificate_lint.subjects import Subject


class Platform(StrEnum):
    """Whose rules a check knows."""

    RFC = "rfc"
    IKE_AUTH = "ike-auth"
    IOS = "ios"  # and macOS: the same client
    WINDOWS = "windows"
    ANDROID = "android"  # its own IKEv2 client, and the strongSwan app
    STRONGSWAN = "strongswan"
    LIBRESWAN = "libreswan"
    RACOON = "racoon"
    ISAKMPD = "isakmpd"


@dataclass(frozen=True, slots=True)
class Finding:
    """`message` is what is so in this certificate, `fails` who will not do what then, `hint` what to do about it,
    `source` where that is from."""

    code: str
    severity: Severity
    platform: Platform
    message: str
    fails: str
    hint: str
    source: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.platform}: {self.message} [{self.code}]"

    def data(self) -> dict[str, Any]:
        """As it is told to programs."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "platform": str(self.platform),
            "message": self.message,
            "fails": self.fails,
            "hint": self.hint,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One row of the table. `run` yields a message for each thing that is so; all else is the documentation of the
    code, in whole sentences.

    An error breaks a MUST of the RFC, or is refused by the platform. A warning breaks a SHOULD, or fails in some
    versions or uses of it. The rest is worth knowing.
    """

    code: str
    severity: Severity
    platform: Platform
    title: str
    fails: str
    mend: str
    source: str
    run: Callable[[Subject], Iterator[str]] | None = None  # None: whoever reads the certificate finds it

    def data(self) -> dict[str, Any]:
        """As it is told to programs, in the words of its findings."""
        return {
            "code": self.code,
            "severity": str(self.severity),
            "platform": str(self.platform),
            "title": self.title,
            "fails": self.fails,
            "hint": self.mend,
            "source": self.source,
        }

    def finding(self, message: str) -> Finding:
        return Finding(self.code, self.severity, self.platform, message, self.fails, self.mend, self.source)
