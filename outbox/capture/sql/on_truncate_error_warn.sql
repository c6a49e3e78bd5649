EXCEPTION
    WHEN serialization_failure OR deadlock_detected THEN
        RAISE;
    WHEN OTHERS THEN
        PERFORM outbox.record_gap(TG_TABLE_NAME, TG_OP, NULL, SQLERRM);
        RETURN NULL;
