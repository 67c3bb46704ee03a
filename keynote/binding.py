# SPDX-License-Identifier: ISC
"""Whether a policy for IPsec binds `remote_id`: lets somebody in under the names that it has in mind, and no others.

The daemon's strict rule 3, and what `keynote lint` says of it, are this code. `remote_id` is given values that occur
nowhere in the policy, and everything else is unknown; so no syntax can feign a test of the name.
"""

from collections.abc import Mapping, Sequence
from secrets import randbelow, token_hex
from typing import Final

from keynote.environment import Unknown
from keynote.explanation import Decision
from keynote.schemas.ipsec import APP_DOMAIN
from keynote.session import BOOLEAN, Session

#: What is known of every action of IPsec, before anything is known of it.
ACTION: Final[Mapping[str, str]] = {"app_domain": APP_DOMAIN, "doi": "ipsec"}


def unbound(session: Session, principals: Sequence[str]) -> Decision | None:
    """An answer by which policy lets in whomever these principals vouch for, under any name; None if it does not."""
    for name in fresh_identities():
        action = {**ACTION, **name}
        answer = session.query(action, principals, BOOLEAN, Unknown.except_(action))
        if answer.possible:
            return answer
    return None


# Endings that a careless pattern takes for a test of the name.
_DOMAINS: Final = ("com", "org", "net", "local", "internal", "example")


def fresh_identities() -> list[dict[str, str]]:
    """Identities of every kind that a peer can have, with values that no policy can have foreseen: first and last in
    every order of strings, and of the shapes that patterns look for."""
    word = "x" + token_hex(16)
    hosts = [f"{first}{word}.{domain}" for first in "0z" for domain in (word, *_DOMAINS)]
    mails = [f"{first}{word}@{word}.{domain}" for first in "0z" for domain in (word, *_DOMAINS)]
    low, high = randbelow(200), randbelow(200)
    shapes = {
        "FQDN": [word, word.upper(), *hosts],
        "User FQDN": mails,
        "ASN1 DN": [
            f"/CN={word}",
            f"/C=XX/ST={word}/L={word}/O={word}/OU={word}/CN={word}/emailAddress={word}@{word}.{word}",
            f"/UID={word}/CN=z{word}.{word}",
            f"/DC={word}/O={word}/CN=0{word}",
        ],
        "Key ID": ["0" + word, "z" + word],
        "IPv4 address": [
            f"000.000.{low:03d}.{high:03d}",
            f"127.{low:03d}.{high:03d}.001",
            f"255.255.{low:03d}.{high:03d}",
        ],
        "IPv6 address": _fresh_ipv6(),
    }
    return [{"remote_id": name, "remote_id_type": kind} for kind, names in shapes.items() for name in names]


def _fresh_ipv6() -> list[str]:
    groups = ":".join(token_hex(2) for _ in range(6))
    return [f"{start}:{groups}" for start in ("0000:0000", "2001:0db8", "fe80:0000", "ffff:ffff")]
