package feedback

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

func TestDecideOwner(t *testing.T) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	past := lead.State{ID: "l1", State: leadv1.State_STATE_WORKING, Owner: "cy", Historical: true, ReceivedAt: start, Past: []lead.OwnerChange{
		{At: hour(1), From: "ana", To: "ben"}, {At: hour(3), From: "ben", To: "cy"},
	}}
	closed := past
	closed.State, closed.ClosedAt = leadv1.State_STATE_WON, hour(5)
	live := past
	live.Historical = false
	for _, c := range []struct {
		name, member string
		s            lead.State
		at           time.Time
		from         string // who had it; empty = nothing changes
		kind         fault.Kind
	}{
		{"somebody else", "dan", past, hour(4), "cy", 0},
		{"at the very moment of the last change", "dan", past, hour(3), "cy", 0},
		{"who has it", "cy", past, hour(4), "", 0},
		{"who had it then", "ben", past, hour(2), "", 0},
		{"who had it first", "ana", past, start, "", 0},
		{"who had it until that moment", "ben", past, hour(3), "", 0},
		{"somebody else in between", "dan", past, hour(2), "", fault.Invalid},
		{"who had it at another time", "ana", past, hour(2), "", fault.Invalid},
		{"back to who had it at first", "ana", past, hour(4), "cy", 0},
		{"before the lead", "dan", past, hour(-1), "", fault.Invalid},
		{"in the future", "dan", past, hour(11), "", fault.Invalid},
		{"after the deal was closed", "dan", closed, hour(6), "", fault.Invalid},
		{"a lead of today", "dan", live, hour(4), "", fault.State},
		{"no lead", "dan", lead.State{}, hour(4), "", fault.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := DecideOwner(&c.s, c.member, "import-1", c.at, hour(10))
			switch {
			case c.kind != 0:
				if !fault.Is(err, c.kind) {
					t.Errorf("got %v, %v; want a fault of kind %v", got, err, c.kind)
				}
			case err != nil, c.from == "" && got != nil, c.from != "" && (got.GetFrom() != c.from || got.GetTo() != c.member || got.GetReason() != lead.ReasonImported || got.GetBatchId() != "import-1"):
				t.Errorf("got %v, %v; want it from %q", got, err, c.from)
			}
		})
	}
}

// TestOwnersTwice: whatever a file says in the order of time, in whatever parts it
// comes, the changes are those between its rows, and a second time there are none.
func TestOwnersTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &lead.State{ID: "l1"}
		s.Evolve(&leadv1.LeadReceived{Historical: true, ReceivedAt: timestamppb.New(start)}, start, start)
		s.Evolve(&leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WORKING, Member: "ana", Historical: true}, start, start)
		var rows []*feedbackv1.OwnerRow
		var want []string
		owner, at := "ana", start
		for i := range rapid.IntRange(1, 12).Draw(t, "rows") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour)
			member := rapid.SampledFrom([]string{"ana", "ben", "cy"}).Draw(t, "member")
			rows = append(rows, &feedbackv1.OwnerRow{Line: int64(i), LeadId: "l1", Key: fmt.Sprint(i), Member: member, OccurredAt: timestamppb.New(at)})
			if member != owner {
				want = append(want, owner+" "+member)
				owner = member
			}
		}
		var got []string
		take := func(rows []*feedbackv1.OwnerRow) {
			results, drafts, err := owned(start.AddDate(100, 0, 0), func(string) (*lead.State, error) { return s, nil }, "import-1", "eve", rows)
			if err != nil || len(results) != len(rows) {
				t.Fatalf("%d results of %d rows, %v", len(results), len(rows), err)
			}
			for _, r := range results {
				if r.GetOutcome() == "refused" {
					t.Fatalf("row %d was refused: %s", r.GetLine(), r.GetText())
				}
			}
			for _, d := range drafts {
				b := d.Body.(*leadv1.LeadReassigned)
				got = append(got, b.GetFrom()+" "+b.GetTo())
				s.Evolve(b, d.Occurred, start.AddDate(100, 0, 0))
				s.Remember(d.Cause, 1)
			}
		}
		for part := range slices.Chunk(rows, rapid.IntRange(1, 5).Draw(t, "at once")) {
			take(part)
		}
		take(rows)
		if !slices.Equal(got, want) {
			t.Fatalf("changes %v; want %v", got, want)
		}
	})
}
