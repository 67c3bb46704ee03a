# SPDX-License-Identifier: ISC
"""What names an authority may issue for (RFC 5280 4.2.1.10), as text: `dns:example.org`, `ip:192.0.2.0/24`,
`mail:example.org`. Of the kinds that are checked here (`chain_constraints`), and no others."""

import ipaddress
from collections.abc import Sequence

from cryptography import x509

from pki import names
from pki.errors import NameInvalid, shown


def constraints(permitted: Sequence[str], excluded: Sequence[str]) -> x509.NameConstraints | None:
    """None where there are none. Raises NameInvalid."""
    if not permitted and not excluded:
        return None
    return x509.NameConstraints(
        [subtree(text) for text in permitted] or None, [subtree(text) for text in excluded] or None
    )


def subtree(text: str) -> x509.GeneralName:
    """`dns:example.org` is that host and all below it. `mail:example.org` are the mailboxes of that host,
    `mail:.example.org` those of all hosts below it, `mail:alice@example.org` is one. Raises NameInvalid."""
    kind, colon, value = text.partition(":")
    match kind:
        case "dns" if colon:
            return x509.DNSName(names.fqdn(names.a_labels(value)))
        case "mail" if "@" in value:
            return x509.RFC822Name(names.mail(value))
        case "mail":
            dot = "." if value.startswith(".") else ""
            return x509.RFC822Name(dot + names.fqdn(names.a_labels(value.removeprefix("."))))
        case "ip" if colon:
            try:
                return x509.IPAddress(ipaddress.ip_network(value))
            except ValueError as error:
                raise NameInvalid(f"`{shown(text)}` is not a network: {error}", "ip:192.0.2.0/24") from error
    raise NameInvalid(
        f"`{shown(text)}` is no constraint on names", "dns:example.org, ip:192.0.2.0/24 or mail:example.org"
    )


def texts(found: x509.NameConstraints) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is permitted and what is excluded, as `subtree` reads it."""
    return _texts(found.permitted_subtrees), _texts(found.excluded_subtrees)


def _texts(subtrees: Sequence[x509.GeneralName] | None) -> tuple[str, ...]:
    kinds = {x509.DNSName: "dns", x509.RFC822Name: "mail", x509.IPAddress: "ip"}
    return tuple(f"{kinds.get(type(it), type(it).__name__)}:{it.value}" for it in subtrees or ())
