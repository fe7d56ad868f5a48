package store

import (
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkUnread asks what is new to somebody with 1,000 conversations of 200 lines each: all read, and none ever. It
// says how many times as long the latter takes: what the first sign-in to an old account costs.
func BenchmarkUnread(b *testing.B) {
	s := &Store{Path: filepath.Join(b.TempDir(), "visavis.db")}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	for _, step := range []string{
		`WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
			INSERT INTO users (id, name, name_key, kind, password, created_ms) SELECT printf('user-%016d', i), i, i, 'person', 'x', 1 FROM n`,
		`WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 199999)
			INSERT INTO messages (room, from_id, to_id, text, sent_ms)
			SELECT printf('user-%016d user-%016d', 0, 1 + i % 1000), printf('user-%016d', 1 + i % 1000), printf('user-%016d', 0),
				'How are you today? I have been away for a while.', 1000 + i FROM n`,
	} {
		if _, err := s.write.ExecContext(b.Context(), step); err != nil {
			b.Fatal(err)
		}
	}
	const who = "user-0000000000000000"
	took := map[string]time.Duration{}
	run := func(name string, want int) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, all, err := s.Unread(b.Context(), who, 500); err != nil || len(all) != want || want > 0 && all[0].Count != 200 {
					b.Fatalf("%d chats, %v", len(all), err)
				}
			}
			took[name] = b.Elapsed() / time.Duration(b.N)
			if read := took["read"]; read > 0 {
				b.ReportMetric(float64(took[name])/float64(read), "times-read")
			}
		})
	}
	if _, err := s.write.ExecContext(b.Context(), `INSERT INTO reads SELECT to_id, from_id, max(id) FROM messages GROUP BY to_id, from_id`); err != nil {
		b.Fatal(err)
	}
	run("read", 0)
	if _, err := s.write.ExecContext(b.Context(), `DELETE FROM reads`); err != nil {
		b.Fatal(err)
	}
	run("never", 500)
}
