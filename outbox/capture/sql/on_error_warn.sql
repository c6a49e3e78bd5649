EXCEPTION
    -- The transaction cannot go on after these two, and its application knows to try again.
    WHEN serialization_failure OR deadlock_detected THEN
        RAISE;
    WHEN OTHERS THEN
        PERFORM outbox.record_gap(TG_TABLE_NAME, TG_OP, CASE TG_OP WHEN 'DELETE' THEN OLD.{key} ELSE NEW.{key} END, SQLERRM);
        RETURN NULL;
