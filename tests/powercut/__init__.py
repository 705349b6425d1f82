"""What a power cut leaves of the SQLite files, and whether every acknowledged row is in it.

A process runs the real store under load while `shim.c` notes everything that it does to its files. The trace is then
replayed up to a moment: what was synced is kept; of what was not, any part of any order is kept, dropped or torn. On
what is left the real store is opened again, and must have every row that was acknowledged before that moment.
"""
