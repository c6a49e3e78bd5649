-- Named to sort before any other trigger: an upstream trigger that writes the same row again must be told after us.
CREATE OR REPLACE TRIGGER "00_stunity_row" AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}();
-- The condition keeps noise out before any function is called. It also stops an ALTER TABLE that would drop or retype a
-- captured column under us: `stunity capture remove`, change the table, `stunity capture install`.
CREATE OR REPLACE TRIGGER "00_stunity_update" AFTER UPDATE ON {table}
    FOR EACH ROW WHEN ({changed}) EXECUTE FUNCTION {function}();
CREATE OR REPLACE TRIGGER "00_stunity_truncate" BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {truncate_function}();
