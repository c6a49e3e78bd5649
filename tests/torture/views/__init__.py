"""The views under torture: random writes and random misfortunes, and at quiet points every view equals the truth.

world.py     what people do: rows of the truth come, change and go
unruly.py    consumers that are killed, paused, overtaken, and whose stores' answers get lost
machine.py   the steps, chosen from a seed; the quiet points; what remains of a failing plan
__main__.py  many plans, until one fails or the time is up
"""
