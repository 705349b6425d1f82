"""Ports: given out to be listened on later, so nobody else may be given them meanwhile."""

from __future__ import annotations

import subprocess
import sys

from tests.house import ROOT
from tests.servers.program import OWN_PORTS, free_port

ASK = f"from tests.servers.program import free_port; print(*(free_port() for _ in range({OWN_PORTS})))"


def test_no_port_is_given_to_two_processes_nor_twice_in_a_row() -> None:
    """Not even to one that this one started, which has all of its environment."""
    ours = [free_port() for _ in range(100)]
    asked = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, capture_output=True, text=True, check=True)
    theirs = {int(port) for port in asked.stdout.split()}
    assert len(set(ours)) == 100
    assert len(theirs) > OWN_PORTS / 2
    assert theirs.isdisjoint([*ours, *(free_port() for _ in range(OWN_PORTS))])
