-- +goose Up
-- look is the name with letters of other alphabets replaced by the Latin ones they are drawn like; '' until the first start
-- that knows it.
ALTER TABLE users ADD COLUMN look TEXT NOT NULL DEFAULT '';
CREATE INDEX users_look ON users (look);
ALTER TABLE users ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN dnd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN dnd_until_ms INTEGER NOT NULL DEFAULT 0; -- 0: until it is switched off

CREATE TABLE blocks (
    owner      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- does not want to hear of
    other      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX blocks_other ON blocks (other);

-- What the callee, or the person written to, had blocked at the time: they never see it, whoever caused it does.
ALTER TABLE calls ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;

CREATE TABLE invites (
    id         TEXT PRIMARY KEY,
    hash       TEXT NOT NULL UNIQUE,                             -- SHA-256 of the token, hex
    owner      TEXT REFERENCES users (id) ON DELETE CASCADE,     -- NULL: the operator
    uses       INTEGER NOT NULL,                                 -- how many accounts it makes
    used       INTEGER NOT NULL DEFAULT 0,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX invites_owner ON invites (owner, created_ms);

CREATE TABLE invited (
    user_id TEXT PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    invite  TEXT NOT NULL REFERENCES invites (id) ON DELETE CASCADE
) STRICT;
CREATE INDEX invited_invite ON invited (invite);

-- For taking away what a person who leaves has written or got.
CREATE INDEX messages_from ON messages (from_id);
CREATE INDEX messages_to ON messages (to_id);
