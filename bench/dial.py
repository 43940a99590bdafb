"""Dialling with everything that Mooring does around it, against a plain asyncio connect, 20 ms away."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

from bench.distance import FAR_ADDRESS, NEAR_ADDRESS, PORT, apart
from bench.report import Finding, Series, ratio
from mooring.bootstrap import Installation, open_installation
from mooring.config import Config, Generation, Kind, load_config
from mooring.egress import Caller, Dial, Traffic
from tests.lab import Laboratory

DELAY_MS = 10.0
"""Milliseconds in each direction."""
ROUNDS = 5
DIALS = 40
"""Dials of one round, one after the other."""
HOST = "far.lab.test"
