"""A person leaves every store: `stunity erase user ID`.

    person.py     what mentions a person, and what an event of the log becomes without them (pure)
    truth.py      the person's row, by which upstream's own foreign keys let all that is theirs go
    log.py        the log's payloads, dead letters, job arguments: redacted in place
    archive.py    days that have left the log
    tables.py     what our own tables keep besides, and what of the person may be left in any of them
    keys.py       Redis: the streams cut behind what every view has passed, other keys by what they say
    index.py      Typesense: documents that no event reaches any more
    process.py    the order of it all, the audit record, going on after a kill

Views are not written here: they follow the deletion like any other, and `process.py` waits for them.
"""
