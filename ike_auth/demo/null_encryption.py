# SPDX-License-Identifier: ISC
"""Step 6: the genuine gateway offers a tunnel that encrypts nothing."""

from ike_auth.demo import configurations, policies
from ike_auth.demo.configurations import NULL_SUITE, SUITE
from ike_auth.demo.failures import check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B
from ike_auth.demo.meeting import certificates_of, show_phase_1
from ike_auth.demo.questions import POLICY_B
from ike_auth.demo.stage import Stage

TITLE = "a genuine peer with a weak offer"
FOLDER = "6-null-encryption"
_ALLOW = "# So that policy is asked at all: NULL is off otherwise.\nAllow-Legacy= NULL\n"


def tell(stage: Stage) -> None:
    stage.narrator.say("""
        Gateway A is back. Somebody there has configured ESP with NULL encryption, to look into the packets, and
        forgotten it. Gateway B's configuration would take that too (`Allow-Legacy= NULL` in the peer's section;
        without such a line it is never accepted), so that policy decides alone. It is the policy of step 2.
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
