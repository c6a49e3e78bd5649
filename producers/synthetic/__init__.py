"""A made-up school network, the same for the same seed: people, posts, clubs, courses, and what they do with them.

For demonstrations, tests and benchmarks. Everything about real people is left out on purpose; names are combined by
chance. `network.py` puts the parts together, `load.py` writes them, the words are in `data/`.
"""
