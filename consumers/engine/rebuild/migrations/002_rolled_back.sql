-- While a row is `kept`: whether what serves is the view from before the rebuild. Every switch turns it over.
ALTER TABLE engine.rebuilds ADD rolled_back boolean NOT NULL DEFAULT false;
