# SPDX-License-Identifier: ISC
"""What holds for all tests."""

from hypothesis import settings

# How long an example takes says more about the machine than about what is tested. Hypothesis chooses its own profile
# where CI is set; this one takes over from what that says.
settings.register_profile("untimed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("untimed")
