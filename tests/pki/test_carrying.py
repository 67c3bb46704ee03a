# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Delegations of a certificate that another one follows."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

import keynote
from keynote import key_principal, signatures
from pki import delegating, names, profiles, renewal
from pki.chain_certificates import ReadCertificate
from pki.cli import follow as following
from pki.delegating import Request
from pki.delegation_records import DelegationRecord, Draft
from pki.errors import RegistryError
from pki.issuance import Issuer, Wanted
from pki.records import Record
from tests.pki import databases, factory
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca
from tests.pki.test_auditing import found
from tests.pki.test_cli import Run, run  # noqa: F401
from tests.pki.test_cli_delegations import TUNNEL

pytestmark = pytest.mark.usefixtures("small_keys")

LATER = NOW + DAY
ALICE = "DN:/C=XX/O=Test/CN=alice@example.org"
TEMPLATES = ("identity", "algorithms=strong", "remote-networks=10.9.0.0/24")
SUPERSEDE = functools.partial(renewal.rekey, supersedes=True)
FOLLOW = [renewal.renew, renewal.rekey, SUPERSEDE]


def issue(ca: Ca, **changes: Any) -> Record:
    """A certificate for alice, with a delegation."""
    request = Request(**{"authorizer": "POLICY", "licensee": "", "templates": TEMPLATES, **changes})

    def drafts(certificate: ReadCertificate) -> tuple[Draft, ...]:
        made = delegating.prepare_with_certificate(ca.directory, ca.registry, request, certificate, NOW)
        return (made.draft,)

    wanted = Wanted(profiles.ROAD_WARRIOR, (names.identity("alice@example.org"),), 30 * DAY, delegations=drafts)
    return Issuer.of(ca.directory).issue(wanted, NOW)


def delegations(ca: Ca) -> tuple[DelegationRecord, ...]:
    return ca.registry.delegations.all()


@pytest.mark.parametrize("follow", FOLLOW)
def test_what_is_to_the_holders_name_goes_on_with_the_successor(
    ca: Ca, follow: Callable[..., renewal.Followed]
) -> None:
    old = issue(ca, conditions='esp_enc_alg == "aes"', comment="für alice")
    followed = follow(Issuer.of(ca.directory), "alice@example.org", LATER)
    before, after = delegations(ca)
    assert followed.delegations == ((1, after),)
    assert followed.left == ()
    assert (after.certificate, after.not_after) == (followed.record.sha256, followed.record.not_after)
    assert (after.authorizer, after.licensee, after.conditions, after.comment) == (
        "POLICY",
        ALICE,
        before.conditions,
        "für alice",
    )
    assert before.certificate == old.sha256
    assert before.revocation_reason == ("superseded" if follow is SUPERSEDE else None)
    assert [it.number for it in ca.registry.delegations.in_force(LATER).records] == (
        [2] if follow is SUPERSEDE else [1, 2]
    )
    assert found(ca) == []
    (told,) = databases.rows(ca.directory.registry_path, "SELECT details FROM audit WHERE action = 'delegate'")[1:]
    assert '"carries_on":1' in told[0].replace(" ", "")


def test_it_allows_what_it_allowed_and_until_the_new_end(ca: Ca) -> None:
    issue(ca)
    followed = SUPERSEDE(Issuer.of(ca.directory), "alice@example.org", LATER)
    ((_, made),) = followed.delegations
    (assertion,) = keynote.parse_policy(made.assertion, name="made")

    def allowed(**changes: str) -> bool:
        return keynote.Session([assertion]).query(TUNNEL | changes, [ALICE]).allowed

    end = followed.record.not_after
    assert allowed(GMTTimeOfDay=f"{end:%Y%m%d%H%M%S}")
    assert not allowed(GMTTimeOfDay=f"{end + DAY:%Y%m%d%H%M%S}")
    assert not allowed(GMTTimeOfDay=f"{end:%Y%m%d%H%M%S}", remote_id="bob@example.org")
    assert not allowed(GMTTimeOfDay=f"{end:%Y%m%d%H%M%S}", esp_enc_alg="null")


def test_an_end_of_its_own_stays(ca: Ca) -> None:
    issue(ca, until=NOW + 5 * DAY)
    ((_, made),) = renewal.renew(Issuer.of(ca.directory), "alice@example.org", LATER).delegations
    assert made.not_after == NOW + 5 * DAY
    late = renewal.renew(Issuer.of(ca.directory), "alice@example.org", NOW + 6 * DAY)
    assert (late.delegations, late.left) == ((), ())


def test_what_expired_with_its_certificate_goes_on_with_the_renewed_one(ca: Ca) -> None:
    old = issue(ca)
    followed = renewal.renew(Issuer.of(ca.directory), "alice@example.org", old.not_after + DAY)
    assert [(before, it.not_after) for before, it in followed.delegations] == [(1, followed.record.not_after)]


def test_what_was_revoked_does_not_go_on(ca: Ca) -> None:
    issue(ca)
    ca.registry.delegations.revoke(1, "left", NOW)
    assert renewal.renew(Issuer.of(ca.directory), "alice@example.org", LATER).delegations == ()
    assert len(delegations(ca)) == 1


def test_revoked_in_the_meantime_nothing_is_issued(ca: Ca) -> None:
    old = issue(ca)

    def review(prepared: object) -> None:
        calls.append(prepared)

    calls: list[object] = []
    issuer = Issuer.of(ca.directory)
    reserve_all = issuer.registry.reserve_all

    def revoked_first(*arguments: Any) -> Any:
        ca.registry.delegations.revoke(1, "left", LATER)
        return reserve_all(*arguments)

    object.__setattr__(issuer.registry, "reserve_all", revoked_first)
    with pytest.raises(RegistryError, match="delegation 1 was revoked meanwhile, so nothing was issued"):
        renewal.rekey(issuer, "alice@example.org", LATER, supersedes=True, review=review)
    assert ca.directory.registry().find("alice@example.org") == (old,)
    assert len(calls) == len(delegations(ca)) == 1


def to_the_key(ca: Ca) -> Record:
    """A delegation to the key of alice's certificate, beside the one to her name."""
    record = issue(ca)
    key = key_principal(record.certificate.public_key())
    made = delegating.prepare(
        ca.directory,
        ca.registry,
        Request("POLICY", key, templates=("identity=alice@example.org", *TEMPLATES[1:])),
        NOW,
    )
    delegating.record(ca.registry, made, NOW)
    return record


def test_what_is_to_a_key_ends_with_it(ca: Ca) -> None:
    to_the_key(ca)
    assert renewal.renew(Issuer.of(ca.directory), "alice@example.org", LATER).left == ()
    followed = renewal.rekey(Issuer.of(ca.directory), "alice@example.org", LATER + DAY)
    assert [(it.record.number, it.why) for it in followed.left] == [(2, "it is to the key of the certificate before")]
    assert [before for before, _ in followed.delegations] == [3]  # that of the renewed one


def test_what_a_key_of_ours_delegated_is_signed_again(ca: Ca) -> None:
    issue(ca, authorizer="key:Example CA")
    ((_, made),) = SUPERSEDE(Issuer.of(ca.directory), "alice@example.org", LATER).delegations
    (credential,), refused = keynote.parse_credentials(made.assertion, name="made")
    assert refused == ()
    signatures.verify(credential)


def test_what_cannot_be_signed_again_is_told(ca: Ca) -> None:
    """The key that signed is at hand for the certificate and not for the delegation, as with a token."""
    issue(ca, authorizer="key:Example CA")
    issuer = Issuer.of(ca.directory, signer=ca.signer)
    (file,) = (it for it in ca.directory.keys.iterdir() if it.stem == ca.authority.certificate.serial)
    file.rename(file.with_suffix(".away"))
    followed = renewal.renew(issuer, "alice@example.org", LATER)
    assert followed.delegations == ()
    assert [it.record.number for it in followed.left] == [1]
    assert "private key" in followed.left[0].why


def test_it_is_told(ca: Ca, run: Run) -> None:
    line = "-d ca --delegate-from POLICY --template identity --template algorithms=strong"
    assert run(f"keynote-pki issue gateway gw.example.org {line}").status == 0
    done = run("keynote-pki supersede gw.example.org -d ca")
    assert "delegation 1 was revoked with the one before, and goes on as 2, until 2" in done.out
    made = run("keynote-pki delegate --from POLICY --to key:gw.example.org --until never -d ca --template identity")
    assert made.status == 0
    done = run("keynote-pki rekey gw.example.org -d ca --json")
    assert [(it["number"], it["carries_on"]) for it in done.json["delegations"]] == [(4, 2)]
    (left,) = done.json["delegations_left"]
    assert left == {"number": 3, "why": "it is to the key of the certificate before"}
    assert "delegation 3 does not go on with the new certificate: it is to the key" in done.err
    assert f"--from POLICY --to key:{done.json['serial'][:12]} …" in done.err
    assert "delegation 4 stays, and goes on as 5, until 2" in run("keynote-pki renew gw.example.org -d ca").out


def test_what_is_told_to_type_can_be_typed(ca: Ca, run: Run) -> None:
    """Keys are too long to be shown whole, and what is shown of them is no key."""
    assert run("keynote-pki issue gateway gw.example.org -d ca").status == 0
    by, to = "'key:Example CA'", "key:gw.example.org"
    assert run(f"keynote-pki delegate --from {by} --to {to} --until never -d ca --template identity").status == 0
    done = run("keynote-pki rekey gw.example.org -d ca")
    assert done.status == 0
    words = done.err.partition(": keynote-pki delegate ")[2].partition(" …")[0]
    again = run(f"keynote-pki delegate {words} --until never -d ca --template identity")
    assert (again.status, words.split()[1]) == (0, f"key:{ca.authority.certificate.serial[:12]}")
    first, second = delegations(ca)
    assert first.authorizer == second.authorizer
    assert first.licensee != second.licensee
    listed = [line.split() for line in run("keynote-pki delegations list -d ca").out.splitlines()[1:]]
    assert listed[0][-2] == listed[1][-2]
    assert listed[0][-1] != listed[1][-1]


def test_a_key_that_nobody_here_has_is_told_whole(ca: Ca) -> None:
    key = key_principal(factory.rsa_key("foreign").public_key())
    assert following._who(ca.registry, key, NOW) == key
