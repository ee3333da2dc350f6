package routing

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// What a lead costs from qualified to assigned, decided and folded, in a batch of its own
// or of many.
func BenchmarkLead(b *testing.B) {
	for _, people := range []int{10, 1000, 10_000} {
		for _, batch := range []int{1, 50} {
			b.Run(fmt.Sprintf("people=%d/batch=%d", people, batch), func(b *testing.B) {
				w := newWorld(b, nil)
				for i := range people {
					w.folds.roster.Apply(added(sharer(i)))
				}
				w.agree(shareDocument(b, slices.Repeat([]int64{1}, people), "capacity: 50", "capacity: 0"), w.now)
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					var items []*ledger.Item
					for range batch {
						id := fmt.Sprintf("l%d", n)
						n++
						for _, body := range []ledger.Event{{Body: &leadv1.LeadReceived{
							SourceId: "s1", Source: "web", SubmissionId: "u-" + id, ReceivedAt: timestamppb.New(w.now), Features: &leadv1.Features{HasEmail: true, Country: "DE", Employees: 50},
						}}, {Body: mql()}} {
							body.Subject, body.Occurred, body.Recorded = lead.SubjectOf(id), w.now, w.now
							w.folds.apply(&body)
						}
						items = append(items, &ledger.Item{Lead: id, Cause: "test:" + id})
					}
					drafts, err := w.service.decide(w.now, w.folds.lead, items)
					if err != nil || len(drafts) != batch+1 {
						b.Fatalf("%d drafts: %v", len(drafts), err)
					}
					for i, d := range drafts {
						w.folds.apply(&ledger.Event{Seq: uint64(n + i), Subject: d.Subject, Body: d.Body, Occurred: w.now, Recorded: w.now, Cause: d.Cause})
					}
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n), "us/lead")
			})
		}
	}
}

func added(member string) *ledger.Event {
	return &ledger.Event{Subject: "org.member." + member, Body: &routingv1.MemberAdded{Member: member, Roles: []string{"sales"}}, Occurred: monday, Recorded: monday}
}
