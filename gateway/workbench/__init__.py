"""An adapter by itself, as JSON lines: requests in and envelopes out, envelopes in and calls out.

Rule: every line in gives one line out, whatever it holds; a line that can not be read gives one that says so.
Rule: nothing is called and nothing is stored. The verdict and the status are the ones that the gateway would give.
"""

from gateway.workbench.parsing import parse_lines
from gateway.workbench.rendering import render_lines

__all__ = ["parse_lines", "render_lines"]
