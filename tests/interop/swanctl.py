# SPDX-License-Identifier: ISC
"""A charon that is configured by swanctl from a directory, as an operator does it."""

import os
import subprocess
from pathlib import Path

from tests.interop.charon import Charon, Settings
from tests.interop.namespaces import Gateway

_SWANCTL_CONF = "include conf.d/*.conf\n"  # as /etc/swanctl has it


class SwanctlCharon(Charon):
    """`exported` is in the place of /etc/swanctl; `connection` is what its connection and tunnel are called."""

    def __init__(self, gateway: Gateway, peer: Gateway, exported: Path, connection: str, directory: Path) -> None:
        super().__init__(gateway, peer, Settings(own_id="", peer_id=""), directory)
        self._exported = exported
        self._connection_name = connection
        self.loaded = ""

    def swanctl(self, *words: str) -> str:
        """What swanctl prints; RuntimeError, with that, where it fails."""
        command = ["swanctl", *words, "--uri", f"unix://{self._socket}"]
        environment = {**os.environ, "SWANCTL_DIR": str(self._exported)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}\n{self.daemon.describe()}")
        return done.stdout + done.stderr

    def initiate(self, seconds: float = 10.0) -> None:
        self._initiate(seconds, {"ike": self._connection_name, "child": self._connection_name})

    def _set_up(self) -> None:
        (self._exported / "swanctl.conf").write_text(_SWANCTL_CONF)
        self.loaded = self.swanctl("--load-all")
