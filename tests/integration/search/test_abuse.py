"""Whatever is sent: an answer or a 4xx with problem details, and never somebody else's post."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.search.conftest import Api, Index, ids
from tests.support.network import Network

NASTY = st.sampled_from(
    [
        *(
            "`",
            "`] || audience:=[`public`] || owner:=[`x",
            "&&",
            "||",
            ":=",
            "*",
            "-",
            '"',
            "'",
            "\\",
            "%",
            "_",
        ),
        *(
            "' OR 1=1 --",
            "$1",
            "%(viewer)s",
            "{VISIBLE}",
            "[",
            "(",
            "(?<!",
            "a{9999}",
            "{{",
            "\x00",
            "\u200b",
        ),
        *("១", "ខ្", "្", "é", " "),
    ]
)
TEXT = st.lists(st.text(max_size=8) | NASTY, min_size=1, max_size=6).map("".join)


PROBLEMS = [
    ("/search", 422),
    ("/search?q=", 422),
    ("/search?q=" + "x" * 201, 422),
    ("/search?q=a%00b", 422),
    ("/search?q=a&types=posts,secrets", 422),
    ("/search?q=a&limit=0", 422),
    ("/search?q=a&limit=51", 422),
    ("/search?q=a&limit=many", 422),
    ("/search/suggest?q=", 422),
    ("/posts?limit=51", 422),
    ("/posts?postType=EVENT", 422),
    ("/posts?schoolId=%00", 422),
    ("/posts?search=" + "x" * 201, 422),
    ("/posts?search=a%00", 422),
    ("/posts?cursor=nonsense", 400),
    ("/posts?search=a&cursor=W10", 400),
    ("/posts?cursor=" + "A" * 1001, 422),
    ("/posts/%00", 422),
    ("/posts/" + "x" * 201, 422),
    ("/posts/nobody", 404),
]


async def test_bad_input_is_a_problem(http: Api, network: Network) -> None:
    for path, status in PROBLEMS:
        response = await http.get("anna", path)
        assert response.status_code == status, (path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == status


async def test_any_query_and_filter_is_harmless(http: Api, bare: Api, network: Network, index: Index) -> None:
    secret = network.post("teacher", "a zebra * % _ ' \" ខ្មែរ", "north", title="x", visibility="SCHOOL")
    network.club("teacher", "a x zebra", "north", mode="INVITE_ONLY")
    await index.fill()
    loop = asyncio.get_running_loop()

    async def ask(search: str, school: str, kinds: str, cursor: str | None) -> None:
        for api in (http, bare):
            params = {"search": search, "schoolId": school, **({"cursor": cursor} if cursor else {})}
            answers = [
                await api.get("sophea", "/posts", **params),
                await api.get("sophea", "/search", q=search, types=kinds),
                await api.get("sophea", "/search/suggest", q=search),
            ]
            for answer in answers:
                assert answer.status_code in (200, 400, 422), answer.text
                assert secret not in answer.text
                assert "zebra" not in str(answer.json().get("data"))

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(TEXT, TEXT, st.just("posts,clubs") | TEXT, st.none() | TEXT)
    def fuzz(search: str, school: str, kinds: str, cursor: str | None) -> None:
        asyncio.run_coroutine_threadsafe(ask(search, school, kinds, cursor), loop).result(30)

    await asyncio.to_thread(fuzz)
    assert ids((await http.get("anna", "/posts", search="zebra")).json()["data"]) == [secret]
