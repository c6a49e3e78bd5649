-- Club members and materials, courses and enrolments, quizzes and attempts.
--
-- All have every column of upstream, but club_materials, of which only the searched and listed columns are known.

SET LOCAL search_path = public;

CREATE TYPE "ClubMemberRole" AS ENUM ('OWNER', 'INSTRUCTOR', 'TEACHING_ASSISTANT', 'STUDENT', 'OBSERVER');
CREATE TYPE "CourseLevel" AS ENUM ('BEGINNER', 'INTERMEDIATE', 'ADVANCED', 'ALL_LEVELS');
CREATE TYPE "CourseStatus" AS ENUM ('DRAFT', 'IN_REVIEW', 'PUBLISHED', 'REJECTED', 'ARCHIVED');

CREATE TABLE club_members (
    id                 text PRIMARY KEY,
    "clubId"           text NOT NULL REFERENCES study_clubs (id) ON DELETE CASCADE,
    "userId"           text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role               "ClubMemberRole" NOT NULL DEFAULT 'STUDENT',
    "studentNumber"    text,
    "enrollmentDate"   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "isActive"         boolean NOT NULL DEFAULT true,
    "withdrawnAt"      timestamp(3),
    "withdrawalReason" text,
    "invitedBy"        text,
    "joinedAt"         timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "club_members_clubId_userId_key" ON club_members ("clubId", "userId");
CREATE INDEX "club_members_userId_idx" ON club_members ("userId");

CREATE TABLE club_materials (
    id             text PRIMARY KEY,
    "clubId"       text NOT NULL REFERENCES study_clubs (id) ON DELETE CASCADE,
    title          text NOT NULL,
    description    text,
    type           text NOT NULL,
    category       text,
    "fileUrl"      text,
    "uploadedById" text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "uploadedAt"   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"    timestamp(3) NOT NULL
);
CREATE INDEX "club_materials_clubId_uploadedAt_idx" ON club_materials ("clubId", "uploadedAt" DESC);

CREATE TABLE courses (
    id                        text PRIMARY KEY,
    title                     text NOT NULL,
    description               text NOT NULL,
    "titleTranslations"       jsonb,
    "descriptionTranslations" jsonb,
    "sourceLocale"            text NOT NULL DEFAULT 'en',
    "supportedLocales"        text[] DEFAULT ARRAY['en'],
    thumbnail                 text,
    category                  text NOT NULL,
    level                     "CourseLevel" NOT NULL DEFAULT 'BEGINNER',
    status                    "CourseStatus" NOT NULL DEFAULT 'DRAFT',
    duration                  integer NOT NULL DEFAULT 0,
    "lessonsCount"            integer NOT NULL DEFAULT 0,
    price                     double precision NOT NULL DEFAULT 0,
    "isFree"                  boolean NOT NULL DEFAULT true,
    "isFeatured"              boolean NOT NULL DEFAULT false,
    "isPublished"             boolean NOT NULL DEFAULT false,
    "instructorId"            text NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    tags                      text[],
    rating                    double precision NOT NULL DEFAULT 0,
    "reviewsCount"            integer NOT NULL DEFAULT 0,
    "enrolledCount"           integer NOT NULL DEFAULT 0,
    "createdAt"               timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"               timestamp(3) NOT NULL
);
CREATE INDEX "courses_instructorId_idx" ON courses ("instructorId");
CREATE INDEX "courses_isPublished_createdAt_idx" ON courses ("isPublished", "createdAt" DESC);

CREATE TABLE enrollments (
    id               text PRIMARY KEY,
    "userId"         text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "courseId"       text NOT NULL REFERENCES courses (id) ON DELETE CASCADE,
    progress         double precision NOT NULL DEFAULT 0,
    "completedAt"    timestamp(3),
    "certificateUrl" text,
    "enrolledAt"     timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "lastAccessedAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "enrollments_userId_courseId_key" ON enrollments ("userId", "courseId");
CREATE INDEX "enrollments_courseId_idx" ON enrollments ("courseId");

CREATE TABLE quizzes (
    id                  text PRIMARY KEY,
    "postId"            text NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
    questions           jsonb NOT NULL,
    "timeLimit"         integer NOT NULL,
    "passingScore"      integer NOT NULL,
    "totalPoints"       integer NOT NULL,
    "resultsVisibility" text NOT NULL DEFAULT 'AFTER_SUBMISSION',
    "shuffleQuestions"  boolean NOT NULL DEFAULT false,
    "shuffleAnswers"    boolean NOT NULL DEFAULT false,
    "maxAttempts"       integer,
    "showReview"        boolean NOT NULL DEFAULT true,
    "showExplanations"  boolean NOT NULL DEFAULT true,
    "createdAt"         timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"         timestamp(3) NOT NULL
);
CREATE UNIQUE INDEX "quizzes_postId_key" ON quizzes ("postId");

CREATE TABLE quiz_attempts (
    id             text PRIMARY KEY,
    "quizId"       text NOT NULL REFERENCES quizzes (id) ON DELETE CASCADE,
    "userId"       text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    answers        jsonb NOT NULL,
    score          integer NOT NULL,
    "pointsEarned" integer NOT NULL,
    passed         boolean NOT NULL,
    "submittedAt"  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX "quiz_attempts_quizId_submittedAt_idx" ON quiz_attempts ("quizId", "submittedAt" DESC);
CREATE INDEX "quiz_attempts_userId_submittedAt_idx" ON quiz_attempts ("userId", "submittedAt" DESC);
