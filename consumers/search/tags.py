"""Tags that mean one thing, written as people write them: by case, by hyphen, in Khmer, in short. Pure.

`canonical` is the form under which a tag is counted and compared; `spellings` are the other words of its group, which
go into the index with it. The groups are the school subjects and examinations of the network, as data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from consumers.search.text import fold

_GROUPS: Final = (
    ("mathematics", "math", "maths", "គណិតវិទ្យា", "គណិត"),
    ("physics", "រូបវិទ្យា", "រូប"),
    ("chemistry", "chem", "គីមីវិទ្យា", "គីមី"),
    ("biology", "bio", "ជីវវិទ្យា", "ជីវៈ"),
    ("science", "sciences", "វិទ្យាសាស្ត្រ"),
    ("history", "ប្រវត្តិវិទ្យា", "ប្រវត្តិសាស្ត្រ"),
    ("geography", "geo", "ភូមិវិទ្យា"),
    ("khmer language", "khmer", "ភាសាខ្មែរ", "khmer literature", "អក្សរសាស្ត្រខ្មែរ"),
    ("english", "english language", "អង់គ្លេស", "ភាសាអង់គ្លេស"),
    ("civics", "civics and morality", "morality", "សីលធម៌ពលរដ្ឋ", "សីលធម៌", "ពលរដ្ឋវិទ្យា"),
    ("physical education", "pe", "sport", "sports", "កីឡា", "អប់រំកាយ"),
    ("computer science", "cs", "computing", "informatics", "ict", "កុំព្យូទ័រ", "ព័ត៌មានវិទ្យា", "វិទ្យាសាស្ត្រកុំព្យូទ័រ"),
    ("programming", "coding", "សរសេរកម្មវិធី", "ការសរសេរកម្មវិធី"),
    ("economics", "economy", "សេដ្ឋកិច្ច", "សេដ្ឋកិច្ចវិទ្យា"),
    ("bac2", "bacii", "bac ii", "baccalaureate", "បាក់ឌុប"),
    ("national exam", "national examination", "ប្រឡងជាតិ", "ការប្រឡងជាតិ"),
    ("exam", "exams", "examination", "ប្រឡង", "ការប្រឡង"),
    ("scholarship", "scholarships", "អាហារូបករណ៍"),
    ("homework", "assignment", "កិច្ចការផ្ទះ"),
    ("study tips", "study skills", "វិធីរៀន"),
    ("art", "arts", "សិល្បៈ"),
    ("music", "តន្ត្រី"),
    ("environment", "បរិស្ថាន"),
    ("health", "សុខភាព"),
)
_GROUP_OF: Final = {fold(word): group for group in _GROUPS for word in group}


@lru_cache(maxsize=16_384)
def canonical(tag: str) -> str:
    """The folded form of a tag, or of the first of its group: `Math`, `maths` and `គណិតវិទ្យា` are `mathematics`."""
    folded = fold(tag)
    group = _GROUP_OF.get(folded)
    return fold(group[0]) if group else folded


def spellings(tag: str) -> tuple[str, ...]:
    """All words of the tag's group; the tag alone when it belongs to none."""
    return _GROUP_OF.get(fold(tag), (tag,))
