"""Rebuilding a view beside the one that serves (I11): fill, follow, gates, switch, keep the old one fed, drop it.

A *shadow* is the same projection on another place of the same store, called `<view>@<number>`: it has its own lease,
checkpoint, consumer group and letters, because the engine knows it by that name alone. A switch exchanges what stands
under the two names, so that nobody who reads or keeps `<view>` has to know that there was a rebuild, and a rollback
is the same exchange once more.

shadow.py    what a view offers      register.py  engine.rebuilds      build.py   filling, resuming after a kill
gates.py     when it may serve       switch.py    the exchange         process.py the whole of a rebuild, in order
kept.py      feeding the old one     sweep.py     dropping, tidying up after what was killed
"""
