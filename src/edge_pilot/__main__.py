"""Lets `python -m edge_pilot` be `edge_pilot`."""

from edge_pilot.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
