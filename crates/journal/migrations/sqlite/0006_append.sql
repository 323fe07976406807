-- Events are added by the statement of crates/journal/src/append.rs; event_dense of 0001 holds every other to it.
SELECT 1;
