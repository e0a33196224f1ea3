"""One module for each kind of log; `edge_pilot.replay.logs` finds them by name."""
