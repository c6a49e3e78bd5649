"""Event contracts: pure, no I/O, imported by everyone. The tables behind them are in `outbox/`."""
