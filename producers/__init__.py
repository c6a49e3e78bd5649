"""Who writes: the business rows of the school network. Capture (in `outbox/`) turns the rows into events."""
