-- Statements of producers/courses.py.

-- name: shown
-- What the writer of a course gets back.
id, title, description, "titleTranslations", "descriptionTranslations", "sourceLocale",
coalesce("supportedLocales", '{}') AS "supportedLocales", thumbnail, category, level::text, status::text,
duration, "lessonsCount", price, "isFree", "isFeatured", "isPublished", "instructorId",
coalesce(tags, '{}') AS tags, rating, "reviewsCount", "enrolledCount", "createdAt", "updatedAt"

-- name: create
-- A new course.
INSERT INTO courses (id, title, description, "titleTranslations", "descriptionTranslations", "sourceLocale",
                     "supportedLocales", thumbnail, category, level, status, duration, "isPublished",
                     "instructorId", tags, "createdAt", "updatedAt")
VALUES (%(id)s, %(title)s, %(description)s, %(title_translations)s, %(description_translations)s,
        %(source_locale)s, %(locales)s, %(thumbnail)s, %(category)s, %(level)s, %(status)s, %(duration)s,
        %(is_published)s, %(instructor)s, %(tags)s, {UTC_NOW}, {UTC_NOW})
RETURNING {shown}

-- name: edit
-- Changes by the instructor; no row for anybody else.
UPDATE courses SET {assignments}, "updatedAt" = {UTC_NOW}
 WHERE id = %(course)s AND "instructorId" = %(editor)s
RETURNING {shown}

-- name: delete
-- By the instructor; no row for anybody else.
DELETE FROM courses WHERE id = %(course)s AND "instructorId" = %(deleter)s

-- name: enrol
-- A second enrolment changes nothing.
INSERT INTO enrollments (id, "userId", "courseId", "enrolledAt", "lastAccessedAt")
VALUES (%(id)s, %(viewer)s, %(course)s, {UTC_NOW}, {UTC_NOW})
ON CONFLICT ("userId", "courseId") DO NOTHING

-- name: count_enrolment
-- The counter of the course.
UPDATE courses SET "enrolledCount" = "enrolledCount" + 1, "updatedAt" = {UTC_NOW} WHERE id = %(course)s
