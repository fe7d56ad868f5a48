package limit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the rate as operators write it: "20 then 1 per 3s" is twenty at once, and one more every three seconds.
func (r Rate) String() string {
	return fmt.Sprintf("%d then 1 per %s", r.Burst, Short(r.Every))
}

// longest is how long an empty bucket may take to fill. What cannot be counted in nanoseconds would refuse everybody.
const longest = 365 * 24 * time.Hour

// ParseRate reads what String writes.
func ParseRate(s string) (Rate, error) {
	f := strings.Fields(s)
	if len(f) != 5 || f[1] != "then" || f[2] != "1" || f[3] != "per" {
		return Rate{}, fmt.Errorf("%q is not a rate such as \"20 then 1 per 3s\"", s)
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < 1 {
		return Rate{}, fmt.Errorf("a rate begins with a number from 1, not with %q", f[0])
	}
	every, err := time.ParseDuration(f[4])
	if err != nil || every <= 0 {
		return Rate{}, fmt.Errorf("a rate ends with a time such as 3s or 200ms, not with %q", f[4])
	}
	if every > longest/time.Duration(n) {
		return Rate{}, fmt.Errorf("a rate must allow all of its %d at least once a year, and one per %s does not", n, f[4])
	}
	return Rate{Burst: n, Every: every}, nil
}

// Short writes a duration without the zero minutes and seconds that its String has: 1h, not 1h0m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
