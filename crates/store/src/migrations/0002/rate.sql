-- What callers spent of their rate limits at any replica. SQLite has one process, which keeps it in memory.
--postgres
CREATE UNLOGGED TABLE rate_spent (payer {text} NOT NULL PRIMARY KEY, arrival {int} NOT NULL);
CREATE INDEX rate_spent_by_arrival ON rate_spent (arrival);
--both
