# SPDX-License-Identifier: ISC
"""Which peers policy can never license, and about which nothing must be said."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

import keynote
from ike_auth.authorization.hopeless import hopeless
from ike_auth.authorization.keynote import KeyNoteAuthorizer, certificate_principals
from ike_auth.authorization.no_policy import NoPolicy
from ike_auth.authorization.requests import CertifiedKey
from ike_auth.config import isakmpd
from ike_auth.demo import policies
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, Host
from ike_auth.wire.identities import Identity
from keynote.principals import shown_principal
from pki.chain import ChainError, TrustAnchors, validate
from tests.ike_auth.authorization.requests import NOW, identity_request
from tests.ike_auth.configurations import A, gateway
from tests.pki import factory


def subject(name: str) -> x509.Name:
    return x509.Name.from_rfc4514_string(",".join(reversed(name.split("/")[1:])))


def authority(name: str, issuer: factory.Issued | None = None, key: str = "ca") -> factory.Issued:
    return factory.authority(subject(name), issuer, key=key)


CA = authority("/CN=Example CA")
OTHER = authority("/CN=Other CA", key="other")
BELOW = authority("/CN=Branch CA", CA, key="below")
KEY = "passphrase:a key of the two gateways"
PEER = "vpn:12"  # the line of `[peer]`


def policy(*licensees: str, conditions: str = 'app_domain == "IPsec policy" && remote_id == "b.example.org"') -> str:
    names = " || ".join(f'"{name}"' for name in licensees)
    return f'Authorizer: "POLICY"\nLicensees: {names}\nConditions: {conditions} -> "true";\n'


def warnings(text: str, *anchors: factory.Issued, configuration: str = "", **options: Any) -> list[str]:
    configuration = configuration or gateway(A, **{"authentication": "rsa", **options})
    read = isakmpd.parse(configuration, "vpn")
    authorizer = KeyNoteAuthorizer(keynote.Session(keynote.parse_policy(text, name="policy.kn")))
    found = hopeless(read, TrustAnchors([anchor.certificate for anchor in anchors]), authorizer)
    return [str(problem) for problem in found]


def one(found: list[str]) -> str:
    (warning,) = found
    return warning


@pytest.mark.parametrize(
    "text",
    [
        policy("DN:/CN=Example CA"),
        policy("DN:/CN=Example CA", "DN:/CN=Exampel CA"),  # the second may be anybody
        policy("DN:/CN=b.example.org"),  # a leaf by its name
        policy("DN:/CN=Branch CA"),  # an authority between
        policy("rsa-hex:300602010f020103"),  # a leaf by its key
        policy("DN:/CN=Example CA", conditions='remote_id == "B.example.org" || esp_present == "yes"'),
        policy("DN:/CN=Example CA", conditions='GMTTimeOfDay < "2001"'),  # who knows our clock
        policy("DN:/CN=Example CA", conditions='@esp_life_seconds + 1 > 5 && remote_filter ~= "^10"'),
        # by somebody else's delegation
        policy("A") + '\nAuthorizer: "A"\nLicensees: "DN:/CN=Example CA"\n',
        # to principals that the action names
        'Authorizer: "POLICY"\nLicensees: who\n',
        # to anybody
        'Authorizer: "POLICY"\nConditions: remote_id == "b.example.org";\n',
    ],
)
def test_who_may_be_licensed_is_not_warned_of(text: str) -> None:
    assert warnings(text, CA) == []
    assert warnings(text, CA, remote_id=False) == []


def test_a_misspelt_authority() -> None:
    warning = one(warnings(policy("DN:/CN=Exampel CA"), CA))
    assert warning == (
        f"{PEER}: policy `/etc/isakmpd/isakmpd.policy` never allows anything to FQDN b.example.org of `[peer]`,"
        " which is always refused: policy.kn:2: licenses `DN:/CN=Exampel CA`,"
        f" not `{key_of(CA)}` or `DN:/CN=Example CA`"
        " (`DN:/CN=Exampel CA` in it is no authority of ours; did you mean `DN:/CN=Example CA`?)"
    )
    assert "of `[peer]`" not in one(warnings(policy("DN:/CN=Exampel CA"), CA, remote_id=False))


def key_of(issued: factory.Issued) -> str:
    (anchor,) = TrustAnchors([issued.certificate]).certificates
    return shown_principal(certificate_principals(anchor)[0])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("DN:/CN=example ca", "/CN=Example CA"),
        ("DN:/CN=Example CA", "/C=DE/O=Example/CN=Example CA"),
        ("DN:/CN=Example CA/O=Example/C=DE", "/C=DE/O=Example/CN=Example CA"),
        ("DN:/C=DE/O=Exampel/CN=Example CA", "/C=DE/O=Example/CN=Example CA"),
    ],
)
def test_other_ways_to_misspell(written: str, meant: str) -> None:
    ca = authority(meant)
    assert f"did you mean `DN:{meant}`?" in one(warnings(policy(written), ca))


@pytest.mark.parametrize("written", ["DN:/C=DE/O=Example/CN=gw", "DN:/O=Example/CN=b.example.org", "DN:/CN=berlin"])
def test_a_gateway_of_the_authoritys_organization_is_no_misspelling(written: str) -> None:
    ca = authority("/C=DE/O=Example/CN=CA")
    assert warnings(policy(written), ca) == []


def test_a_remote_id_that_policy_does_not_name() -> None:
    warning = one(warnings(policy("DN:/CN=Example CA", conditions='remote_id == "c.example.org"'), CA))
    assert warning.startswith(f"{PEER}: ")
    assert (
        "to FQDN b.example.org of `[peer]`, which is always refused: policy.kn:3: remote_id is `b.example.org`"
        in (warning)
    )
    # whoever it is, it may be c
    other = policy("DN:/CN=Example CA", conditions='remote_id == "c"')
    assert warnings(other, CA, remote_id=False) == []
    assert warnings(other, CA, peer="Strict-Remote-ID= no") == []


def test_another_application() -> None:
    text = policy("DN:/CN=Example CA", conditions='app_domain == "SPF"')
    assert "app_domain is `IPsec policy`, needs `SPF`" in one(warnings(text, CA))


def test_a_preshared_key() -> None:
    def psk(text: str, **options: Any) -> list[str]:
        return warnings(text, CA, authentication="psk", **options)

    assert psk(policy(KEY)) == []
    assert psk(policy(KEY, conditions='remote_id == "010.099.000.002"')) == []
    warning = one(psk(policy("passphrase:open sesame")))
    assert warning.startswith(f"{PEER}: policy")
    assert "`[peer]`, which is always refused: policy.kn:2: licenses another passphrase" in warning
    assert "a key" not in warning
    assert "sesame" not in warning
    assert len(psk(policy("DN:/CN=Example CA"))) == 1
    named = {"peer": "Remote-ID= peer-id"}
    assert psk(policy(KEY), **named) == []
    assert "FQDN b.example.org of `[peer]`" in one(psk(policy(KEY, conditions='remote_id == "c"'), **named))


def test_a_peer_that_may_prove_itself_in_two_ways_is_refused_if_neither_does() -> None:
    both = {"authentication": "psk", "transforms": "AES-256-SHA2-256-GRP14,AES-256-SHA2-256-GRP14-RSA_SIG"}
    assert warnings(policy(KEY), CA, **both) == []
    assert warnings(policy("DN:/CN=Example CA"), CA, **both) == []
    assert len(warnings(policy("passphrase:x"), CA, **both)) == 1


def test_one_authority_of_several() -> None:
    assert warnings(policy("DN:/CN=Example CA", "DN:/CN=Other CA"), CA, OTHER) == []
    warning = one(warnings(policy("DN:/CN=Example CA", "DN:/CN=Othr CA"), CA, OTHER))
    assert warning == (
        "policy `/etc/isakmpd/isakmpd.policy` never allows anything to whomever `/CN=Other CA` certifies:"
        " policy.kn:2: licenses `DN:/CN=Example CA` or `DN:/CN=Othr CA`,"
        f" not `{key_of(OTHER)}` or `DN:/CN=Other CA`"
        " (`DN:/CN=Othr CA` in it is no authority of ours; did you mean `DN:/CN=Other CA`?)"
    )
    # of a root alone, whose name is not in the policy: no other root is below it
    assert "`/CN=Other CA` certifies" in one(warnings(policy("DN:/CN=Example CA"), CA, OTHER))
    # but an authority below may be, and any certificate
    assert warnings(policy("DN:/CN=Branch CA"), CA, BELOW) == []
    assert warnings(policy("DN:/CN=Example CA", "DN:/CN=gw.example.org"), CA, OTHER) == []


def test_reasons_are_given_for_the_first_peers_only() -> None:
    more = "".join(f"10.99.1.{number}= more-{number}\n" for number in range(1, 30))
    sections = "".join(f"[more-{number}]\nPhase= 1\nAuthentication= key {number}\n" for number in range(1, 30))
    text = gateway(A).replace("[Phase 1]\n", f"[Phase 1]\n{more}") + sections
    found = warnings(policy("passphrase:x"), configuration=text)
    assert len(found) == 30
    assert ["policy.kn:2" in warning for warning in found] == 20 * [True] + 10 * [False]


def test_authorities_are_nothing_to_those_who_have_keys() -> None:
    assert warnings(policy(KEY), CA, OTHER, authentication="psk") == []


def test_without_authorities_nothing_is_said_here() -> None:
    assert warnings(policy("DN:/CN=Example CA")) == []


def test_other_authorizers_are_not_asked() -> None:
    configuration = isakmpd.parse(gateway(A, authentication="rsa"))
    assert list(hopeless(configuration, TrustAnchors([CA.certificate]), NoPolicy())) == []


# Invariant: of a peer that is warned of, no certificate is ever accepted, whatever its name and whoever issued it.
LEAVES = [
    (factory.leaf(CA, "b.example.org", subject=subject("/CN=gw")), ()),
    (factory.leaf(CA, "b.example.org", subject=subject("/CN=b.example.org")), ()),
    (factory.leaf(BELOW, "b.example.org", subject=subject("/CN=gw")), (BELOW.der,)),
    (factory.leaf(OTHER, "b.example.org", subject=subject("/CN=b.example.org")), ()),
]
LICENSED = ["DN:/CN=Example CA", "DN:/CN=Other CA", "DN:/CN=Branch CA", "DN:/CN=gw", "DN:/CN=b.example.org", KEY, "A"]
TESTS = [
    'remote_id == "b.example.org"',
    'remote_id == "c"',
    'remote_id_type == "FQDN"',
    'esp_present == "yes"',
    "false",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(["POLICY", *LICENSED]), st.sampled_from(LICENSED), st.sampled_from(TESTS)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([(CA,), (CA, OTHER), (CA, BELOW), (OTHER,)]),
    st.booleans(),
)
def test_no_false_alarm(
    assertions: list[tuple[str, str, str]], trusted: tuple[factory.Issued, ...], remote_id: bool
) -> None:
    text = "\n".join(f'Authorizer: "{by}"\nLicensees: "{to}"\nConditions: {test};\n' for by, to, test in assertions)
    warned = warnings(text, *trusted, remote_id=remote_id)
    if not warned:
        return
    authorizer = KeyNoteAuthorizer(keynote.Session(keynote.parse_policy(text, name="policy.kn")))
    anchors = TrustAnchors([anchor.certificate for anchor in trusted])
    for leaf, between in LEAVES:
        try:
            chain = validate(leaf.der, between, anchors, NOW)
        except ChainError:
            continue
        of_authority = f"whomever `{chain.certificates[-1].subject}` certifies"
        if any(warning.startswith(PEER) or of_authority in warning for warning in warned):
            request = identity_request(Identity.fqdn("b.example.org"), CertifiedKey(chain))
            assert not authorizer.identity(request, NOW).allowed


@pytest.mark.parametrize("make", [policies.by_certificate, policies.trusting])
@pytest.mark.parametrize("host", [GATEWAY_A, GATEWAY_B])
def test_the_demos_policies(make: Callable[[Host], str], host: Host) -> None:
    configuration = gateway(A, authentication="rsa").replace("b.example.org", host.fqdn)
    assert warnings(make(host), authority("/CN=Demo CA"), configuration=configuration) == []
