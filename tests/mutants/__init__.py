"""Bugs put in on purpose: each breaks one promise in a copy of the source, and the unchanged suite must turn red there.

    python -m tests.mutants                 all of them
    python -m tests.mutants no-dedupe ...   these

Rule: a mutant is an exact replacement in one file. If the code that it breaks is rewritten the replacement no longer
      applies, which is a failure too: then it is written anew against the new code, never dropped.
Rule: red means that tests failed. That nothing could be run, or nothing was, is not red.
"""
