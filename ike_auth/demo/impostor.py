# SPDX-License-Identifier: ISC
"""Step 5: an impostor with a valid certificate, at the gateway's address."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ike_auth.demo import configurations, policies
from ike_auth.demo.failures import check
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, IMPOSTOR
from ike_auth.demo.logs import Daemon
from ike_auth.demo.meeting import certificates_of, show_phase_2
from ike_auth.demo.questions import ALLOWED, GENUINE, POLICY_A, POLICY_B, ask
from ike_auth.demo.stage import Stage

TITLE = "the impostor"
FOLDER = "5-impostor"
TRUSTING = f"{FOLDER}/trusting.kn"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The impostor meets gateway B. `outcome` shows and checks what came of it, given gateway B and the impostor."""

    name: str  # of the logs
    outcome: Callable[[Stage, Daemon, Daemon], None]
    claim: str | None = None  # the name it says it has, if that is not its own
    gateway: str = "gw-b"  # configuration of gateway B
    policy: str = POLICY_B


def tell(stage: Stage) -> None:
    stage.narrator.say(f"""
        Gateway A is down. Somebody has broken into the printer, has its private key and certificate, and has taken
        gateway A's address, {IMPOSTOR.address}. The certificate is valid, and of the right CA.
    """)
    _write_configurations(stage)
    _under_its_own_name(stage)
    _under_the_name_of_the_gateway(stage)
    _without_the_check(stage)


def _write_configurations(stage: Stage) -> None:
    off = "# Whatever certified name policy lets in. Do not do this.\nStrict-Remote-ID= no\n"
    for name, host, lines in (
        ("impostor", IMPOSTOR, ""),
        ("gw-b", GATEWAY_B, ""),
        ("gw-b-not-strict", GATEWAY_B, off),
    ):
        for how, calls in (("calls", True), ("waits", False)):
            text = configurations.gateway(host, certificates_of(stage, host), calls=calls, peer_lines=lines)
            stage.write(f"{FOLDER}/{name}-{how}.conf", text)


def _under_its_own_name(stage: Stage) -> None:
    stage.narrator.subheading(f"a) It says what it is: {IMPOSTOR.fqdn}")
    attempt = Attempt("own-name", _refused_by_name)
    stage.narrator.say("First, gateway B waits and the impostor calls:")
    _impostor_calls(stage, attempt)
    stage.narrator.say("""
        Gateway B refuses in Phase 1. Its configuration says what the peer at this address is called (Remote-ID); had
        it not, the policy would have refused, as it did in step 2. Now the impostor waits, and gateway B calls:
    """)
    _gateway_calls(stage, attempt)
    stage.narrator.verdict("Refused in both directions. A tunnel was never spoken of.")


def _under_the_name_of_the_gateway(stage: Stage) -> None:
    stage.narrator.subheading(f"b) It says that it is {GATEWAY_A.fqdn}")
    stage.narrator.say("""
        Configuration and policy want that name, so why not say it? Policy alone would believe it: it is asked about
        a name, and sees no certificate. Here the holder of the printer's certificate asks gateway A's question:
    """)
    answer = ask(stage, "eval", IMPOSTOR.fqdn, GENUINE, ALLOWED)
    check(answer.startswith("true\n"), "policy was to believe the false name")
    stage.narrator.say("""
        That is why the daemon compares name and certificate before it asks policy. Its own name, too:
    """)
    false = configurations.gateway(
        replace(IMPOSTOR, fqdn=GATEWAY_A.fqdn), certificates_of(stage, IMPOSTOR), calls=True
    )
    configuration = stage.write(f"{FOLDER}/false-name.conf", false)
    said = stage.command("ike-auth", "check", "-c", configuration, "--policy", stage.path(POLICY_A), status=1)
    check("no certificate that bears" in said, "`ike-auth check` did not say that no certificate bears the name")
    stage.narrator.say("""
        So the impostor has changed its daemon, and it goes on without that: ike_auth/demo/attacker.py is the whole
        change. Gateway B waits, and the impostor calls:
    """)
    attempt = Attempt("false-name", _refused_by_certificate, claim=GATEWAY_A.fqdn)
    _impostor_calls(stage, attempt)
    stage.narrator.say("And the other way round, the impostor waits and gateway B calls:")
    _gateway_calls(stage, attempt)
    stage.narrator.verdict("""
        Refused in both directions: the certificate does not bear the name. No setting turns this check off.
    """)


def _without_the_check(stage: Stage) -> None:
    stage.narrator.subheading(
        "c) What a) was for: the same impostor, its own name, and the strict check switched off"
    )
    stage.narrator.say("""
        Somebody writes a shorter policy for gateway B. It does not ask for a name:
    """)
    trusting = stage.write(TRUSTING, policies.trusting(GATEWAY_A))
    stage.command("cat", trusting)
    configuration = stage.path(f"{FOLDER}/gw-b-waits.conf")
    said = stage.command("ike-auth", "check", "-c", configuration, "--policy", trusting, status=1)
    check("does not bind remote_id" in said, "`ike-auth check` did not say that policy does not bind remote_id")
    check(f"{trusting.name}:" in said, f"`ike-auth check` did not name `{trusting.name}` and the line")
    stage.narrator.say("""
        Gateway B would not even start with it: whoever the CA certifies could take the place of gateway A. The
        message names the policy's line, and the setting that accepts the danger. So that setting is made, for this
        one peer: `Strict-Remote-ID= no`. Now gateway B starts, warns, and the impostor calls:
    """)
    attempt = Attempt("not-strict", _let_in, gateway="gw-b-not-strict", policy=TRUSTING)
    _impostor_calls(stage, attempt)
    stage.narrator.say("And the other way round, the impostor waits and gateway B calls:")
    _gateway_calls(stage, attempt)
    stage.narrator.verdict(f"""
        Let in, both times: all traffic for {IMPOSTOR.network} now goes to a printer. This is what the strict check
        prevents, and why it is on unless you switch it off.
    """)


# --- who calls whom


def _impostor_calls(stage: Stage, attempt: Attempt) -> None:
    gateway = _start_gateway(stage, attempt, "waits", "impostor-calls")
    impostor = _start_impostor(stage, attempt, "calls", "impostor-calls")
    attempt.outcome(stage, gateway, impostor)
    stage.stop(impostor, gateway)


def _gateway_calls(stage: Stage, attempt: Attempt) -> None:
    impostor = _start_impostor(stage, attempt, "waits", "gw-b-calls")
    gateway = _start_gateway(stage, attempt, "calls", "gw-b-calls")
    attempt.outcome(stage, gateway, impostor)
    stage.stop(gateway, impostor)


def _start_gateway(stage: Stage, attempt: Attempt, how: str, scene: str) -> Daemon:
    configuration = stage.path(f"{FOLDER}/{attempt.gateway}-{how}.conf")
    log = f"{FOLDER}/{attempt.name}/{scene}/gw-b.log"
    return stage.start(GATEWAY_B, configuration, stage.path(attempt.policy), log)


def _start_impostor(stage: Stage, attempt: Attempt, how: str, scene: str) -> Daemon:
    configuration = stage.path(f"{FOLDER}/impostor-{how}.conf")
    log = f"{FOLDER}/{attempt.name}/{scene}/impostor.log"
    # Its own policy is gateway A's: it wants gateway B to be gateway B.
    return stage.start(IMPOSTOR, configuration, stage.path(POLICY_A), log, attempt.claim)


# --- what comes of it


def _refused_by_name(stage: Stage, gateway: Daemon, _: Daemon) -> None:
    _refused(stage, gateway, IMPOSTOR.fqdn, "is not the configured Remote-ID", GATEWAY_A.fqdn)


def _refused_by_certificate(stage: Stage, gateway: Daemon, _: Daemon) -> None:
    _refused(stage, gateway, GATEWAY_A.fqdn, "is not certified", IMPOSTOR.fqdn)


def _refused(stage: Stage, gateway: Daemon, name: str, *reasons: str) -> None:
    """Gateway B refused this name in Phase 1, and these words are in the reason. Raises StepFailed."""
    refused = gateway.expect("PeerRefused", "IkeSaUp", "ExchangeFailed")
    stage.narrator.log(gateway.host.name, refused.event)
    check(refused.kind == "PeerRefused", "gateway B did not refuse the impostor")
    check(refused["identity"] == f"FQDN {name}", f"refused was {refused['identity']}, not FQDN {name}")
    for reason in reasons:
        check(reason in refused.because, f"the reason does not say `{reason}`")
    believed = gateway.entries("IkeSaUp", "TunnelUp")
    check(not believed, "gateway B refused the impostor, and believed it")


def _let_in(stage: Stage, gateway: Daemon, impostor: Daemon) -> None:
    warnings = [entry for entry in gateway.entries() if "Strict-Remote-ID= no" in entry.event]
    check(bool(warnings), "gateway B did not warn that the check is off")
    stage.narrator.log(gateway.host.name, warnings[0].event)
    up = gateway.expect("IkeSaUp", "PeerRefused", "ExchangeFailed")
    stage.narrator.log(gateway.host.name, up.event)
    check(up.kind == "IkeSaUp", "the impostor was not let in, though the check is off")
    check(up["identity"] == f"FQDN {IMPOSTOR.fqdn}", f"let in was {up['identity']}, not the impostor")
    theirs, its = show_phase_2(stage, gateway, impostor)
    check(theirs["fingerprints"] == its["fingerprints"], "gateway B and the impostor have different keys")
