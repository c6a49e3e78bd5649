"""The write half of the HTTP contract as one router; `app/api.py` mounts it.

Heartbeat, live quizzes and logout belong to `consumers/live`.
"""

from __future__ import annotations

from fastapi import APIRouter

from producers import engagement_api, learning_api, posts_api, social_api

router = APIRouter()
for part in (posts_api, engagement_api, social_api, learning_api):
    router.include_router(part.router)
