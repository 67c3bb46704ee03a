# SPDX-License-Identifier: ISC
"""The demo as a whole: seven steps, each a promise. It stops at the first that is not kept."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ike_auth.demo import certificates, directory, impostor, meeting, null_encryption, policies, questions, traffic
from ike_auth.demo.failures import CannotBegin, StepFailed
from ike_auth.demo.hosts import GATEWAY_A
from ike_auth.demo.narration import Narrator, shown
from ike_auth.demo.stage import Stage, free_ports

STEPS: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    (certificates.TITLE, certificates.tell),
    (questions.TITLE, questions.tell),
    (meeting.BY_CERTIFICATE, meeting.by_certificate),
    (meeting.BY_PRESHARED_KEY, meeting.by_preshared_key),
    (impostor.TITLE, impostor.tell),
    (null_encryption.TITLE, null_encryption.tell),
    (traffic.TITLE, traffic.tell),
)
_DONE, _FAILED, _INTERRUPTED = 0, 1, 130


def tell(path: Path | None = None) -> int:
    """Tell it in `path`, or in ./demo: the exit status, 0 if every step went as said.

    When this returns no process is left, and when this process is killed none either.
    """
    narrator = Narrator()
    where = directory.DEFAULT if path is None else path
    try:
        with directory.renewed(where), free_ports() as ports, Stage(where, narrator, ports) as stage:
            _introduce(stage)
            for number, (title, step) in enumerate(STEPS, 1):
                narrator.heading(f"{number} of {len(STEPS)}: {title}")
                try:
                    step(stage)
                except StepFailed as failed:
                    narrator.failure(f"step {number} ({title}) did not go as said: {failed}")
                    for daemon in stage.running:
                        narrator.log(daemon.host.name, *daemon.tail())
                    return _FAILED
            _conclude(stage)
            return _DONE
    except CannotBegin as error:
        print(f"ike-auth: error: {error}", file=sys.stderr)
        return _FAILED
    except OSError as error:
        narrator.failure(f"the demo cannot go on: {error}")
        return _FAILED
    except KeyboardInterrupt:
        narrator.failure("interrupted; all its processes have ended")
        return _INTERRUPTED


def _introduce(stage: Stage) -> None:
    stage.narrator.heading("two gateways meet under a policy; an impostor with a valid certificate does not")
    stage.narrator.say(f"""
        Two gateways, A and B, join their networks by an encrypted tunnel. They find each other by IKE, the protocol
        that negotiates such tunnels. An impostor has a valid certificate, and wants in.

        Everything here is real: commands that you can type, daemons, UDP on 127.0.0.x. Lines after $ are commands,
        lines after │ are what they printed or logged, lines with ✓ are what has been checked. All files are in
        {shown(stage.directory)}/, and stay there.
    """)
    scripts = Path(sys.executable).parent
    if shutil.which("ike-auth") != str(scripts / "ike-auth"):
        stage.narrator.say("The commands are found after:")
        stage.narrator.command(["export"], f'PATH="{scripts}:$PATH"')


def next_commands(stage: Stage) -> tuple[tuple[str, ...], ...]:
    """Three things to try when the demo has ended."""
    known = ("-p", stage.path(questions.POLICY_B), "-p", stage.path(questions.CERTIFIED))
    asked = ("-k", policies.principal(GATEWAY_A.fqdn), "--action", stage.path(questions.GENUINE))
    waits = ("-c", stage.path("3-certificate/gw-b.conf"), "--policy", stage.path(questions.POLICY_B))
    ports = ("--port", str(stage.ports.ike), "--nat-port", str(stage.ports.nat), "--no-kernel")
    authority = stage.path(certificates.AUTHORITY_DIRECTORY)
    commands = (
        ("keynote", "why", *known, *asked, "-a", "esp_enc_alg=3des", "--values", "false,true"),
        ("keynote-pki", "show", "printer.example.org", "--dir", authority),
        ("ike-auth", "run", *waits, *ports),
    )
    return tuple(tuple(shown(word) if isinstance(word, Path) else word for word in command) for command in commands)


def _conclude(stage: Stage) -> None:
    why, show, run = next_commands(stage)
    narrator = stage.narrator
    narrator.heading("all seven steps went as said")
    narrator.say(f"""
        Configurations, policies and logs are in {shown(stage.directory)}/, and README.txt there says what is where.
        Start with 2-policy/gw-b.kn. Three things to try; first, ask policy about another cipher:
    """)
    narrator.command(why)
    narrator.say("What the CA knows of the printer:")
    narrator.command(show)
    narrator.say("""
        Run gateway B in this terminal with readable logs, and gateway A in another (the same with gw-a for gw-b, in
        both places); Ctrl-C ends them:
    """)
    narrator.command(run)
