# SPDX-License-Identifier: ISC
"""Step 7: packets flow between hosts behind the gateways, until policy says otherwise."""

from ike_auth.demo import apart
from ike_auth.demo.failures import StepFailed
from ike_auth.demo.processes import run_aloud
from ike_auth.demo.stage import Stage

TITLE = "hosts behind the gateways speak, until policy changes"


def tell(stage: Stage) -> None:
    stage.narrator.say("""
        A host behind each gateway, in a network of its own that has nothing but the tunnel (--rootless: a user and
        a network namespace, for which nobody has to be root). The daemons make ESP themselves, in UDP.
    """)
    command = [
        "python",
        "-m",
        "ike_auth.demo.apart",
        str(stage.directory),
        str(stage.ports.ike),
        str(stage.ports.nat),
    ]
    status = run_aloud(command)
    if status not in (apart.DONE, apart.IMPOSSIBLE):
        raise StepFailed("see above")
