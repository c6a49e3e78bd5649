"""Follows and blocks, clubs and courses over HTTP."""

from __future__ import annotations

import pytest

from tests.integration.producers.conftest import School


async def test_following_is_idempotent_and_asks_whether_one_sees_the_other(school: School) -> None:
    for _ in range(2):
        assert (await school.call("dara", "PUT", "/users/sophea/follow")).status_code == 204
    assert school.one("SELECT count(*) FROM follows") == 1
    assert (await school.call("dara", "PUT", "/users/vibol/follow")).status_code == 404
    assert (await school.call("dara", "PUT", "/users/dara/follow")).status_code == 422
    for _ in range(2):
        assert (await school.call("dara", "DELETE", "/users/sophea/follow")).status_code == 204
    assert school.one("SELECT count(*) FROM follows") == 0


async def test_a_block_parts_both_and_can_be_lifted_by_its_owner_alone(school: School) -> None:
    await school.call("dara", "PUT", "/users/bopha/follow")
    await school.call("bopha", "PUT", "/users/dara/follow")
    for _ in range(2):
        assert (await school.call("dara", "PUT", "/users/bopha/block")).status_code == 204
    assert school.one("SELECT count(*) FROM follows") == 0
    assert (await school.call("bopha", "PUT", "/users/dara/follow")).status_code == 404
    assert (await school.call("bopha", "PUT", "/users/dara/block")).status_code == 204
    assert (await school.call("bopha", "DELETE", "/users/dara/block")).status_code == 204
    assert school.one('SELECT "blockerId" FROM user_blocks') == "dara"
    assert (await school.call("dara", "PUT", "/users/nobody/block")).status_code == 404
    assert (await school.call("dara", "PUT", "/users/dara/block")).status_code == 422


async def test_a_club_is_founded_announced_changed_and_closed(school: School) -> None:
    answer = await school.call("dara", "POST", "/clubs", {"name": "Robotics", "tags": ["ComputerScience"]})
    assert answer.status_code == 201
    club = answer.json()["data"]
    assert club["schoolId"] == "north"
    assert school.one('SELECT role::text FROM club_members WHERE "clubId" = %s', club["id"]) == "OWNER"
    assert school.one('SELECT visibility::text FROM posts WHERE "studyClubId" = %s', club["id"]) == "SCHOOL"
    changed = await school.call("dara", "PATCH", f"/clubs/{club['id']}", {"mode": "INVITE_ONLY"})
    assert changed.json()["data"]["mode"] == "INVITE_ONLY"
    assert (await school.call("bopha", "PATCH", f"/clubs/{club['id']}", {"name": "Mine"})).status_code == 404
    await school.call("dara", "PATCH", f"/clubs/{club['id']}", {"mode": "PUBLIC"})
    assert (await school.call("bopha", "DELETE", f"/clubs/{club['id']}")).status_code == 403
    assert (await school.call("dara", "DELETE", f"/clubs/{club['id']}")).status_code == 204
    assert school.one('SELECT "isActive" FROM study_clubs') is False


async def test_an_invite_only_club_is_not_announced(school: School) -> None:
    await school.call("dara", "POST", "/clubs", {"name": "Secret", "mode": "INVITE_ONLY"})
    assert school.one("SELECT count(*) FROM posts") == 0


async def test_a_course_is_a_draft_until_it_is_published(school: School) -> None:
    course = {
        "title": "Calculus",
        "description": "Limits and derivatives",
        "category": "Mathematics",
        "titleTranslations": {"km": "គណិតវិភាគ"},
    }
    answer = await school.call("sophea", "POST", "/courses", course)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert (data["status"], data["supportedLocales"]) == ("DRAFT", ["en", "km"])
    path = f"/courses/{data['id']}"
    assert (await school.call("vibol", "PATCH", path, {"title": "x"})).status_code == 404
    published = await school.call(
        "sophea", "PATCH", path, {"isPublished": True, "titleTranslations": {"en": "Calculus"}}
    )
    assert published.json()["data"]["status"] == "PUBLISHED"
    assert (await school.call("vibol", "DELETE", path)).status_code == 403
    assert (await school.call("sophea", "DELETE", path)).status_code == 204


@pytest.mark.parametrize("path", ["/courses", "/clubs"])
async def test_unknown_words_are_refused(school: School, path: str) -> None:
    body = {"name": "x", "title": "x", "description": "x", "category": "x", "level": "EASY", "mode": "OPEN"}
    assert (await school.call("dara", "POST", path, body)).status_code == 422


async def test_joining_a_club_waits_for_approval_where_the_club_says_so(school: School) -> None:
    made = [
        (await school.call("dara", "POST", "/clubs", {"name": mode, "mode": mode, "maxMembers": 2})).json()[
            "data"
        ]["id"]
        for mode in ("PUBLIC", "APPROVAL_REQUIRED", "INVITE_ONLY")
    ]
    answers = [await school.call("bopha", "PUT", f"/clubs/{club}/membership") for club in made]
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert [answer.json()["data"]["active"] for answer in answers[:2]] == [True, False]
    assert (await school.call("bopha", "PUT", f"/clubs/{made[0]}/membership")).json()["data"][
        "active"
    ] is True
    assert (await school.call("sophea", "PUT", f"/clubs/{made[0]}/membership")).status_code == 422
    assert (await school.call("vibol", "PUT", f"/clubs/{made[0]}/membership")).status_code == 404
    assert (await school.call("bopha", "DELETE", f"/clubs/{made[0]}/membership")).status_code == 204
    assert (await school.call("sophea", "PUT", f"/clubs/{made[0]}/membership")).status_code == 200


async def test_enrolling_twice_counts_once_and_drafts_are_not_there(school: School) -> None:
    course = {"title": "Calculus", "description": "Limits", "category": "Mathematics", "isPublished": True}
    path = f"/courses/{(await school.call('sophea', 'POST', '/courses', course)).json()['data']['id']}"
    for _ in range(2):
        assert (await school.call("vibol", "PUT", f"{path}/enrollment")).status_code == 204
    assert school.one('SELECT "enrolledCount" FROM courses') == 1
    await school.call("sophea", "PATCH", path, {"isPublished": False})
    assert (await school.call("dara", "PUT", f"{path}/enrollment")).status_code == 404
