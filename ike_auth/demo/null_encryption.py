# SPDX-License-Identifier: ISC
"""Step 6: the genuine gateway offers a tunnel that encrypts nothing."""

from ike_auth.demo import configurations, policies
from ike_auth.demo.configurations import NULL_SUITE, SUITE
from ike_auth.demo.failures import check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B
from ike_auth.demo.meeting import certificates_of, show_phase_1
from ike_auth.demo.questions import POLICY_A, POLICY_B
from ike_auth.demo.stage import Stage

TITLE = "a genuine peer with a weak offer"
FOLDER = "6-null-encryption"
_ALLOW = "Allow-Legacy= NULL\n"


def tell(stage: Stage) -> None:
    stage.narrator.say("""
        Gateway A is back. Somebody there wants to look into the packets, and configures ESP with NULL encryption: a
        tunnel that hides nothing. The daemon has that, for old peers, but it is off:
    """)
    _check_is_off(stage)
    stage.narrator.say("""
        So that line is added, gateway A's own policy is widened, and gateway B has the line as well, for otherwise it
        would refuse by itself. Now policy decides alone; gateway B's is the one of step 2.
    """)
    for host, calls, suites in ((GATEWAY_B, False, (SUITE, NULL_SUITE)), (GATEWAY_A, True, (NULL_SUITE,))):
        text = configurations.gateway(
            host, certificates_of(stage, host), calls=calls, suites=suites, peer_lines=_ALLOW
        )
        stage.write(f"{FOLDER}/{host.name}.conf", text)
    careless = policies.by_certificate(GATEWAY_B, encryption='(esp_enc_alg == "aes" || esp_enc_alg == "null")')
    careless_policy = stage.write(f"{FOLDER}/gw-a.kn", careless)
    b = stage.start(GATEWAY_B, stage.path(f"{FOLDER}/gw-b.conf"), stage.path(POLICY_B), f"{FOLDER}/gw-b.log")
    a = stage.start(GATEWAY_A, stage.path(f"{FOLDER}/gw-a.conf"), careless_policy, f"{FOLDER}/gw-a.log")
    stage.narrator.say("Phase 1 succeeds, for the peer is who it says it is:")
    show_phase_1(stage, a, b, "RSA_SIG")
    stage.narrator.say("Phase 2 does not:")
    refused = b.expect("TunnelRefused", "TunnelUp", "ExchangeFailed")
    stage.narrator.log(b.host.name, refused.event)
    check(refused.kind == "TunnelRefused", "gateway B did not refuse the tunnel")
    check("esp_enc_alg is `null`" in refused.because, "the reason is not the clause about encryption")
    check("gw-b.kn:" in refused.because, "the reason does not name the policy's line")
    told = a.expect("ExchangeFailed", "TunnelUp")
    stage.narrator.log(a.host.name, told.event)
    check(told.kind == "ExchangeFailed", "gateway A has a tunnel")
    stage.stop(a, b)
    check(not (a.entries("TunnelUp") + b.entries("TunnelUp")), "there is a tunnel nevertheless")
    stage.narrator.verdict(f"""
        Refused in Phase 2, and the clause that failed is named: {refused.because}.
    """)


def _check_is_off(stage: Stage) -> None:
    text = configurations.gateway(GATEWAY_A, certificates_of(stage, GATEWAY_A), calls=True, suites=(NULL_SUITE,))
    configuration = stage.write(f"{FOLDER}/gw-a-without-switch.conf", text)
    said = stage.command("ike-auth", "check", "-c", configuration, "--policy", stage.path(POLICY_A), status=1)
    check("Allow-Legacy= NULL" in said, "`ike-auth check` did not say which line allows NULL")
