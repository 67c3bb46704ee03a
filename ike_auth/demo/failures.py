# SPDX-License-Identifier: ISC
"""What ends the demo early."""


class StepFailed(Exception):
    """Something did not go as said; the text says what."""


class CannotBegin(Exception):
    """The demo could not start, and has changed nothing. The text says what to do."""


def check(as_said: bool, otherwise: str) -> None:
    """Raises StepFailed unless it is as said; `otherwise` says what is the case instead."""
    if not as_said:
        raise StepFailed(otherwise)
