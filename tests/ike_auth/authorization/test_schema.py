# SPDX-License-Identifier: ISC
"""The words that the daemon gives to attributes are those that the schema, and so `keynote lint`, knows."""

import pytest

from ike_auth.authorization.attributes import WORDS
from keynote.schemas.ipsec import ATTRIBUTES, Kind

#: What isakmpd has besides.
ONLY_ISAKMPDS = {
    "ah_auth_alg": {"sha2-256", "sha2-384", "sha2-512"},
    "remote_id_type": {"IPv4 range", "IPv4 subnet", "IPv6 range", "IPv6 subnet"},
    "remote_filter_type": {"FQDN", "User FQDN", "ASN1 DN", "ASN1 GN", "Key ID"},
}


@pytest.mark.parametrize("name", WORDS)
def test_the_words_of_an_attribute(name: str) -> None:
    described = ATTRIBUTES[name]
    assert described.kind in (Kind.CHOICE, Kind.WORD_OR_NUMBER)
    assert WORDS[name] == set(described.words) - ONLY_ISAKMPDS.get(name, set())


def test_every_choice_is_held_against_the_daemon() -> None:
    trivial = (("yes", "no"), ("ipsec",), ("IPsec policy",))
    for attribute in ATTRIBUTES.values():
        if attribute.kind is not Kind.CHOICE or attribute.words in trivial:
            continue
        same = attribute.name.replace("local_", "remote_")
        if same.endswith("_encapsulation"):
            same = "esp_encapsulation"
        assert same in WORDS
        assert attribute.words == ATTRIBUTES[same].words
