#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
# Installs what tests/pki needs on Debian, as root: PostgreSQL's server. Silent and quick when it is there. Starts no
# service: the tests start a server of their own, on a socket in a temporary directory, and stop it.
set -euo pipefail

exec bash "$(dirname "$0")/../install.sh" postgresql
