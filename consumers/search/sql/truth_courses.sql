-- Courses with their instructors' names, every translation, and their enrolments counted.
SELECT k.id, k.title, k.description, k."titleTranslations", k."descriptionTranslations", k.category, k.tags,
       k.level::text, k."isPublished", k."instructorId", k."createdAt",
       i."firstName", i."lastName", i."englishFirstName", i."englishLastName",
       (SELECT count(*) FROM enrollments e WHERE e."courseId" = k.id) AS enrolled
  FROM courses k
  JOIN users i ON i.id = k."instructorId"
 WHERE k.id = ANY (%(keys)s::text[])
