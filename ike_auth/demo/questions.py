# SPDX-License-Identifier: ISC
"""Step 2: the policy of a gateway, asked offline, before any daemon runs."""

from ike_auth.demo import policies
from ike_auth.demo.failures import check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, IMPOSTOR, ROAD_WARRIOR
from ike_auth.demo.stage import Stage

TITLE = "the policy, asked before anything runs"
POLICY_A, POLICY_B = "2-policy/gw-a.kn", "2-policy/gw-b.kn"
CERTIFIED = "2-policy/certificates.kn"
GENUINE, IMPOSTORS, PERSONS = "2-policy/gw-a.question", "2-policy/printer.question", "2-policy/alice.question"
ALLOWED, DENIED = 0, 2  # exit statuses of `keynote eval`


def tell(stage: Stage) -> None:
    stage.narrator.say("""
        Gateway B will decide by this policy, written in KeyNote (RFC 2704). It leaves to the CA (Licensees) who
        somebody is. Who of them may have a tunnel, and which, it says itself (Conditions):
    """)
    stage.write(POLICY_A, policies.by_certificate(GATEWAY_B))
    policy = stage.write(POLICY_B, policies.by_certificate(GATEWAY_A))
    stage.command("cat", policy)
    everybody = (GATEWAY_A.fqdn, GATEWAY_B.fqdn, IMPOSTOR.fqdn, ROAD_WARRIOR)
    stage.write(CERTIFIED, policies.certified(*everybody))
    stage.write(GENUINE, policies.question("FQDN", GATEWAY_A.fqdn, GATEWAY_A.network))
    stage.write(IMPOSTORS, policies.question("FQDN", IMPOSTOR.fqdn, IMPOSTOR.network))
    stage.write(PERSONS, policies.question("User FQDN", ROAD_WARRIOR, GATEWAY_A.network))
    _ask_for_gateway(stage)
    _ask_for_impostor(stage)
    _ask_for_person(stage)
    stage.narrator.verdict("Yes to the gateway, no to the printer and to alice: each with the lines that decided.")


def ask(stage: Stage, how: str, who: str, question: str, status: int) -> str:
    """`keynote eval` or `keynote why`: may the holder of the certificate of `who` have what is in the file?"""
    known = ("-p", stage.path(POLICY_B), "-p", stage.path(CERTIFIED))
    asked = ("-k", policies.principal(who), "--action", stage.path(question), "--values", "false,true")
    return stage.command("keynote", how, *known, *asked, status=status)


def _ask_for_gateway(stage: Stage) -> None:
    stage.narrator.say(f"""
        Who asks is the holder of gateway A's certificate (-k). What is asked for is in a file: a tunnel for the
        network {GATEWAY_A.network}, by ESP (the protocol that protects IP packets), encrypted with AES. The second
        file of assertions is what a daemon makes of certificates that it has checked: the CA speaks for each holder.
    """)
    answer = ask(stage, "eval", GATEWAY_A.fqdn, GENUINE, ALLOWED)
    check(answer.startswith("true\n"), "policy did not say `true` to the gateway")
    stage.narrator.say("""
        Allowed, and by whom: from POLICY (whoever runs gateway B) by way of the CA to the one who asks. The whole
        tree, where + is what holds and - is what does not:
    """)
    why = ask(stage, "why", GATEWAY_A.fqdn, GENUINE, ALLOWED)
    check(f"{stage.path(POLICY_B).name}:" in why, "the reason does not name the line of the policy")


def _ask_for_impostor(stage: Stage) -> None:
    stage.narrator.say("The printer asks for the same, in its own name:")
    answer = ask(stage, "eval", IMPOSTOR.fqdn, IMPOSTORS, DENIED)
    check(answer.startswith("false\n"), "policy did not say `false` to the impostor")
    why = ask(stage, "why", IMPOSTOR.fqdn, IMPOSTORS, DENIED)
    check("remote_id" in why and IMPOSTOR.fqdn in why, "the reason is not the impostor's name")
    stage.narrator.say("""
        `remote_id` is the name of the peer. The CA vouches for the printer as for everybody; but the printer's name
        is not the one in the policy, and that is the one thing that is in its way.
    """)


def _ask_for_person(stage: Stage) -> None:
    stage.narrator.say("Nor may alice: to be certified is not to be authorized.")
    answer = ask(stage, "eval", ROAD_WARRIOR, PERSONS, DENIED)
    check(answer.startswith("false\n"), "policy did not say `false` to alice")
