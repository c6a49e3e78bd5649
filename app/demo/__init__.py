"""The guided tour behind `make demo`: one running stack, one small school network, everything through HTTP.

`client.py` talks to the API as a person, `measure.py` waits and takes the time, `scenario.py` is the story,
`report.py` prints it. Nothing here is used by the pipeline.
"""
