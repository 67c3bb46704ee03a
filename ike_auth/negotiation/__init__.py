# SPDX-License-Identifier: ISC
"""Choosing among proposals: pure functions from what is offered and what is configured."""
