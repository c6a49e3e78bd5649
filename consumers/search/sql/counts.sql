-- How many documents there should be of each kind, by the truth alone: a gate of a rebuild, hence no part of mapping.py.
SELECT (SELECT count(*) FROM posts p JOIN users a ON a.id = p."authorId"
         WHERE a."isActive" AND a."accountSuspendedAt" IS NULL) AS posts,
       (SELECT count(*) FROM users u
         WHERE u."isActive" AND u."accountSuspendedAt" IS NULL AND u."socialFeaturesEnabled"
           AND u."profileVisibility"::text IN ('PUBLIC', 'SCHOOL', 'CLASS')) AS users,
       (SELECT count(*) FROM study_clubs c WHERE c."isActive") AS clubs,
       (SELECT count(*) FROM courses) AS courses
