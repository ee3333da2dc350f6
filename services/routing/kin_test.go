package routing

import (
	"testing"
	"time"
)

// A lead that waits is given to whoever has another lead of its person as soon as they
// have it, though nobody came on duty and nobody has more room by it.
//
// Goes red if: what happens to the other leads of a person wakes nobody.
func TestAnotherLeadsOwnerEndsTheWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, document(t, oneOwner, "one_owner:\n  window: 14d\n"+oneOwner), everybody...)
	for _, away := range []string{"chloe", "dan"} {
		w.away(away, w.now.Add(3*time.Hour))
	}
	w.of("large", "p", "acme.example", 800)
	w.settle()
	if got := w.queueOf("large"); got.GetBlockedBy() != "away" {
		t.Fatalf("the large one waits for %q", got.GetBlockedBy())
	}
	w.of("small", "p", "acme.example", 80)
	w.settle()
	holder := w.holderOf("small")
	if o := w.offerOf("large"); holder == "" || o.GetMember() != holder || o.GetChosenBy() != byActiveOwner {
		t.Errorf("the small one is with %q, the large one is offered to %q by %q", holder, o.GetMember(), o.GetChosenBy())
	}
}
