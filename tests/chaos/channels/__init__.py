"""Kills the process once for every channel there is: its provider's simulator outside, the real gateway inside.

line.py    what a channel's outside is: the seam that a new channel is written against
host.py    for providers that call webhooks and have a REST API: both over real HTTP
crowd.py   the customers: they write, wait for the answer, write on
run.py     conducts: starts, kills, lets the rest be finished, stops
audit.py   compares what the outside saw with what the database holds
every.py   the run without kills: every type of what comes in, one by one

Rule: nothing here knows a channel but its own module; `lines.py` is the list of them.
"""
