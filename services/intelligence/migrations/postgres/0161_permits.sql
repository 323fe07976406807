-- What the caller of a batch had been granted when it was received, as JSON; null for those from before there were grants.
ALTER TABLE batch_work ADD COLUMN permit TEXT;
