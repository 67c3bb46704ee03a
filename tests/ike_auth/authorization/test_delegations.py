# SPDX-License-Identifier: ISC
"""The delegations of a registry beside the policy file: what is believed, from when to when, and what denials say."""

import re
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import keynote
from ike_auth import assembly
from ike_auth.authorization import attributes
from ike_auth.authorization.delegations import RegistryDelegations
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.authorization.loading import load_authorizer, make_gate, strictness_problems
from ike_auth.authorization.requests import AuthorizeTunnel, Decision, IdentityRequest, TunnelAuthorized
from ike_auth.config import isakmpd
from ike_auth.config.errors import ConfigError
from ike_auth.config.model import Configuration
from ike_auth.wire.identities import Identity
from pki import delegating, issuance, names, profiles
from pki.chain import TrustAnchors
from pki.cli.delegation_output import exported
from pki.delegating import Request
from pki.delegation_records import DelegationRecord
from pki.directory import Directory
from pki.records import Record
from tests.ike_auth.authorization.requests import AES, NOW, identify, peer, tunnel_request
from tests.ike_auth.configurations import A, gateway
from tests.pki.factory import DAY

NAME = Identity.fqdn("gw.example.com")
# Licenses nobody whom a registry could mean.
OTHERS = """\
Authorizer: "POLICY"
Licensees: "passphrase:a key of the two gateways"
Conditions: app_domain == "IPsec policy" && remote_id == "010.099.000.002" -> "true";
"""
BOUND = 'app_domain == "IPsec policy" && remote_id == "gw.example.com" && remote_filter ~= "^010\\\\.001\\\\."'
UNBOUND = 'app_domain == "IPsec policy" && esp_present == "yes"'


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that has certified one gateway."""
    path = tmp_path_factory.mktemp("template") / "ca"
    issuance.initialize(path, "Real CA", NOW - DAY)
    issuance.issue(Directory(path), profiles.GATEWAY, (names.identity("gw.example.com"),), NOW - DAY)
    return path


class Site:
    """A CA and a daemon that reads its registry. Each question comes a second after the one before."""

    def __init__(self, path: Path, ca: Directory, mode: str = "yes", policy: str = OTHERS) -> None:
        self.path, self.ca, self.mode, self.policy = path, ca, mode, policy
        self.registry = ca.registry()
        self._times = (NOW + timedelta(seconds=second) for second in range(1, 1000))

    @property
    def now(self) -> datetime:
        return next(self._times)

    @property
    def anchor(self) -> Record:
        return self.ca.authority(self.registry).certificate

    @property
    def gateway(self) -> Record:
        (record,) = self.registry.find("gw.example.com")
        return record

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors([self.anchor.certificate])

    def configuration(self, sections: str = "") -> Configuration:
        policy = self.path / "policy.kn"
        policy.touch(0o600)
        policy.write_text(self.policy)
        text = gateway(A, authentication="rsa", general=f"Policy-file= {policy}")
        registry = f"[X509-certificates]\nRegistry= sqlite:///{self.ca.registry_path}\n"
        return isakmpd.parse(f"{text}\n{registry}\n[KeyNote]\nDelegations= {self.mode}\n{sections}")

    def authorizer(self) -> KeyNoteAuthorizer:
        loaded = load_authorizer(self.configuration())
        assert isinstance(loaded, KeyNoteAuthorizer)
        loaded.refresh(self.now)
        return loaded

    def gate(self) -> Gate:
        return make_gate(self.configuration(), self.anchors, self.authorizer())

    def delegate(self, by: str = "POLICY", to: str = "gw.example.com", conditions: str = BOUND) -> DelegationRecord:
        request = Request(by, to, conditions, until=NOW + 10 * DAY)
        now = NOW - DAY
        prepared = delegating.prepare(self.ca, self.registry, request, now, any_name=True)
        return delegating.record(self.registry, prepared, now)

    def revoke(self, number: int = 1) -> None:
        self.registry.delegations.revoke(number, "for the test", NOW)

    def sql(self, statement: str, *values: object) -> None:
        with sqlite3.connect(self.ca.registry_path) as connection:
            connection.execute(statement, values)
        connection.close()

    def identified(self, gate: Gate) -> tuple[Decision, IdentityRequest | None]:
        of = peer(remote_id=NAME)
        answer = gate.identify(identify(NAME, (self.gateway.der,), of), self.now)
        return answer.decision, answer.request

    def tunnels(self, gate: Gate, request: IdentityRequest, remote: str = "10.1.2.0/24") -> TunnelAuthorized:
        return gate.authorize(AuthorizeTunnel((tunnel_request(request, AES, remote=remote),)), self.now)


@pytest.fixture
def site(template: Path, tmp_path: Path) -> "MakeSite":
    ca = Directory(Path(shutil.copytree(template, tmp_path / "ca")))
    return lambda mode="yes", policy=OTHERS: Site(tmp_path, ca, mode, policy)


MakeSite = Callable[..., Site]


def test_a_delegation_counts_from_the_next_question_on_and_so_does_its_revocation(site: MakeSite) -> None:
    here = site()
    gate = here.gate()
    assert not here.identified(gate)[0].allowed
    here.delegate()
    decision, request = here.identified(gate)
    assert decision.allowed
    assert request is not None
    allowed = here.tunnels(gate, request)
    assert allowed.chosen == 0
    assert "registry delegation 1:" in allowed.decisions[0].because

    here.revoke()
    (denied,) = here.tunnels(gate, request).decisions
    refused, _ = here.identified(gate)
    assert not denied.allowed
    assert not refused.allowed
    for decision in (denied, refused):
        when = f"{NOW:%Y-%m-%d %H:%M:%SZ}"
        assert decision.because.startswith(
            f"registry delegation 1:1: set aside: it was revoked on {when}: for the test"
        )


def test_what_was_revoked_is_told_only_where_it_would_have_counted(site: MakeSite) -> None:
    here = site("signed")
    here.delegate()
    here.revoke()
    refused, _ = here.identified(here.gate())
    assert "delegation 1" not in refused.because
    authorizer = site().authorizer()
    assert authorizer.delegations is not None
    assert str(authorizer.delegations.current) == "0 of the registry (0 trusted, 0 signed)"


def test_a_denial_names_the_row_and_the_line_of_its_text(site: MakeSite) -> None:
    here = site()
    here.delegate(conditions=BOUND.replace("remote_filter ~=", "\nremote_filter ~="))
    gate = here.gate()
    _, request = here.identified(gate)
    assert request is not None
    (denied,) = here.tunnels(gate, request, "10.2.0.0/24").decisions
    assert not denied.allowed
    text = here.registry.delegations.get(1).assertion.splitlines()
    line = next(number for number, found in enumerate(text, 1) if "remote_filter" in found)
    assert denied.because.startswith(f"registry delegation 1:{line}: remote_filter is `010.002.")


@pytest.mark.parametrize("mode", ["no", "signed"])
def test_what_policy_delegates_counts_only_where_the_registry_is_policy(site: MakeSite, mode: str) -> None:
    here = site(mode)
    here.delegate()
    assert not here.identified(here.gate())[0].allowed


def test_it_is_not_asked_for_unless_it_is_said(site: MakeSite) -> None:
    here = site("no")
    assert here.authorizer().delegations is None
    assert here.configuration().general.delegations == "no"


def test_the_end_of_a_delegation_is_one(site: MakeSite) -> None:
    here = site()
    here.delegate()
    gate = here.gate()
    late = NOW + 10 * DAY + timedelta(seconds=1)
    for told in (r":\d+: GMTTimeOfDay is `", f":1: set aside: it ended on {NOW + 10 * DAY:%Y-%m-%d %H:%M:%SZ}$"):
        answer = gate.identify(identify(NAME, (here.gateway.der,), peer(remote_id=NAME)), late)
        assert not answer.decision.allowed
        reasons = (answer.decision.because, *answer.decision.details)
        assert any(re.match(f"registry delegation [12]{told}", reason) for reason in reasons)
        here.delegate()  # they are read again, and have ended
        late += timedelta(seconds=1)


def test_a_registry_that_cannot_be_read_is_a_reason_of_its_own(site: MakeSite) -> None:
    here = site()
    here.delegate()
    gate = here.gate()
    _, request = here.identified(gate)
    assert request is not None
    here.ca.registry_path.rename(here.path / "away")
    (denied,) = here.tunnels(gate, request).decisions
    assert not denied.allowed
    assert denied.because.startswith("the delegations of the registry cannot be read: the registry cannot be used")
    (here.path / "away").rename(here.ca.registry_path)
    assert here.tunnels(gate, request).chosen == 0


# --- what is believed


def key_policy(here: Site) -> str:
    key = keynote.key_principal(here.anchor.certificate.public_key())
    return f'Authorizer: "POLICY"\nLicensees: "{key}"\nConditions: app_domain == "IPsec policy" && {NAMED};\n'


NAMED = 'remote_id == "gw.example.com"'


@pytest.mark.parametrize("mode", ["yes", "signed"])
def test_what_a_key_delegates_is_believed_for_its_signature(site: MakeSite, mode: str) -> None:
    here = site(mode)
    here.policy = key_policy(here).replace(f" && {NAMED}", ' && remote_id == "nobody"')
    here.delegate("key:Real CA", "DN:/CN=partner")
    # A DN of another authority would be the only one that this changes: so is asked of the session itself.
    authorizer = here.authorizer()
    assert authorizer.delegations is not None
    loaded = authorizer.delegations.current
    assert loaded.counts() == {"trusted": 0, "signed": 1, "set_aside": 0}
    assert "DN:/CN=partner" in authorizer.licensees()


def test_a_text_that_was_changed_is_set_aside(site: MakeSite) -> None:
    here = site()
    here.policy = key_policy(here)
    here.delegate("key:Real CA", "DN:/CN=partner")
    here.sql("UPDATE delegation SET assertion = replace(assertion, '/CN=partner', '/CN=eve')")
    authorizer = here.authorizer()
    assert authorizer.delegations is not None
    (item,) = authorizer.delegations.current.set_aside
    assert (item.where.file, "signature" in item.reason) == ("registry delegation 1", True)
    assert "DN:/CN=eve" not in authorizer.licensees()


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("assertion", "no assertion at all\n", "neither a field"),
        ("assertion", 'Authorizer: "DN:/CN=Real CA"\nLicensees: "DN:/CN=eve"\n', "another authorizer"),
        ("authorizer", "anybody", "another authorizer"),
        ("assertion", 'Authorizer: "POLICY"\nLicensees: "DN:/CN=eve"\nSignature: "sig-ed25519-hex:00"\n', "signed"),
    ],
)
def test_a_row_that_says_two_things_is_set_aside(site: MakeSite, column: str, value: str, why: str) -> None:
    here = site()
    here.delegate()
    here.sql(f"UPDATE delegation SET {column} = ?", value)
    authorizer = here.authorizer()
    assert authorizer.delegations is not None
    (item,) = authorizer.delegations.current.set_aside
    assert item.where.file == "registry delegation 1"
    assert why in item.reason
    assert not here.identified(here.gate())[0].allowed


def test_a_row_of_nobody_is_no_policy(site: MakeSite) -> None:
    """What is neither POLICY's nor a name's needs a signature."""
    here = site()
    here.delegate()
    here.sql("UPDATE delegation SET authorizer = 'anybody', assertion = replace(assertion, 'POLICY', 'anybody')")
    authorizer = here.authorizer()
    assert authorizer.delegations is not None
    (item,) = authorizer.delegations.current.set_aside
    assert item.reason == "not signed"


def test_a_name_delegates_while_its_certificate_holds(site: MakeSite) -> None:
    here = site(policy=OTHERS + f'\nAuthorizer: "POLICY"\nLicensees: "DN:/CN=Real CA"\nConditions: {NAMED};\n')
    here.delegate("DN:/CN=gw.example.com", "DN:/CN=partner")
    authorizer = here.authorizer()
    assert "DN:/CN=partner" in authorizer.licensees()
    here.sql("UPDATE certificate SET revoked_at = issued_at, revocation_reason = 'x' WHERE name = 'gw.example.com'")
    here.delegate(to="key:Real CA")  # what is written into the tables past the library is noticed with the next entry
    authorizer.refresh(here.now)
    assert "DN:/CN=partner" not in authorizer.licensees()


# --- strict rule 3


def test_a_delegation_that_binds_no_name_lets_the_daemon_not_start(site: MakeSite) -> None:
    here = site()
    here.delegate()
    authorizer = here.authorizer()
    assert list(strictness_problems(here.configuration(), here.anchors, authorizer, here.now)) == []
    here.delegate(to="DN:/CN=Real CA", conditions=UNBOUND)
    (problem,) = strictness_problems(here.configuration(), here.anchors, here.authorizer(), here.now)
    assert "/CN=Real CA" in str(problem)
    assert "registry delegation 2:" in str(problem)


def test_one_that_comes_while_it_runs_is_set_aside(site: MakeSite) -> None:
    here = site()
    here.delegate()
    gate = here.gate()
    told: list[str] = []
    assert isinstance(gate.authorizer, KeyNoteAuthorizer)
    delegations = gate.authorizer.delegations
    assert isinstance(delegations, RegistryDelegations)
    delegations.tell = told.append
    here.delegate(to="DN:/CN=Real CA", conditions=UNBOUND)
    decision, request = here.identified(gate)
    assert decision.allowed
    assert request is not None
    assert delegations.current.counts() == {"trusted": 1, "signed": 0, "set_aside": 1}
    assert told[0] == "delegations were read again: 1 of the registry (1 trusted, 0 signed), 1 set aside"
    assert "registry delegation 2 is set aside: it does not bind remote_id" in told[1]
    (denied,) = here.tunnels(gate, request, "10.2.0.0/24").decisions
    assert not denied.allowed


def test_what_is_together_unbound_is_set_aside_together(site: MakeSite) -> None:
    """A way over two delegations, neither of which tests the name."""
    here = site()
    gate = here.gate()
    here.delegate(to="DN:/CN=gw.example.com", conditions=UNBOUND)
    here.delegate("DN:/CN=gw.example.com", "DN:/CN=Real CA", UNBOUND)
    assert isinstance(gate.authorizer, KeyNoteAuthorizer)
    gate.authorizer.refresh(here.now)
    assert gate.authorizer.delegations is not None
    assert gate.authorizer.unbound_principals(["DN:/CN=Real CA"]) is None
    assert gate.authorizer.delegations.current.counts()["trusted"] == 0


# --- agreement, and the record


def test_an_export_evaluates_as_the_daemon_decides(site: MakeSite) -> None:
    here = site()
    here.delegate()
    here.delegate(conditions=BOUND.replace("001", "003"))
    here.delegate(conditions=BOUND.replace("001", "004"))
    here.revoke(3)
    gate = here.gate()
    _, request = here.identified(gate)
    assert request is not None
    text = exported(here.registry.delegations.in_force(here.now).records)
    policy = [*keynote.parse_policy(OTHERS, name="policy.kn"), *keynote.parse_policy(text, name="delegations.kn")]
    session = keynote.Session(policy)
    answers = []
    for third in range(6):
        remote = f"10.{third}.0.0/16"
        asked = tunnel_request(request, AES, remote=remote)
        action = attributes.phase2(asked, NOW)
        answers.append(session.query(action, ["DN:/CN=gw.example.com"]).allowed)
        assert (here.tunnels(gate, request, remote).chosen == 0) is answers[-1]
    assert answers == [False, True, False, True, False, False]


def test_a_record_of_a_decision_has_what_it_rests_on(site: MakeSite) -> None:
    here = site()
    here.delegate()
    here.delegate(conditions=BOUND.replace("001", "003"))
    gate = here.gate()
    _, request = here.identified(gate)
    assert request is not None
    (decision,) = here.tunnels(gate, request).decisions
    assert decision.asked is not None
    recorded = decision.asked()
    assert [it.source.name for it in recorded.assertions if "registry" in it.source.name] == ["registry delegation 1"]
    assert recorded.credentials == ()


# --- configuration


def test_delegations_need_a_registry() -> None:
    with pytest.raises(ConfigError, match=r"are those of a registry"):
        isakmpd.parse(f"{gateway(A)}\n[KeyNote]\nDelegations= yes\n")
    with pytest.raises(ConfigError, match=r"`Delegations`: `maybe` is unknown"):
        isakmpd.parse(f"{gateway(A)}\n[KeyNote]\nDelegations= maybe\n")


def test_without_policy_they_have_no_effect(site: MakeSite) -> None:
    here = site()
    found = here.configuration()
    assert not any("Delegations" in str(warning) for warning in found.warnings)
    text = gateway(A, general="Use-Keynote= no")
    registry = "[X509-certificates]\nRegistry= sqlite:////nowhere\n"
    found = isakmpd.parse(f"{text}\n{registry}\n[KeyNote]\nDelegations= yes\n")
    assert any("`Delegations` has no effect" in str(warning) for warning in found.warnings)


def test_a_registry_that_others_may_write_is_no_policy(site: MakeSite) -> None:
    here = site()
    here.ca.registry_path.chmod(0o666)
    with pytest.raises(ConfigError, match="is open to other users"):
        here.authorizer()
    here.mode = "signed"
    here.authorizer()


def checked(here: Site, mode: str = "yes") -> assembly.Findings:
    """As `ike-auth check` does, of a peer with a pre-shared key."""
    config, policy = here.path / "isakmpd.conf", here.path / "policy.kn"
    registry = f"[X509-certificates]\nRegistry= sqlite:///{here.ca.registry_path}\n"
    for path, text in (
        (config, f"{gateway(A)}\n{registry}\n[KeyNote]\nDelegations= {mode}\n"),
        (policy, OTHERS),
    ):
        path.touch(0o600)
        path.write_text(text)
    return assembly.check(config, policy, NOW)


def test_check_tells_how_many_there_are_and_lints_them(site: MakeSite) -> None:
    here = site()
    here.delegate()
    here.delegate(conditions=UNBOUND)
    here.delegate("key:Real CA", "DN:/CN=partner")
    here.sql("UPDATE delegation SET assertion = replace(assertion, 'partner', 'eve') WHERE id = 3")
    found = checked(here)
    assert found.ok, found.errors
    assert "delegations: 2 of the registry (2 trusted, 0 signed), 1 set aside\n" in found.summary
    assert found.delegations == {"trusted": 2, "signed": 0, "set_aside": 1}
    warnings = "\n".join(map(str, found.warnings))
    assert "registry delegation 3:1:1: set aside: " in warnings
    assert "registry delegation 2:" in warnings
    assert "[KN505]" in warnings
    assert "policy.kn" not in warnings
    assert checked(here, "no").delegations is None


def test_a_policy_that_was_named_is_not_asked_for_where_the_registry_is_at_fault(site: MakeSite) -> None:
    here = site()
    here.ca.registry_path.chmod(0o666)
    (error,) = checked(here).errors
    assert "is open to other users" in str(error)
    here.ca.registry_path.chmod(0o644)
    config = here.path / "isakmpd.conf"
    config.write_text(config.read_text() + "[General]\nPolicy-file= /nowhere/policy.kn\n")
    assert any("is named by --policy" in str(it) for it in assembly.check(config, None, NOW).errors)


def test_check_says_that_the_registry_is_not_there(site: MakeSite) -> None:
    here = site()
    here.ca.registry_path.unlink()
    found = checked(here)
    assert not found.ok
    assert any("`Delegations` in [KeyNote]: the registry cannot be used" in str(error) for error in found.errors)


def test_what_is_read_anew_is_told_to_whom_it_is_to_be(site: MakeSite) -> None:
    here = site()
    assert checked(here).ok  # writes the files
    told: list[str] = []
    loaded = assembly.load(here.path / "isakmpd.conf", here.path / "policy.kn", here.now).telling(told.append)
    assert isinstance(loaded.authorizer, KeyNoteAuthorizer)
    here.delegate()
    loaded.authorizer.refresh(here.now)
    assert told == ["delegations were read again: 1 of the registry (1 trusted, 0 signed)"]
