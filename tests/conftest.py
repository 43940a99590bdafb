"""What holds on all floors."""

from hypothesis import settings

# How long an example takes says something of the machine's load, and nothing of what is tested.
settings.register_profile("mooring", deadline=None)
settings.load_profile("mooring")
