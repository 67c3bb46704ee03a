# SPDX-License-Identifier: ISC
"""Each step notices when it does not go as said. The certificates of step 1 serve them all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ike_auth.demo import certificates, configurations, impostor, meeting, null_encryption, policies, questions
from ike_auth.demo.failures import StepFailed
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, IMPOSTOR
from ike_auth.demo.logs import Entry
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which step 1 has been told, and policies of step 2 are."""
    directory = tmp_path_factory.mktemp("demo")
    with free_ports() as ports, Stage(directory, Narrator(), ports) as stage:
        certificates.tell(stage)
        stage.write(questions.POLICY_A, policies.by_certificate(GATEWAY_B))
        stage.write(questions.POLICY_B, policies.by_certificate(GATEWAY_A))
    return directory


@pytest.fixture
def stage(certified: Path) -> Iterator[Stage]:
    with free_ports() as ports, Stage(certified, Narrator(), ports) as stage:
        yield stage


def test_an_authority_that_issued_more_than_it_should(stage: Stage) -> None:
    certificates._check_issued(stage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificates, "ROAD_WARRIOR", "bob@example.org")
        with pytest.raises(StepFailed, match=r"has issued .*alice@example.org"):
            certificates._check_issued(stage)


def test_an_impostor_that_is_let_in_fails_the_step(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    impostor._write_configurations(stage)
    trusting = stage.write(impostor.TRUSTING, policies.trusting(GATEWAY_A))
    lenient = impostor.Attempt(
        "own-name",
        impostor._refused_by_name,
        gateway="gw-b-not-strict",
        policy=str(trusting.relative_to(stage.directory)),
    )
    with pytest.raises(StepFailed, match="gateway B did not refuse the impostor"):
        impostor._gateway_calls(stage, lenient)
    assert "phase 1 up with gw-a" in capsys.readouterr().out


def test_an_impostor_that_is_refused_fails_the_step_that_lets_it_in(stage: Stage) -> None:
    impostor._write_configurations(stage)
    strict_policy = impostor.Attempt("not-strict", impostor._let_in, gateway="gw-b-not-strict")
    with pytest.raises(StepFailed, match="the impostor was not let in, though the check is off"):
        impostor._impostor_calls(stage, strict_policy)


def test_a_false_name_is_refused_even_where_the_check_is_off(stage: Stage) -> None:
    """Strict rule 1 has no switch, as the demo says."""
    impostor._write_configurations(stage)
    stage.write(impostor.TRUSTING, policies.trusting(GATEWAY_A))
    attempt = impostor.Attempt(
        "false-name", impostor._refused_by_certificate, GATEWAY_A.fqdn, "gw-b-not-strict", impostor.TRUSTING
    )
    impostor._impostor_calls(stage, attempt)


def test_a_weak_tunnel_that_is_allowed_fails_the_step(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    allows = policies.by_certificate(GATEWAY_A, encryption='esp_enc_alg == "null"')
    stage.write("allows-null.kn", allows)
    monkeypatch.setattr(null_encryption, "POLICY_B", "allows-null.kn")
    with pytest.raises(StepFailed, match="gateway B did not refuse the tunnel"):
        null_encryption.tell(stage)


def test_a_daemon_that_does_not_start_fails_the_step(stage: Stage) -> None:
    configuration = stage.write("broken.conf", configurations.gateway(GATEWAY_B, "key", calls=False) + "[oops\n")
    with pytest.raises(StepFailed, match="gw-b did not start"):
        stage.start(GATEWAY_B, configuration, stage.path(questions.POLICY_B), "broken.log")
    (daemon,) = stage.running
    assert any("broken.conf" in line for line in daemon.tail())


def test_a_command_with_another_exit_status_fails_the_step(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StepFailed, match="`keynote-pki show` ended with status 1 instead of 0"):
        stage.command("keynote-pki", "show", "nobody", "--dir", stage.path(certificates.AUTHORITY_DIRECTORY), lines=0)
    assert "no certificate `nobody` was issued here" in capsys.readouterr().out


def tunnel(spis_in: list[str], spis_out: list[str], fingerprints: dict[str, str]) -> Entry:
    return Entry("TunnelUp", "", {"spis_in": spis_in, "spis_out": spis_out, "fingerprints": fingerprints})


@pytest.mark.parametrize(
    ("b", "otherwise"),
    [
        (tunnel(["02"], ["01"], {"01": "aa", "02": "bb"}), None),
        (tunnel(["02"], ["01"], {"01": "aa", "02": "cc"}), "the keys of the two ends differ"),
        (tunnel(["02"], ["03"], {"01": "aa", "03": "bb"}), "the keys of the two ends differ"),
        (tunnel(["01"], ["02"], {"01": "aa", "02": "bb"}), "not what the other end awaits"),
    ],
)
def test_sas_are_compared(stage: Stage, capsys: pytest.CaptureFixture[str], b: Entry, otherwise: str | None) -> None:
    a = tunnel(["01"], ["02"], {"01": "aa", "02": "bb"})
    if otherwise is None:
        meeting._compare(stage, a, b)
        assert "DIFFERENT" not in capsys.readouterr().out
    else:
        with pytest.raises(StepFailed, match=otherwise):
            meeting._compare(stage, a, b)


def test_the_impostor_is_where_the_gateway_was() -> None:
    assert (IMPOSTOR.address, IMPOSTOR.network) == (GATEWAY_A.address, GATEWAY_A.network)
    assert IMPOSTOR.fqdn != GATEWAY_A.fqdn
