"""The servers that plugin authors test with (sdk/testing/rt_testing), for scenario tests."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), "sdk", "testing"))

from rt_testing import (  # noqa: E402  # the path comes first
    Authority, Certificate, Missing, Postgres, Proxy, Redis, Sentinel)

__all__ = ("Authority", "Certificate", "Missing", "Postgres", "Proxy", "Redis", "Sentinel")
