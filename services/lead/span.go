package lead

import (
	"fmt"
	"time"
)

// Took is how long something took, as people read it: "3 h 20 min", "42 h", "5 min 2 s".
// Hours are never made days of: a day of working time is no day.
func Took(d time.Duration) string {
	two := func(n time.Duration, unit string, rest time.Duration, of string) string {
		if rest == 0 {
			return fmt.Sprintf("%d %s", n, unit)
		}
		return fmt.Sprintf("%d %s %d %s", n, unit, rest, of)
	}
	switch {
	case d < 0:
		return "-" + Took(-d)
	case d < time.Minute:
		return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
	case d < time.Hour:
		d = d.Round(time.Second)
		return two(d/time.Minute, "min", d%time.Minute/time.Second, "s")
	}
	return two(d/time.Hour, "h", d%time.Hour/time.Minute, "min")
}
