-- Study clubs with their active members counted.
SELECT c.id, c.name, c.description, c.category, c.subject, c.tags, c."clubType"::text, c.mode::text, c."schoolId",
       c."isActive", c."createdAt",
       (SELECT count(*) FROM club_members m WHERE m."clubId" = c.id AND m."isActive") AS members
  FROM study_clubs c
 WHERE c.id = ANY (%(keys)s::text[])
