"""Events from the log into one view once more: asked for by anybody, done by whoever owns the view.

Why the owner: a second writer that reads rows and writes them would put an older state over a newer one. So a replay
is a row of `engine.jobs`, and the owner applies a slice of it between two batches.
"""
