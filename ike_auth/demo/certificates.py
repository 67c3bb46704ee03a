# SPDX-License-Identifier: ISC
"""Step 1: an authority, and the certificates of everybody in this story."""

import json

from ike_auth.demo.failures import check
from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B, IMPOSTOR, ROAD_WARRIOR
from ike_auth.demo.processes import run
from ike_auth.demo.stage import Stage

TITLE = "certificates for two gateways, a person, and a printer"
AUTHORITY_DIRECTORY = "1-certificates/authority"


def tell(stage: Stage) -> None:
    authority = stage.path(AUTHORITY_DIRECTORY)
    stage.narrator.say("""
        A certification authority (CA) vouches for names: each certificate says "the holder of this key is called so".
        Ours is new. It remembers all that it issues.
    """)
    stage.path("1-certificates").mkdir(mode=0o700)
    stage.command("keynote-pki", "init", authority, "--name", AUTHORITY, lines=2)
    for host in (GATEWAY_A, GATEWAY_B):
        stage.command("keynote-pki", "issue", "gateway", host.fqdn, "--dir", authority, lines=2)
    stage.narrator.say("A person who travels has a mail address for a name:")
    stage.command("keynote-pki", "issue", "road-warrior", ROAD_WARRIOR, "--dir", authority, lines=2)
    stage.narrator.say("""
        And there is another machine of the same company, with as good a certificate as anybody's. Remember it:
        in step 5 somebody has broken into it.
    """)
    stage.command("keynote-pki", "issue", "gateway", IMPOSTOR.fqdn, "--dir", authority, lines=2)
    stage.command("keynote-pki", "list", "--dir", authority)
    _check_issued(stage)
    stage.narrator.say("Each machine is given its certificate and private key, and the certificate of the CA:")
    for host, lines in ((GATEWAY_A, None), (GATEWAY_B, 0), (IMPOSTOR, 0)):
        directory = stage.path(f"1-certificates/{host.name}")
        stage.command(
            "keynote-pki", "export", host.fqdn, "--for", "isakmpd", directory, "--dir", authority, lines=lines
        )
    stage.narrator.verdict("Four certificates of one CA. To a VPN that asks for no more than that, all are alike.")


def _check_issued(stage: Stage) -> None:
    _, output = run(["keynote-pki", "list", "--dir", str(stage.path(AUTHORITY_DIRECTORY)), "--json"])
    valid = {
        found["name"]: found["profile"] for found in json.loads(output)["certificates"] if found["status"] == "valid"
    }
    wanted = {AUTHORITY: "ca", ROAD_WARRIOR: "road-warrior"}
    wanted |= {host.fqdn: "gateway" for host in (GATEWAY_A, GATEWAY_B, IMPOSTOR)}
    check(valid == wanted, f"the authority has issued {valid}, not {wanted}")
