package lead_test

import (
	"testing"
	"time"

	"github.com/leadbaton/baton/services/lead"
)

// How long something took is said in hours, whatever they come to.
func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59*time.Second + 499*time.Millisecond: "59 s", time.Minute: "1 min", 62 * time.Second: "1 min 2 s",
		time.Hour: "1 h", 3*time.Hour + 20*time.Minute + 29*time.Second: "3 h 20 min", 42 * time.Hour: "42 h", -time.Hour: "-1 h",
	} {
		if got := lead.Took(d); got != want {
			t.Errorf("%v took %q; want %q", d, got, want)
		}
	}
}
