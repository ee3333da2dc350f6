package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// movedLeads follows a lead that was moved by hand, and one that was given back.
func movedLeads(t *testing.T, s *Store) {
	st := &story{}
	for i, id := range []string{"l1", "l2"} {
		at := start.Add(time.Duration(i) * time.Hour)
		offer := func(n int32, member string) {
			at = at.Add(time.Minute)
			st.say(id, at, &leadv1.LeadOffered{AgreementVersion: 1, Pool: "inside", Group: "g", Member: member, Offer: n, TakeBy: timestamppb.New(at), Rule: "r", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Summary: "x"})
		}
		st.received(id, at, nil)
		offer(1, "ana")
		st.say(id, at.Add(time.Minute), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
		st.say(id, at.Add(2*time.Minute), &leadv1.LeadReassigned{From: "ana", Reason: "overload", BatchId: "b1", Excluded: []string{"ana"}, Accepted: true})
		offer(2, "ben")
		if id == "l2" {
			st.say(id, at.Add(time.Minute), &leadv1.LeadReassigned{From: "ben", To: "ana", Reason: "undone", BatchId: "b2", Undoes: "b1", Accepted: true, Pool: "field", Group: "g"})
		}
	}
	// One event after the other, from the rows alone.
	refill(t, s, nil, 1)
	for _, e := range st.events {
		s.forget()
		if err := s.Apply(t.Context(), []*ledger.Event{e}); err != nil {
			t.Fatal(err)
		}
	}
	rows := func(query string) (out []string) {
		t.Helper()
		found, err := s.read.Query(query)
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		defer found.Close()
		for found.Next() {
			var one string
			if err := found.Scan(&one); err != nil {
				t.Fatal(err)
			}
			out = append(out, one)
		}
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for query, want := range map[string][]string{
		"SELECT lead_id || ' ' || state || ' ' || owner || ' ' || offered_to || ' ' || pool FROM v_leads ORDER BY lead_id": {"l1 offered  ben inside", "l2 accepted ana  field"},
		"SELECT member || ' ' || outcome || ' ' || reason FROM v_assignments WHERE lead_id = 'l2' ORDER BY sequence":       {"ana accepted overload", "ben withdrawn undone", "ana accepted "},
		"SELECT lead_id || ' ' || member FROM v_assignments WHERE active ORDER BY lead_id":                                 {"l1 ben", "l2 ana"},
	} {
		if diff := cmp.Diff(want, rows(query)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}
