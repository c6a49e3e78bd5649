"""`stunity doctor`: looks at the services and settings, and says for each shortcoming what to do about it.

Reads only. One module per kind of thing that is looked at; each yields Findings, none of them stops the others.
How far the views have come is not asked here: that is /readyz and `stunity verify`.
"""
