-- Where a term may be, as expressions over the row aliases of fallback.sql.
-- name: user_names
concat_ws(' ', u."lastName", u."firstName", u."lastName", u."englishLastName", u."englishFirstName", u."englishLastName")

-- name: user_about
concat_ws(' · ', u.headline, u."professionalTitle", array_to_string(u.interests, ' · '), array_to_string(u.skills, ' · '))

-- name: club_subjects
concat_ws(' · ', c.category, c.subject, array_to_string(c.tags, ' · '))

-- name: course_titles
concat_ws(' · ', k.title, (
    SELECT string_agg(one.value, ' · ')
      FROM jsonb_each_text(CASE jsonb_typeof(k."titleTranslations") WHEN 'object' THEN k."titleTranslations" END) AS one))

-- name: course_subjects
concat_ws(' · ', k.category, array_to_string(k.tags, ' · '))

-- name: course_instructor
(SELECT concat_ws(' ', i."lastName", i."firstName", i."lastName",
                  i."englishLastName", i."englishFirstName", i."englishLastName")
   FROM users i WHERE i.id = k."instructorId")

-- name: course_descriptions
concat_ws(' · ', k.description, (
    SELECT string_agg(one.value, ' · ')
      FROM jsonb_each_text(
          CASE jsonb_typeof(k."descriptionTranslations") WHEN 'object' THEN k."descriptionTranslations" END) AS one))
