# SPDX-License-Identifier: ISC
"""Which sections and tags there are: what to look for a misspelt one in, and what to say about one without effect."""

from collections.abc import Mapping
from enum import Enum

from ike_auth.config.errors import Problems, bracketed, did_you_mean, quoted
from ike_auth.config.ini import Section

READ = ""
NOT_YET = "is not supported yet and has no effect"
NO_EFFECT = "has no effect here"


class Kind(Enum):
    """What a section describes, in the words of isakmpd.conf(5)."""

    GENERAL = "general section"
    PHASE_1 = "phase 1 section"
    PHASE_2 = "phase 2 section"
    KEYNOTE = "KeyNote section"
    X509 = "certificate section"
    PEER = "ISAKMP-peer section"
    PHASE_1_ID = "Phase1-ID section"
    PHASE_1_CONFIGURATION = "ISAKMP-configuration section"
    PHASE_1_TRANSFORM = "ISAKMP-transform section"
    LIFETIME = "lifetime section"
    CONNECTION = "IPsec-connection section"
    PHASE_2_CONFIGURATION = "IPsec-configuration section"
    SUITE = "IPsec-suite section"
    PROTOCOL = "IPsec-protocol section"
    PHASE_2_TRANSFORM = "IPsec-transform section"
    PHASE_2_ID = "IPsec-ID section"
    MODE_CONFIG = "IKECFG-ID section"
    INITIATOR_ID = "Initiator-ID section"


FIXED = {
    "General": Kind.GENERAL,
    "Phase 1": Kind.PHASE_1,
    "Phase 2": Kind.PHASE_2,
    "KeyNote": Kind.KEYNOTE,
    "X509-certificates": Kind.X509,
}


def _read(tags: str) -> dict[str, str]:
    return dict.fromkeys(tags.split(), READ)


# tag → READ, or why it has no effect
TAGS: Mapping[Kind, Mapping[str, str]] = {
    Kind.GENERAL: {
        **_read(
            "Authorizer Check-interval Decision-log Default-phase-1-ID Default-phase-1-lifetime"
            " Default-phase-2-lifetime Default-phase-2-suites Delete-SAs DPD-check-interval ESP-in-UDP"
            " Exchange-max-time Half-open-limit"
            " Kernel Listen-on Logverbose NAT-T-Keepalive Policy-file Retransmits Use-Keynote"
        ),
        "Acquire-Only": NOT_YET,
        "Loglevel": NOT_YET,
        "Pubkey-directory": NOT_YET,
        "Renegotiate-on-HUP": NOT_YET,
        "Shared-SADB": NO_EFFECT,
    },
    Kind.PHASE_2: _read("Connections Passive-Connections"),
    Kind.KEYNOTE: {**_read("Delegations"), "Credential-directory": NOT_YET},
    Kind.X509: {
        **_read(
            "CA-directory Cert-directory CRL-check CRL-directory CRL-URLs Private-key Private-key-directory"
            " Recheck-interval Registry"
        ),
        "Accept-self-signed": "is refused: a certificate that nobody vouches for proves nothing",
    },
    Kind.PEER: {
        **_read(
            "Address Allow-Legacy Authentication Configuration Flags ID Initial-contact Local-address Phase Port"
            " Remote-ID Strict-Remote-ID Transport"
        ),
        "Credentials": NOT_YET,
        "Credential_Type": NOT_YET,
        "PKAuthentication": NOT_YET,
    },
    Kind.PHASE_1_ID: _read("ID-type Address Network Netmask Name"),
    Kind.PHASE_1_CONFIGURATION: _read("DOI EXCHANGE_TYPE Transforms"),
    Kind.PHASE_1_TRANSFORM: {
        **_read("ENCRYPTION_ALGORITHM KEY_LENGTH HASH_ALGORITHM AUTHENTICATION_METHOD GROUP_DESCRIPTION Life"),
        "PRF": NO_EFFECT,
        "FIELD_SIZE": NO_EFFECT,
        "GROUP_ORDER": NO_EFFECT,
    },
    Kind.LIFETIME: _read("LIFE_TYPE LIFE_DURATION"),
    Kind.CONNECTION: {
        **_read("Phase ISAKMP-peer Configuration Local-ID Remote-ID Flags"),
        "Acquire-ID": NOT_YET,
        "Interface": NOT_YET,
        "NAT-ID": NOT_YET,
        "PF-Tag": NOT_YET,
    },
    Kind.PHASE_2_CONFIGURATION: _read("DOI EXCHANGE_TYPE Suites"),
    Kind.SUITE: {"Protocols": READ},
    Kind.PROTOCOL: _read("PROTOCOL_ID Transforms ReplayWindow"),
    Kind.PHASE_2_TRANSFORM: {
        **_read("TRANSFORM_ID ENCAPSULATION_MODE AUTHENTICATION_ALGORITHM GROUP_DESCRIPTION KEY_LENGTH Life"),
        "KEY_ROUNDS": NO_EFFECT,
        "COMPRESS_DICTIONARY_SIZE": NO_EFFECT,
        "COMPRESS_PRIVATE_ALGORITHM": NO_EFFECT,
        "ECN_TUNNEL": NOT_YET,
    },
    Kind.PHASE_2_ID: _read("ID-type Address Network Netmask Protocol Port"),
    Kind.MODE_CONFIG: _read(
        "Address Netmask Nameserver WINS-server DHCP-server Network Prefix Lifetime Mode Attributes"
    ),
    Kind.INITIATOR_ID: {"Authentication": READ},
}

# The tag that gives away what an unused section describes.
MARKS = {
    "ENCRYPTION_ALGORITHM": Kind.PHASE_1_TRANSFORM,
    "TRANSFORM_ID": Kind.PHASE_2_TRANSFORM,
    "PROTOCOL_ID": Kind.PROTOCOL,
    "Protocols": Kind.SUITE,
    "Suites": Kind.PHASE_2_CONFIGURATION,
    "LIFE_TYPE": Kind.LIFETIME,
    "LIFE_DURATION": Kind.LIFETIME,
    "ID-type": Kind.PHASE_2_ID,
    "ISAKMP-peer": Kind.CONNECTION,
    "Phase": Kind.PEER,
    "EXCHANGE_TYPE": Kind.PHASE_1_CONFIGURATION,
    "Authentication": Kind.INITIATOR_ID,
}
MODE_CONFIG_NAMES = ("ipv4/", "ipv6/", "fqdn/", "ufqdn/", "asn1_dn/")


def kind_of(section: Section) -> Kind | None:
    """What a section that nothing refers to seems to describe."""
    if section.name.lower().startswith(MODE_CONFIG_NAMES):
        return Kind.MODE_CONFIG
    phase = section.get("Phase")
    if phase and phase.value == "2":
        return Kind.CONNECTION
    return next((kind for tag, kind in MARKS.items() if section.get(tag)), None)


def check_tags(section: Section, kind: Kind, problems: Problems) -> None:
    """Warns of tags that a section of this kind does not have, and of those that have no effect."""
    if kind is Kind.PHASE_1:  # its tags are addresses
        return
    known = TAGS[kind]
    # One section may be the ID of a peer and of traffic.
    if kind in (Kind.PHASE_1_ID, Kind.PHASE_2_ID):
        known = {**TAGS[Kind.PHASE_1_ID], **TAGS[Kind.PHASE_2_ID]}
    by_lower = {tag.lower(): tag for tag in known}
    for entry in section.entries.values():
        tag = by_lower.get(entry.tag.lower())
        if tag is None:
            where = f"in {bracketed(section.name)}"
            hint = _elsewhere(entry.tag) or did_you_mean(entry.tag, known) or f"tags there: {', '.join(known)}"
            problems.warn(entry.where, f"unknown tag {quoted(entry.tag)} {where}", hint)
        elif reason := known[tag]:
            problems.warn(entry.where, f"{quoted(tag)} {reason}")


def _elsewhere(tag: str) -> str:
    """The section of a fixed name that has such a tag."""
    for name, kind in FIXED.items():
        if any(known.lower() == tag.lower() for known in TAGS.get(kind, ())):
            return f"it belongs into {bracketed(name)}"
    return ""
