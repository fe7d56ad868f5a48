-- +goose Up
-- How far a person has read a chat, on whichever device.
CREATE TABLE reads (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    other   TEXT NOT NULL,    -- user id; empty: the lobby
    upto    INTEGER NOT NULL, -- id of a line
    PRIMARY KEY (user_id, other)
) STRICT, WITHOUT ROWID;

-- What was said before anybody kept count is not news.
INSERT INTO reads SELECT to_id, from_id, max(id) FROM messages WHERE to_id IN (SELECT id FROM users WHERE kind = 'person') GROUP BY to_id, from_id;
INSERT INTO reads SELECT id, '', (SELECT coalesce(max(id), 0) FROM messages) FROM users WHERE kind = 'person';

-- For counting what is newer, by who wrote it.
DROP INDEX messages_to;
CREATE INDEX messages_to ON messages (to_id, from_id);
