//go:build real

package intake

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/leadbaton/baton/services/internal/cache/cachetest"
	"github.com/leadbaton/baton/services/internal/clock"
)

// TestDoorsShareTheirLimits: however many doors there are, a source sends what
// it may, and no more; on a server and by a cluster's rules.
func TestDoorsShareTheirLimits(t *testing.T) {
	for name, cluster := range map[string]bool{"server": false, "cluster": true} {
		t.Run(name, func(t *testing.T) {
			server := cachetest.Serve(t, cluster)
			var let atomic.Int64
			var doors sync.WaitGroup
			for range 4 {
				limits, err := NewLimits([]string{"web=60"}, sharedBucket(t, server.URL(t)), clock.Real{}, func() { t.Error("the limits are not known") })
				if err != nil {
					t.Fatal(err)
				}
				doors.Go(func() {
					for range 50 {
						if _, ok := limits.Allow("web"); ok {
							let.Add(1)
						}
					}
				})
			}
			doors.Wait()
			if n := let.Load(); n < 10 || n > 11 {
				t.Errorf("%d of 200 were let in, and ten may go at once", n)
			}
		})
	}
}
