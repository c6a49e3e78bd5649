"""What a client may send: strict models with upstream's names and sizes; everything else is refused.

camelCase in JSON, snake_case in Python. The services take these models, so that a command from a script is held to
the same limits as one from HTTP. Whether the rows referred to exist is asked by the services.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from runtime.http import Printable, Text

PostType = Literal[
    "ARTICLE", "COURSE", "QUIZ", "QUESTION", "EXAM", "ANNOUNCEMENT", "ASSIGNMENT", "POLL", "RESOURCE", "PROJECT",
    "TUTORIAL", "RESEARCH", "ACHIEVEMENT", "REFLECTION", "COLLABORATION", "CLUB_CREATED", "EVENT_CREATED",
]  # fmt: skip
PostVisibility = Literal["PUBLIC", "SCHOOL", "CLASS", "PRIVATE"]
Reaction = Literal["LIKE", "INSIGHTFUL", "CELEBRATE", "SMART_TAKE"]
ViewSource = Literal["feed", "post_detail", "direct", "share"]
ClubType = Literal["CASUAL_STUDY_GROUP", "STRUCTURED_CLASS", "PROJECT_GROUP", "EXAM_PREP"]
ClubMode = Literal["PUBLIC", "INVITE_ONLY", "APPROVAL_REQUIRED"]
CourseLevel = Literal["BEGINNER", "INTERMEDIATE", "ADVANCED", "ALL_LEVELS"]
QuestionType = Literal[
    "MULTIPLE_CHOICE", "TRUE_FALSE", "SHORT_ANSWER", "FILL_IN_BLANK", "ORDERING", "MATCHING"
]
Locale = Literal["en", "km"]


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


Filled = Annotated[Text, AfterValidator(_not_blank)]
Content = Annotated[Filled, Field(min_length=1, max_length=50_000)]
Title = Annotated[Filled, Field(min_length=1, max_length=500)]
Tags = Annotated[list[Annotated[Filled, Field(min_length=1, max_length=50)]], Field(max_length=20)]
Url = Annotated[str, Field(max_length=2_048, pattern=r"^https?://[^\s]+$"), Printable]
Media = Annotated[list[Url], Field(max_length=20)]
Paragraph = Annotated[Text, Field(max_length=5_000)]
Label = Annotated[Filled, Field(min_length=1, max_length=100)]


class Body(BaseModel):
    """The base of all bodies: nothing is coerced, nothing unknown is let in."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", strict=True, frozen=True
    )

    def columns(self, *leave_out: str) -> dict[str, Any]:
        """The fields that the client sent, under the names of upstream's columns."""
        return self.model_dump(by_alias=True, exclude_unset=True, exclude=set(leave_out))


class Changes(Body):
    """The base of PATCH bodies: only what is sent changes, and something must be sent."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _something(self) -> Changes:
        if not self.model_fields_set:
            raise ValueError("at least one field must be given")
        return self


class QuizQuestion(Body):
    """One question; what `correct_answer` holds depends on the type (index, text, list)."""

    text: Annotated[Filled, Field(min_length=1, max_length=2_000)]
    type: QuestionType = "MULTIPLE_CHOICE"
    options: Annotated[list[Annotated[Filled, Field(max_length=500)]], Field(max_length=6)] = Field(
        default_factory=list
    )
    correct_answer: Annotated[Text, Field(max_length=2_000)]
    points: Annotated[int, Field(ge=1, le=1_000)] = 10
    explanation: Paragraph | None = None


class NewQuiz(Body):
    """The quiz of a QUIZ post."""

    questions: Annotated[list[QuizQuestion], Field(min_length=1, max_length=100)]
    time_limit: Annotated[int, Field(ge=1, le=86_400)]
    passing_score: Annotated[int, Field(ge=0, le=100)]
    max_attempts: Annotated[int, Field(ge=1, le=100)] | None = None


class NewPost(Body):
    """POST /posts."""

    content: Content
    title: Title | None = None
    post_type: PostType = "ARTICLE"
    visibility: PostVisibility = "SCHOOL"
    topic_tags: Tags = Field(default_factory=list)
    media_urls: Media = Field(default_factory=list)
    quiz: NewQuiz | None = None

    @model_validator(mode="after")
    def _quiz_only_on_quizzes(self) -> NewPost:
        if self.quiz is not None and self.post_type != "QUIZ":
            raise ValueError("only a post of type QUIZ has a quiz")
        return self


class PostChanges(Changes):
    """PATCH /posts/{id}."""

    content: Content = ""
    title: Title | None = None
    visibility: PostVisibility = "SCHOOL"
    topic_tags: Tags = Field(default_factory=list)
    media_urls: Media = Field(default_factory=list)


class NewLike(Body):
    """PUT /posts/{id}/like; another reaction replaces the former one."""

    reaction_type: Reaction = "LIKE"


class NewComment(Body):
    """POST /posts/{id}/comments."""

    content: Annotated[Filled, Field(min_length=1, max_length=5_000)]
    parent_id: Annotated[Text, Field(min_length=1, max_length=200)] | None = None


class NewView(Body):
    """POST /posts/{id}/views; `duration` in seconds, clamped by the service."""

    duration: Annotated[float, Field(allow_inf_nan=False)] | None = None
    source: ViewSource = "feed"


class SampledView(NewView):
    """One of a batch. A client that reports every fifth view says sampleRate 0.2, and the view counts for five."""

    post_id: Annotated[Text, Field(min_length=1, max_length=200)]
    sample_rate: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 1.0


class ViewBatch(Body):
    """POST /views/batch."""

    views: Annotated[list[SampledView], Field(min_length=1, max_length=50)]


class NewClub(Body):
    """POST /clubs; a club belongs to its creator's school unless `open_to_all_schools`."""

    name: Annotated[Filled, Field(min_length=1, max_length=200)]
    description: Paragraph | None = None
    club_type: ClubType = "CASUAL_STUDY_GROUP"
    mode: ClubMode = "PUBLIC"
    category: Label | None = None
    subject: Label | None = None
    level: Label | None = None
    language: Locale = "en"
    tags: Tags = Field(default_factory=list)
    max_members: Annotated[int, Field(ge=2, le=10_000)] | None = None
    open_to_all_schools: bool = False


class ClubChanges(Changes):
    """PATCH /clubs/{id}."""

    name: Annotated[Filled, Field(min_length=1, max_length=200)] = ""
    description: Paragraph | None = None
    club_type: ClubType = "CASUAL_STUDY_GROUP"
    mode: ClubMode = "PUBLIC"
    category: Label | None = None
    subject: Label | None = None
    level: Label | None = None
    language: Locale = "en"
    tags: Tags = Field(default_factory=list)
    max_members: Annotated[int, Field(ge=2, le=10_000)] | None = None


class NewCourse(Body):
    """POST /courses."""

    title: Title
    description: Content
    category: Label
    title_translations: dict[Locale, Title] | None = None
    description_translations: dict[Locale, Content] | None = None
    source_locale: Locale = "en"
    level: CourseLevel = "BEGINNER"
    tags: Tags = Field(default_factory=list)
    thumbnail: Url | None = None
    duration: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    is_published: bool = False


class CourseChanges(Changes):
    """PATCH /courses/{id}."""

    title: Title = ""
    description: Content = ""
    category: Label = ""
    title_translations: dict[Locale, Title] | None = None
    description_translations: dict[Locale, Content] | None = None
    level: CourseLevel = "BEGINNER"
    tags: Tags = Field(default_factory=list)
    thumbnail: Url | None = None
    duration: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    is_published: bool = False
