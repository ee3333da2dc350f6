package audit

import (
	"slices"
	"testing"
)

// What follows from work that was done early waits for its turn.
func TestTurnsComeInOrder(t *testing.T) {
	t.Parallel()
	const n = 2000
	o := newOrdered()
	second := make(chan struct{})
	var turns, want []int
	for i := range n {
		want = append(want, i)
		o.put(func() func() {
			switch i {
			case 0:
				if cap(o.work) > ahead { // two workers at least
					<-second
				}
			case 1:
				close(second)
			}
			return func() { turns = append(turns, i) }
		})
	}
	o.close()
	if !slices.Equal(turns, want) {
		t.Errorf("%d turns came in another order", len(turns))
	}
}
