-- Posts with all 58 columns, and what people do with them: likes, comments, bookmarks, views.
--
-- "schoolId" of a post has no foreign key, upstream neither: it is what the author's token said when the post was made.
-- study_clubs comes first because posts refer to it; its members, materials and the courses are in the next file.

SET LOCAL search_path = public;

CREATE TYPE "PostType" AS ENUM (
    'ARTICLE', 'COURSE', 'QUIZ', 'QUESTION', 'EXAM', 'ANNOUNCEMENT', 'ASSIGNMENT', 'POLL', 'RESOURCE', 'PROJECT',
    'TUTORIAL', 'RESEARCH', 'ACHIEVEMENT', 'REFLECTION', 'COLLABORATION', 'CLUB_CREATED', 'EVENT_CREATED');
CREATE TYPE "PostVisibility" AS ENUM ('PUBLIC', 'SCHOOL', 'CLASS', 'PRIVATE');
CREATE TYPE "StudyClubType" AS ENUM ('CASUAL_STUDY_GROUP', 'STRUCTURED_CLASS', 'PROJECT_GROUP', 'EXAM_PREP');
CREATE TYPE "ClubMode" AS ENUM ('PUBLIC', 'INVITE_ONLY', 'APPROVAL_REQUIRED');

CREATE TABLE study_clubs (
    id                   text PRIMARY KEY,
    name                 text NOT NULL,
    description          text,
    "clubType"           "StudyClubType" NOT NULL DEFAULT 'CASUAL_STUDY_GROUP',
    category             text,
    "coverImage"         text,
    "creatorId"          text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "schoolId"           text REFERENCES schools (id) ON DELETE CASCADE,
    "maxMembers"         integer,
    "isActive"           boolean NOT NULL DEFAULT true,
    "createdAt"          timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"          timestamp(3) NOT NULL,
    capacity             integer,
    color                text DEFAULT '#FFA500',
    "enableAnalytics"    boolean NOT NULL DEFAULT false,
    "enableAssignments"  boolean NOT NULL DEFAULT false,
    "enableAttendance"   boolean NOT NULL DEFAULT false,
    "enableAwards"       boolean NOT NULL DEFAULT false,
    "enableGrading"      boolean NOT NULL DEFAULT false,
    "enableParentAccess" boolean NOT NULL DEFAULT false,
    "enableReports"      boolean NOT NULL DEFAULT false,
    "enableSubjects"     boolean NOT NULL DEFAULT false,
    "enableTranscripts"  boolean NOT NULL DEFAULT false,
    "endDate"            timestamp(3),
    "gradingScale"       text,
    language             text DEFAULT 'en',
    level                text,
    mode                 "ClubMode" NOT NULL DEFAULT 'PUBLIC',
    objectives           text,
    "passingGrade"       double precision,
    prerequisites        text,
    "startDate"          timestamp(3),
    subject              text,
    syllabus             text,
    tags                 text[],
    term                 text
);
CREATE INDEX "study_clubs_creatorId_idx" ON study_clubs ("creatorId");
CREATE INDEX "study_clubs_schoolId_idx" ON study_clubs ("schoolId");

CREATE TABLE posts (
    id                         text PRIMARY KEY,
    "authorId"                 text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "schoolId"                 text,
    content                    text NOT NULL,
    "mediaUrls"                text[],
    "mediaKeys"                text[],
    "postType"                 "PostType" NOT NULL DEFAULT 'ARTICLE',
    visibility                 "PostVisibility" NOT NULL DEFAULT 'SCHOOL',
    "likesCount"               integer NOT NULL DEFAULT 0,
    "commentsCount"            integer NOT NULL DEFAULT 0,
    "sharesCount"              integer NOT NULL DEFAULT 0,
    "viewsCount"               integer NOT NULL DEFAULT 0,
    "isEdited"                 boolean NOT NULL DEFAULT false,
    "isPinned"                 boolean NOT NULL DEFAULT false,
    "createdAt"                timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"                timestamp(3) NOT NULL,
    "pollExpiresAt"            timestamp(3),
    "pollAllowMultiple"        boolean NOT NULL DEFAULT false,
    "pollMaxChoices"           integer,
    "pollIsAnonymous"          boolean NOT NULL DEFAULT false,
    "assignmentDueDate"        timestamp(3),
    "assignmentPoints"         integer,
    "assignmentSubmissionType" text,
    "courseCode"               text,
    "courseLevel"              text,
    "courseDuration"           text,
    "announcementUrgency"      text,
    "announcementExpiryDate"   timestamp(3),
    "tutorialDifficulty"       text,
    "tutorialEstimatedTime"    text,
    "tutorialPrerequisites"    text,
    "examDate"                 timestamp(3),
    "examDuration"             integer,
    "examTotalPoints"          integer,
    "examPassingScore"         integer,
    "resourceType"             text,
    "resourceUrl"              text,
    "researchField"            text,
    "researchCollaborators"    text,
    "projectStatus"            text,
    "projectDeadline"          timestamp(3),
    "projectTeamSize"          integer,
    "mediaDisplayMode"         text DEFAULT 'AUTO',
    "mediaMetadata"            jsonb DEFAULT '[]',
    "mediaAspectRatio"         double precision,
    "studyClubId"              text REFERENCES study_clubs (id) ON DELETE SET NULL,
    "difficultyLevel"          numeric(3, 2) DEFAULT 2.5,
    "questionBounty"           integer NOT NULL DEFAULT 0,
    "repostComment"            text,
    "repostOfId"               text REFERENCES posts (id) ON DELETE SET NULL,
    title                      text,
    "topicTags"                text[],
    "trendingScore"            double precision NOT NULL DEFAULT 0,
    "edScore"                  double precision,
    "edScoreCount"             integer NOT NULL DEFAULT 0,
    "teacherVerified"          boolean NOT NULL DEFAULT false,
    "verifiedByTeacherId"      text,
    "verifiedAt"               timestamp(3)
);
CREATE INDEX "posts_topicTags_gin_idx" ON posts USING gin ("topicTags");
CREATE INDEX "posts_school_visible_idx"
    ON posts ("schoolId", visibility, "isPinned" DESC, "createdAt" DESC, id DESC);
CREATE INDEX "posts_school_trending_idx"
    ON posts ("schoolId", visibility, "isPinned" DESC, "trendingScore" DESC, "createdAt" DESC, id DESC);
CREATE INDEX "posts_visible_idx" ON posts (visibility, "isPinned" DESC, "createdAt" DESC, id DESC);
CREATE INDEX "posts_isPinned_createdAt_id_idx" ON posts ("isPinned" DESC, "createdAt" DESC, id DESC);
CREATE INDEX "posts_createdAt_id_idx" ON posts ("createdAt" DESC, id DESC);
CREATE INDEX "posts_authorId_createdAt_idx" ON posts ("authorId", "createdAt" DESC);
CREATE INDEX "posts_authorId_postType_createdAt_idx" ON posts ("authorId", "postType", "createdAt" DESC);
CREATE INDEX "posts_authorId_visibility_createdAt_idx" ON posts ("authorId", visibility, "createdAt" DESC);
CREATE INDEX "posts_authorId_repostOfId_idx" ON posts ("authorId", "repostOfId");
CREATE INDEX "posts_postType_isPinned_createdAt_id_idx"
    ON posts ("postType", "isPinned" DESC, "createdAt" DESC, id DESC);
CREATE INDEX "posts_trendingScore_createdAt_idx" ON posts ("trendingScore" DESC, "createdAt" DESC);
CREATE INDEX "posts_studyClubId_createdAt_idx" ON posts ("studyClubId", "createdAt" DESC);
CREATE INDEX "posts_edScore_createdAt_idx" ON posts ("edScore" DESC, "createdAt" DESC);
CREATE INDEX "posts_pollExpiresAt_idx" ON posts ("pollExpiresAt");
CREATE INDEX "posts_repostOfId_idx" ON posts ("repostOfId");

-- pg_trgm is a trusted extension, which an ordinary owner may create; a server without it just searches without
-- these two indexes.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX posts_content_trgm_idx ON posts USING gin (content gin_trgm_ops);
    CREATE INDEX posts_title_trgm_idx ON posts USING gin (title gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
    RAISE NOTICE 'pg_trgm cannot be had here: posts have no trigram indexes (%)', SQLERRM;
END
$$;

CREATE TABLE likes (
    id             text PRIMARY KEY,
    "postId"       text NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    "userId"       text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "reactionType" text NOT NULL DEFAULT 'LIKE',
    "createdAt"    timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "likes_postId_userId_key" ON likes ("postId", "userId");
CREATE INDEX "likes_userId_createdAt_idx" ON likes ("userId", "createdAt" DESC);

CREATE TABLE comments (
    id                 text PRIMARY KEY,
    "postId"           text NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    "authorId"         text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    content            text NOT NULL,
    "parentId"         text REFERENCES comments (id) ON DELETE CASCADE,
    "createdAt"        timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp(3) NOT NULL,
    "isVerifiedAnswer" boolean NOT NULL DEFAULT false
);
CREATE INDEX "comments_postId_createdAt_idx" ON comments ("postId", "createdAt");
CREATE INDEX "comments_authorId_createdAt_idx" ON comments ("authorId", "createdAt" DESC);
CREATE INDEX "comments_parentId_idx" ON comments ("parentId");

CREATE TABLE bookmarks (
    id          text PRIMARY KEY,
    "postId"    text NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    "userId"    text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "bookmarks_postId_userId_key" ON bookmarks ("postId", "userId");
CREATE INDEX "bookmarks_userId_createdAt_idx" ON bookmarks ("userId", "createdAt" DESC);

CREATE TABLE post_views (
    id          text PRIMARY KEY,
    "postId"    text NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    "userId"    text REFERENCES users (id) ON DELETE SET NULL,
    "viewedAt"  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    duration    integer,
    source      text DEFAULT 'feed',
    "ipAddress" text
);
CREATE INDEX "post_views_postId_viewedAt_idx" ON post_views ("postId", "viewedAt" DESC);
CREATE INDEX "post_views_userId_viewedAt_idx" ON post_views ("userId", "viewedAt" DESC);
