ALTER TABLE {table} ENABLE ALWAYS TRIGGER "00_stunity_row";
ALTER TABLE {table} ENABLE ALWAYS TRIGGER "00_stunity_update";
ALTER TABLE {table} ENABLE ALWAYS TRIGGER "00_stunity_columns";
ALTER TABLE {table} ENABLE ALWAYS TRIGGER "00_stunity_truncate";
