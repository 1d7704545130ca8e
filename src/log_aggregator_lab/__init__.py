"""Shows and tests log_aggregator, and is never deployed: servers, stores, an organisation."""
