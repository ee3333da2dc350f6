package console

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestIntakeShowsWhatBecameOfEverything(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	a := s.get("/intake?from=2026-03-01&source=web")
	a.has(t, 200,
		"1,240 requests acknowledged = 1,235 with an outcome + 5 not worked yet.", "Their 1,300 submissions have 1,300 outcomes.",
		"forms lead 1,200", "web needs-mapping 70", "web (unsigned)", "Need mapping", "Held", "the source is paused or removed", "2026-03-04 09:15:30 UTC")
	for _, link := range []string{`href="#needs-mapping"`, `href="#held"`, `href="/leads/` + waitingLead + `"`, `href="/intake?from=2026-03-01&amp;source=forms"`} {
		if !strings.Contains(a.text, link) {
			t.Errorf("the page has no %s", link)
		}
	}
	if got := s.fixed.ledgers[0]; got.GetSource() != "web" || !got.GetFrom().AsTime().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) || got.GetTo() != nil {
		t.Errorf("asked for %v", got)
	}
	s.get("/intake?from=yesterday").has(t, 400, "A day is written as 2026-03-31.")

	s.fixed.odd = true
	s.get("/intake").has(t, 200, "The sums do not hold", "1,301 outcomes", "baton verify")
}

func TestIntakeOfNothingSaysWhatToDo(t *testing.T) {
	s := newStand(t)
	s.fixed.empty = true
	s.signIn(anaToken)
	s.get("/intake").has(t, 200, "Nothing has come in yet.", "baton source add forms")
	s.get("/intake?from=2026-03-01").has(t, 200, "Nothing was acknowledged in this span.")
}

// Who may not see deliveries sees the sums, and why the lists are not there.
func TestIntakeWithoutTheLists(t *testing.T) {
	s := newStand(t)
	s.fixed.refuse["ListDeliveries"] = status.Error(codes.PermissionDenied, "this needs the role marketing")
	s.signIn(benToken)
	s.get("/intake").has(t, 200, "1,240 requests acknowledged", "Not for your role: this needs the role marketing")
}
