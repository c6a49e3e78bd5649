-- Who may use a schema, its tables, and tables made in it later; as statements for another schema with the same tables.

-- name: grants
WITH old AS (SELECT oid, nspowner, nspacl FROM pg_namespace WHERE nspname = %(old)s)
SELECT format('GRANT %%s ON SCHEMA %%I TO %%s', a.privilege_type, %(new)s::text,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
  FROM old, aclexplode(old.nspacl) a WHERE a.grantee <> old.nspowner
UNION ALL
SELECT format('GRANT %%s ON %%I.%%I TO %%s', a.privilege_type, %(new)s::text, c.relname,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
  FROM old JOIN pg_class c ON c.relnamespace = old.oid AND c.relkind IN ('r', 'p', 'v', 'm')
 CROSS JOIN aclexplode(c.relacl) a
 WHERE a.grantee <> c.relowner AND to_regclass(format('%%I.%%I', %(new)s::text, c.relname)) IS NOT NULL
UNION ALL
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %%s IN SCHEMA %%I GRANT %%s ON TABLES TO %%s', d.defaclrole::regrole,
              %(new)s::text, a.privilege_type,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
  FROM old JOIN pg_default_acl d ON d.defaclnamespace = old.oid AND d.defaclobjtype = 'r'
 CROSS JOIN aclexplode(d.defaclacl) a
