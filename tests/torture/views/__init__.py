"""The views under torture: random writes and random misfortunes, and at quiet points every view equals the truth.

world.py     what people do: rows of the truth come, change and go
unruly.py    consumers that are killed, paused, overtaken, and whose stores' answers get lost
beside.py    what takes long, and goes on while other things happen: rebuilds, replays of the log
machine.py   the steps, and the quiet points
plan.py      which steps, chosen from a seed; what remains of a plan that fails
__main__.py  many plans, until one fails or the time is up
"""
