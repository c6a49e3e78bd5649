"""Which upstream columns become which events: a whitelist, nothing else of a row can leave the database.

Data only. Counters, scores, `updatedAt` and presence are in no list, so writing them is silent. How a list becomes
triggers is in `statements.py`; the payloads' models are in `schemas/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: Never in an event, whatever a list below says: secrets, ways to reach a person, and answers.
FORBIDDEN: Final = frozenset(
    {
        "password",
        "lastPasswordHashes",
        "passwordResetToken",
        "passwordResetExpiry",
        "emailVerificationToken",
        "ssoAccessToken",
        "ssoId",
        "permissions",
        "pendingLinkData",
        "email",
        "phone",
        "privacySettings",
        "suspensionReason",
        "resumeUrl",
        "resumeKey",
        "ipAddress",
        "answers",
        "correctAnswer",
        "questions",
        "refreshTokenHash",
    }
)


@dataclass(frozen=True, slots=True)
class Lookup:
    """A value from another table, found by its primary key `id`; left out where that table is absent."""

    by: str
    table: str
    column: str


@dataclass(frozen=True, slots=True)
class Source:
    """A captured table.

    `payload` maps names in the event to columns. A change of one of these columns, or of a `watched` one (which
    matters to a view but is not told), is an event. `updated=None` says that a change is a removal and a new row.
    """

    table: str
    topic: str
    key: str
    created: str
    updated: str | None
    deleted: str
    payload: Mapping[str, str]
    written_at: str
    in_deleted: tuple[str, ...] | None = None
    watched: tuple[str, ...] = ()
    constants: Mapping[str, int] = field(default_factory=dict)
    deleted_constants: Mapping[str, bool] = field(default_factory=dict)
    lookups: Mapping[str, Lookup] = field(default_factory=dict)

    def __post_init__(self) -> None:
        secret = FORBIDDEN & ({*self.payload.values()} | {lookup.column for lookup in self.lookups.values()})
        if secret:
            raise ValueError(f"{self.table}: {', '.join(sorted(secret))} must not be captured")


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


_POSTS = Source(
    table="posts",
    topic="post",
    key="id",
    created="post.created.v1",
    updated="post.updated.v1",
    deleted="post.deleted.v1",
    payload=_same(
        "id",
        "authorId",
        "schoolId",
        "title",
        "content",
        "topicTags",
        "mediaUrls",
        "mediaDisplayMode",
        "mediaAspectRatio",
        "postType",
        "visibility",
        "isEdited",
        "isPinned",
        "createdAt",
        "studyClubId",
        "repostOfId",
        "repostComment",
        "teacherVerified",
        "verifiedByTeacherId",
        "verifiedAt",
        "questionBounty",
        "pollExpiresAt",
        "pollAllowMultiple",
        "pollMaxChoices",
        "pollIsAnonymous",
        "assignmentDueDate",
        "assignmentPoints",
        "assignmentSubmissionType",
        "courseCode",
        "courseLevel",
        "courseDuration",
        "announcementUrgency",
        "announcementExpiryDate",
        "tutorialDifficulty",
        "tutorialEstimatedTime",
        "tutorialPrerequisites",
        "examDate",
        "examDuration",
        "examTotalPoints",
        "examPassingScore",
        "resourceType",
        "resourceUrl",
        "researchField",
        "researchCollaborators",
        "projectStatus",
        "projectDeadline",
        "projectTeamSize",
    ),
    written_at="createdAt",
    in_deleted=("id", "authorId", "schoolId"),
)

_USERS = Source(
    table="users",
    topic="user",
    key="id",
    created="user.created.v1",
    updated="user.updated.v1",
    deleted="user.deleted.v1",
    payload=_same(
        "id",
        "schoolId",
        "username",
        "firstName",
        "lastName",
        "englishFirstName",
        "englishLastName",
        "role",
        "accountType",
        "isActive",
        "accountSuspendedAt",
        "profileVisibility",
        "socialFeaturesEnabled",
        "profilePictureUrl",
        "coverPhotoUrl",
        "bio",
        "headline",
        "professionalTitle",
        "interests",
        "skills",
        "languages",
        "careerGoals",
        "location",
        "organizationName",
        "organizationType",
        "isVerified",
        "isOpenToOpportunities",
        "createdAt",
    ),
    written_at="createdAt",
    in_deleted=("id", "schoolId"),
    # They decide who shares a class with whom, and when cached rights end.
    watched=("studentId", "teacherId", "schoolAccessVersion"),
)

_FOLLOWS = Source(
    table="follows",
    topic="follow",
    key="followerId",
    created="follow.created.v1",
    updated=None,
    deleted="follow.deleted.v1",
    payload={**_same("id", "followerId", "followingId"), "at": "createdAt"},
    written_at="createdAt",
)

_BLOCKS = Source(
    table="user_blocks",
    topic="block",
    key="blockerId",
    created="block.created.v1",
    updated=None,
    deleted="block.deleted.v1",
    payload={**_same("id", "blockerId", "blockedId"), "at": "createdAt"},
    written_at="createdAt",
)

_LIKES = Source(
    table="likes",
    topic="engagement",
    key="postId",
    created="like.created.v1",
    updated="like.updated.v1",
    deleted="like.deleted.v1",
    payload={**_same("id", "postId", "userId", "reactionType"), "at": "createdAt"},
    written_at="createdAt",
)

_COMMENTS = Source(
    table="comments",
    topic="engagement",
    key="postId",
    created="comment.created.v1",
    updated=None,
    deleted="comment.deleted.v1",
    payload={**_same("id", "postId", "parentId"), "userId": "authorId", "at": "createdAt"},
    written_at="createdAt",
)

_BOOKMARKS = Source(
    table="bookmarks",
    topic="engagement",
    key="postId",
    created="bookmark.created.v1",
    updated=None,
    deleted="bookmark.deleted.v1",
    payload={**_same("id", "postId", "userId"), "at": "createdAt"},
    written_at="createdAt",
)

_VIEWS = Source(
    table="post_views",
    topic="view",
    key="postId",
    created="post.viewed.v1",
    # The dwell time grows while somebody reads, and the reader may be erased: the same fact, told again.
    updated="post.viewed.v1",
    deleted="view.deleted.v1",
    payload={**_same("id", "postId", "userId", "source", "duration"), "at": "viewedAt"},
    written_at="viewedAt",
    # Upstream writes a sample of the views and does not keep its rate.
    constants={"weight": 1},
)

_CLUBS = Source(
    table="study_clubs",
    topic="club",
    key="id",
    created="club.created.v1",
    updated="club.updated.v1",
    deleted="club.deleted.v1",
    payload=_same(
        "id",
        "name",
        "description",
        "clubType",
        "category",
        "coverImage",
        "creatorId",
        "schoolId",
        "maxMembers",
        "capacity",
        "isActive",
        "mode",
        "language",
        "level",
        "subject",
        "objectives",
        "prerequisites",
        "tags",
        "term",
        "startDate",
        "endDate",
        "createdAt",
    ),
    written_at="createdAt",
    in_deleted=("id", "schoolId"),
)

_MEMBERS = Source(
    table="club_members",
    topic="club",
    key="clubId",
    created="club_member.changed.v1",
    updated="club_member.changed.v1",
    deleted="club_member.changed.v1",
    payload={**_same("id", "clubId", "userId", "role", "isActive"), "at": "joinedAt"},
    written_at="joinedAt",
    deleted_constants={"removed": True},
)

_COURSES = Source(
    table="courses",
    topic="course",
    key="id",
    created="course.created.v1",
    updated="course.updated.v1",
    deleted="course.deleted.v1",
    payload=_same(
        "id",
        "title",
        "description",
        "titleTranslations",
        "descriptionTranslations",
        "sourceLocale",
        "supportedLocales",
        "thumbnail",
        "category",
        "level",
        "status",
        "duration",
        "lessonsCount",
        "price",
        "isFree",
        "isFeatured",
        "isPublished",
        "instructorId",
        "tags",
        "createdAt",
    ),
    written_at="createdAt",
    in_deleted=("id",),
    # Reviews are in no captured table; what they come to is shown and ranked by.
    watched=("rating", "reviewsCount"),
)

_ENROLLMENTS = Source(
    table="enrollments",
    topic="course",
    key="courseId",
    created="enrollment.changed.v1",
    updated="enrollment.changed.v1",
    deleted="enrollment.changed.v1",
    payload={**_same("id", "courseId", "userId", "completedAt"), "at": "enrolledAt"},
    written_at="enrolledAt",
    deleted_constants={"removed": True},
)

_ATTEMPTS = Source(
    table="quiz_attempts",
    topic="quiz",
    key="quizId",
    created="quiz.attempted.v1",
    updated="quiz.attempted.v1",
    deleted="quiz.attempt_deleted.v1",
    payload={**_same("id", "quizId", "userId", "score", "pointsEarned", "passed"), "at": "submittedAt"},
    written_at="submittedAt",
    lookups={"postId": Lookup(by="quizId", table="quizzes", column="postId")},
)

SOURCES: Final[Mapping[str, Source]] = {
    source.table: source
    for source in (
        _POSTS,
        _USERS,
        _FOLLOWS,
        _BLOCKS,
        _LIKES,
        _COMMENTS,
        _BOOKMARKS,
        _VIEWS,
        _CLUBS,
        _MEMBERS,
        _COURSES,
        _ENROLLMENTS,
        _ATTEMPTS,
    )
}
