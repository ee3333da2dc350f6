package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/routing"
)

// TestFairnessOfARunningSystem: what the report says of a pool that really gave leads
// away is what its own rotation has in its books.
func TestFairnessOfARunningSystem(t *testing.T) {
	h := start(t, Config{})
	h.agree(h.document())
	h.team("ana", "ben", "cara", "dan")
	h.typed()
	desk := routingv1.NewRoutingServiceClient(h.conn)
	for n := range 30 {
		id := h.submit(fmt.Sprintf("f-%d", n), filled(n))
		h.settle()
		switch l := h.lead(id); {
		case n%5 == 4:
			must[*routingv1.RejectResponse](t)(desk.Reject(h.as(l.GetOfferedTo()), &routingv1.RejectRequest{LeadId: id, Reason: "no-time", IdempotencyKey: id}))
			h.settle()
		default:
			must[*routingv1.AcceptResponse](t)(desk.Accept(h.as(l.GetOfferedTo()), &routingv1.AcceptRequest{LeadId: id, IdempotencyKey: id}))
		}
	}
	h.settle()
	var report struct {
		Rows []struct {
			Pool, Member                string
			Eligible, Offered, Accepted int64
			Declined                    int64
			ByRotation                  int64   `json:"by_rotation"`
			Off                         float64 `json:"off_quota"`
			Ever                        float64 `json:"off_quota_ever"`
			Share, Quota                float64
		}
		Total    struct{ Offered, Accepted, Declined int64 }
		Findings []struct{ Pool, Test, Verdict, Text string }
	}
	if err := json.Unmarshal([]byte(ok(t, "report", "fairness", "--format", "json")), &report); err != nil {
		t.Fatal(err)
	}
	groups := routing.NewGroups()
	for _, e := range must[[]*ledger.Event](t)(h.App.log.History(h.t.Context(), "pool.sales")) {
		groups.Apply(e)
	}
	if len(report.Rows) == 0 || report.Total.Declined != 6 {
		t.Fatalf("the report says %+v", report)
	}
	compared := 0
	for _, row := range report.Rows {
		r := groups.Group("sales").Rotations[row.Pool]
		if r == nil {
			continue
		}
		compared++
		want, _ := r.Deviation(row.Member).Float64()
		if math.Abs(row.Ever-want) > 1e-9 || math.Abs(row.Off-want) > 1e-9 || row.Offered != r.Count(row.Member) {
			t.Errorf("%s: %+v; the rotation says %v off quota and %d turns", row.Member, row, want, r.Count(row.Member))
		}
	}
	if compared != len(report.Rows) {
		t.Errorf("%d of %d rows have a rotation", compared, len(report.Rows))
	}
	for _, f := range report.Findings {
		if f.Verdict == "not-explained" {
			t.Errorf("found in a rotation: %s", f.Text)
		}
	}
	text := ok(t, "report", "fairness")
	if !strings.Contains(text, "Explained by who was there") {
		t.Errorf("it says\n%s", text)
	}
}
