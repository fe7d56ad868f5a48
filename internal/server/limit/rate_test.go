package limit

import (
	"testing"
	"time"
)

func TestRatesInWords(t *testing.T) {
	for text, want := range map[string]Rate{
		"20 then 1 per 3s":       {20, 3 * time.Second},
		"200 then 1 per 20ms":    {200, 20 * time.Millisecond},
		"5  then 1 per  1h":      {5, time.Hour},
		"1 then 1 per 1m":        {1, time.Minute},
		"30 then 1 per 1h30m":    {30, 90 * time.Minute},
		"7 then 1 per 24h":       {7, 24 * time.Hour},
		"2 then 1 per 1m30s":     {2, 90 * time.Second},
		"9 then 1 per 1h0m5s":    {9, time.Hour + 5*time.Second},
		"1000000 then 1 per 1µs": {1_000_000, time.Microsecond},
		"365 then 1 per 24h":     {365, 24 * time.Hour},
	} {
		got, err := ParseRate(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
		if again, err := ParseRate(want.String()); err != nil || again != want {
			t.Errorf("%v is written %q and read as %v, %v", want, want.String(), again, err)
		}
	}
	for _, bad := range []string{
		"", "20", "0 then 1 per 3s", "-1 then 1 per 3s", "20 then 2 per 3s", "20 then 1 per 0s", "20 then 1 per -3s",
		"20 then 1 per soon", "20 then 1 per 3s more", "99999999999999999999 then 1 per 3s", "20 per 3s",
		"1000000 then 1 per 24h", "9223372036854775807 then 1 per 1ns", "2 then 1 per 2562047h",
	} {
		if got, err := ParseRate(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}

// Whatever an operator may write, the first ones pass, as many as it says, and the next has to wait.
func TestTheLargestRates(t *testing.T) {
	now := time.Date(2026, 7, 8, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"1 then 1 per 8760h", "365 then 1 per 24h", "8760 then 1 per 1h", "100000 then 1 per 5m"} {
		r, err := ParseRate(text)
		if err != nil {
			t.Fatal(err)
		}
		var b Bucket
		for i := range r.Burst {
			if ok, wait := b.Take(r, now); !ok {
				t.Fatalf("%s: number %d is to wait %v", text, i+1, wait)
			}
		}
		if ok, wait := b.Take(r, now); ok || wait != r.Every {
			t.Errorf("%s: one more: %v, to wait %v", text, ok, wait)
		}
		if ok, _ := b.Take(r, now.Add(r.Every)); !ok {
			t.Errorf("%s: one more, later, has to wait", text)
		}
	}
}
