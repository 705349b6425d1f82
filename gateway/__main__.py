"""`python -m gateway` is `throughline`."""

from gateway.cli import main

if __name__ == "__main__":
    main(prog_name="throughline")
