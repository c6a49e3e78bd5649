-- Named to sort before any other trigger: an upstream trigger that writes the same row again must be told after us.
CREATE OR REPLACE TRIGGER "00_stunity_row" AFTER INSERT OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}();
-- With a list of columns a statement that sets others costs nothing. There is none where a BEFORE trigger may change what
-- no statement names; the function compares the rows either way.
CREATE OR REPLACE TRIGGER "00_stunity_update" AFTER UPDATE {of_columns} ON {table}
    FOR EACH ROW EXECUTE FUNCTION {function}();
-- Never fires. It depends on the captured columns and so stops an ALTER TABLE that would drop or retype one of them under
-- the function: `stunity capture remove`, change the table, `stunity capture install`.
CREATE OR REPLACE TRIGGER "00_stunity_columns" AFTER UPDATE OF {columns} ON {table}
    FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION {function}();
CREATE OR REPLACE TRIGGER "00_stunity_truncate" BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {truncate_function}();
