-- People: names in both scripts and what they say of themselves. No e-mail, no phone, no secret.
SELECT u.id, u."firstName", u."lastName", u."englishFirstName", u."englishLastName", u.username, u.headline,
       u."professionalTitle", u.interests, u.skills, u.role::text, u."schoolId", u."profileVisibility"::text,
       u."isVerified", u."createdAt",
       u."isActive" AND u."accountSuspendedAt" IS NULL AND u."socialFeaturesEnabled" AS active
  FROM users u
 WHERE u.id = ANY (%(keys)s::text[])
