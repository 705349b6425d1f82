"""Kills the real process under load, again and again, and then counts what was lost, doubled or put out of order.

The provider (`meta`) and the visitors (`widgets`) are processes of their own and write down what they saw; the
auditor believes them and the database, never the gateway.
"""
