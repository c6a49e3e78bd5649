"""From a committed row to a stream entry: the log table, capture, and the relay. Consumers only know the streams."""
