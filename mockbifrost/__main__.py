"""`python -m mockbifrost`."""

from mockbifrost.cli import main

main(prog_name="mockbifrost")
