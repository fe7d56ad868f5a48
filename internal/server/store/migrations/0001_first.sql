-- +goose Up
CREATE TABLE users (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,        -- as typed
    name_key   TEXT NOT NULL UNIQUE, -- as compared (PRECIS UsernameCaseMapped)
    kind       TEXT NOT NULL,        -- person, echo
    password   TEXT NOT NULL,        -- argon2id, PHC string; empty for the server's own contacts
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,     -- SHA-256 of the token, hex
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device     TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL      -- to the hour
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id, created_ms);

-- seq is the order in which calls were dialled; an id comes from the client and is therefore not trusted to be new.
CREATE TABLE calls (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    id            TEXT NOT NULL,
    caller        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    callee        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    caller_device TEXT NOT NULL,
    callee_device TEXT NOT NULL,     -- empty before somebody accepted
    video         INTEGER NOT NULL,
    started_ms    INTEGER NOT NULL,
    accepted_ms   INTEGER NOT NULL,  -- 0: never
    ended_ms      INTEGER NOT NULL,  -- 0: it goes on
    reason        TEXT NOT NULL,
    ended_by      TEXT NOT NULL,     -- user id; empty: the server
    path          TEXT NOT NULL,
    setup_ms      INTEGER NOT NULL,
    UNIQUE (id, started_ms)
) STRICT;
CREATE INDEX calls_caller ON calls (caller, seq);
CREATE INDEX calls_callee ON calls (callee, seq);
CREATE INDEX calls_running ON calls (ended_ms) WHERE ended_ms = 0;

CREATE TABLE messages (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    room    TEXT NOT NULL,           -- empty: the lobby; else both user ids, sorted
    from_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    to_id   TEXT NOT NULL,           -- empty: the lobby
    text    TEXT NOT NULL,
    sent_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX messages_room ON messages (room, id);

-- alive_ms is when the server last said that it runs, so that a crash does not lengthen the calls it cut off.
CREATE TABLE server (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    alive_ms INTEGER NOT NULL
) STRICT;
INSERT INTO server (one, alive_ms) VALUES (1, 0);
