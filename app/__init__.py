"""The processes: the only code that reads the environment and builds objects. See `wiring.py` first."""
