"""`python -m tests.mutants`: every bug, one after the other; ends with 1 if one of them went unnoticed."""

from __future__ import annotations

import sys

from tests import servers
from tests.mutants.catalogue import MUTANTS
from tests.mutants.run import copied, is_noticed, run_tests


def main(names: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    if unknown := set(names) - {mutant.name for mutant in MUTANTS}:
        print(f"no such mutant: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    with copied() as root:
        code, said = run_tests(root, tuple(dict.fromkeys(test for mutant in chosen for test in mutant.tests)))
    if code != 0:
        print(f"the tests fail without any bug:\n{said}", file=sys.stderr)
        return 2
    survivors = 0
    for mutant in chosen:
        if mutant.postgres and not _has_postgres():
            print(f"skipped  {mutant.name}: needs PostgreSQL")
            continue
        noticed, said = is_noticed(mutant)
        survivors += not noticed
        print(f"{'noticed ' if noticed else 'SURVIVED'} {mutant.name} (promise {mutant.promise})", flush=True)
        if not noticed:
            print(said)
    return 1 if survivors else 0


def _has_postgres() -> bool:
    try:
        with servers.postgres_server(durable=False):
            return True
    except servers.Unavailable:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
