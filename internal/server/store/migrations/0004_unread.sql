-- +goose Up
-- For counting what is new without looking at the lines themselves.
DROP INDEX messages_to;
CREATE INDEX messages_to ON messages (to_id, from_id, blocked);
