# SPDX-License-Identifier: ISC
"""The zoo by `openssl verify`: where it decides otherwise, the table here and in docs/pki.md says why."""

import re
from pathlib import Path

import pytest

from tests.pki.zoo import openssl
from tests.pki.zoo.chains import Kind
from tests.pki.zoo.test_zoo import ALL, named

DOCUMENT = Path(__file__).parents[3] / "docs" / "pki.md"
# why openssl decides otherwise → kinds; those that it refuses and we accept come first
DIFFERENCES: dict[str, list[str]] = {
    "it tries one path and never another": [
        "cross-signed, the second known",
        "cross-signed, the first without keyCertSign",
        "cross-signed, the first with directory name constraints",
    ],
    "for it a certificate ends before its last second": ["valid until this second"],
    "it goes by the issuer and serial number in an authorityKeyIdentifier, too": [
        "authority named by another serial number",
    ],
    "who may be a leaf, and what it is called, is the application's affair": [
        "leaf is an authority",
        "leaf says that it is an authority",
        "leaf has the root's subject",
        "leaf looks like the root",
        "leaf looks like the root but for what nobody sees",
        "leaf has its issuer's subject",
        "leaf looks like its issuer",
        "empty subject",
        "legacy: root of version 1, leaf with its name",
    ],
    "it knows no purpose IKE, and with any purpose asks for no key usage of a leaf and no extended one": [
        "keyEncipherment only",
        "dataEncipherment only",
        "keyAgreement only",
        "cRLSign only",
        "keyCertSign only",
        "keyCertSign too",
        "codeSigning",
        "serverAuth",
        "clientAuth",
        "authority for other uses",
        "authority for serverAuth",
        "root for other uses",
    ],
    "it goes by keys, not by names: nothing there trusts a name": [
        "two roots of one name",
        "authority with another root's name",
        "authority without a name",
        "root without a name",
    ],
    "it follows an authority's new key of the same name; a policy could not tell the two apart": [
        "authority that is self-issued",
    ],
    "it reads of a certificate what the path needs": [
        "version 1",
        "NUL in a name",
        "NUL in the subject",
        "NUL in the subject as BMPString",
        "authority with NUL in its subject",
        "root with NUL in its subject",
        "blank in a name",
        "serial number 0",
        "negative serial number",
        "serial number of 22 bytes",
        "exponent 1",
        "even exponent",
        "legacy: leaf of version 1",
    ],
    "it has other limits: security level 2 is 112 bits, and it bounds neither large keys nor, so soon, paths": [
        "RSA-8704",
        "exponent of 2000 bits",
        "P-224",
        "authority with P-224",
        "DSA",
        "six between",
        "eight between",
        "nine sent along",
    ],
    "it processes certificate policies": ["critical certificate policies", "authority with policy constraints"],
    "the library that we use has no such authorities": ["authority with Ed25519"],
    "RFC 5280 leaves kinds of names free that are not constrained": [
        "host under mail constraints",
        "mail under host constraints",
        "mail too under host constraints",
        "mail in the subject under host constraints",
        "subject alone under host constraints",
        "wildcard alone under host constraints",
    ],
    "a wildcard is held to constraints as if it were a host": ["wildcard of an excluded host"],
    "an authority's constraints are for those below it": ["authority outside its own"],
    "it reads more kinds of constraints": [
        "host constraint with a dot before it",
        "directory names excluded",
        "URIs permitted",
    ],
    "keyCertSign makes an authority of a root": ["root without basicConstraints"],
    "a trusted root may be of version 1, for everybody": ["root of version 1", "root of version 1 among the others"],
    "at level 0, where SHA-1 passes, MD5 does too": ["legacy: MD5", "legacy: authority with MD5"],
    "it takes these lists for what they are not, or for less than we ask": [
        "list without nextUpdate",
        "list signed with SHA-1",
        "list of peers only",
        "delta list",
    ],
}
_DIFFER = {name for names in DIFFERENCES.values() for name in names}
_VERSION = openssl.version()


@pytest.mark.skipif(
    not _VERSION.startswith("OpenSSL 3.0."), reason=f"the table is of OpenSSL 3.0, here is {_VERSION}"
)
@pytest.mark.parametrize("kind", named(ALL))
def test_openssl_agrees_or_the_table_says_why_not(kind: Kind, tmp_path: Path) -> None:
    chain = kind.make()
    if not openssl.has_opinion(chain):
        assert kind.name not in _DIFFER
        pytest.skip("openssl verify has no OCSP, and asks for every list or for none")
    accepted, words = openssl.accepts(chain, tmp_path)
    agrees = accepted == (kind.reason is None)
    assert agrees == (kind.name not in _DIFFER), words


def test_the_table_names_kinds_that_are_there_once() -> None:
    names = [name for names in DIFFERENCES.values() for name in names]
    assert len(names) == len(set(names))
    assert set(names) <= {kind.name for kind in ALL}


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(r"^\| (.+?) \| `(.+)` \|$", DOCUMENT.read_text(), re.MULTILINE)
    table = {why: names.split("`, `") for why, names in rows}
    assert {why: table.get(why) for why in DIFFERENCES} == DIFFERENCES
