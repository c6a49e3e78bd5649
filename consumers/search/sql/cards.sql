-- What a client sees of the ids asked for, in their order; what the viewer may not see is not among the rows.
-- name: users
SELECT u.id, u."firstName", u."lastName", u."englishFirstName", u."englishLastName", u.username, u.headline,
       u."professionalTitle", u."profilePictureUrl", u.role::text, u."schoolId", u."isVerified"
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN users u ON u.id = wanted.id
 WHERE {VISIBLE}
 ORDER BY wanted.place

-- name: clubs
SELECT c.id, c.name, c.description, c."clubType"::text, c.mode::text, c.category, c.subject, c.level,
       coalesce(c.tags, '{}') AS tags, c."coverImage", c."schoolId", c."createdAt",
       (SELECT count(*) FROM club_members m WHERE m."clubId" = c.id AND m."isActive") AS "memberCount",
       EXISTS (SELECT FROM club_members m
                WHERE m."clubId" = c.id AND m."userId" = %(viewer)s AND m."isActive") AS "isMember"
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN study_clubs c ON c.id = wanted.id
 WHERE {VISIBLE}
 ORDER BY wanted.place

-- name: courses
SELECT k.id, k.title, k.description, k."titleTranslations", k."descriptionTranslations", k.thumbnail, k.category,
       k.level::text, coalesce(k.tags, '{}') AS tags, k.duration, k."lessonsCount", k.price, k."isFree",
       k."isFeatured", k."isPublished", k.rating, k."reviewsCount", k."createdAt",
       (SELECT count(*) FROM enrollments e WHERE e."courseId" = k.id) AS "enrolledCount",
       jsonb_build_object('id', i.id, 'firstName', i."firstName", 'lastName', i."lastName",
                          'profilePictureUrl', i."profilePictureUrl") AS instructor
  FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS wanted (id, place)
  JOIN courses k ON k.id = wanted.id
  JOIN users i ON i.id = k."instructorId"
 WHERE {VISIBLE}
 ORDER BY wanted.place
