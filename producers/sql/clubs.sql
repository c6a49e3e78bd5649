-- Statements of producers/clubs.py.

-- name: shown
-- What the writer of a club gets back.
id, name, description, "clubType"::text, mode::text, category, subject, level, language,
coalesce(tags, '{}') AS tags, "maxMembers", "creatorId", "schoolId", "isActive", "createdAt", "updatedAt"

-- name: owned
-- The club is open and the viewer is one of its owners.
id = %(club)s AND "isActive"
AND EXISTS (SELECT FROM club_members m
             WHERE m."clubId" = study_clubs.id AND m."userId" = %(viewer)s AND m.role = 'OWNER' AND m."isActive")

-- name: create
-- A new club.
INSERT INTO study_clubs (id, name, description, "clubType", mode, category, subject, level, language, tags,
                         "maxMembers", "creatorId", "schoolId", "createdAt", "updatedAt")
VALUES (%(id)s, %(name)s, %(description)s, %(club_type)s, %(mode)s, %(category)s, %(subject)s, %(level)s,
        %(language)s, %(tags)s, %(max_members)s, %(creator)s, %(school)s, {UTC_NOW}, {UTC_NOW})
RETURNING {shown}

-- name: announce
-- The post that tells of a new club.
INSERT INTO posts (id, "authorId", "schoolId", title, content, "postType", visibility, "topicTags", "studyClubId",
                   "createdAt", "updatedAt")
VALUES (%(post)s, %(creator)s, %(creator_school)s, %(name)s, coalesce(%(description)s, %(name)s), 'CLUB_CREATED',
        %(visibility)s, %(tags)s, %(id)s, {UTC_NOW}, {UTC_NOW})

-- name: edit
-- Changes by an owner; no row for anybody else.
UPDATE study_clubs SET {assignments}, "updatedAt" = {UTC_NOW} WHERE {owned} RETURNING {shown}

-- name: close
-- By an owner; no row for anybody else.
UPDATE study_clubs SET "isActive" = false, "updatedAt" = {UTC_NOW} WHERE {owned}

-- name: place
-- Whether there is room for one more. The lock lets one at a time take the last place.
SELECT c.mode::text,
       (SELECT m."isActive" FROM club_members m WHERE m."clubId" = c.id AND m."userId" = %(viewer)s) AS member,
       c."maxMembers" IS NULL OR c."maxMembers" >
       (SELECT count(*) FROM club_members m WHERE m."clubId" = c.id AND m."isActive") AS room
  FROM study_clubs c WHERE c.id = %(club)s FOR NO KEY UPDATE OF c

-- name: add_member
-- An inactive row with the reason PENDING is upstream's way to say that an owner has to approve.
INSERT INTO club_members (id, "clubId", "userId", role, "isActive", "withdrawalReason", "enrollmentDate", "joinedAt")
VALUES (%(id)s, %(club)s, %(viewer)s, %(role)s, %(active)s, %(reason)s, {UTC_NOW}, {UTC_NOW})
ON CONFLICT ("clubId", "userId") DO NOTHING

-- name: leave
-- The row goes, as upstream's does.
DELETE FROM club_members WHERE "clubId" = %(club)s AND "userId" = %(viewer)s
