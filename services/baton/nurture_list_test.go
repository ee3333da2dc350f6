package main

import (
	"strings"
	"testing"
	"time"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// due is a lead that is with marketing, as the list shows it.
func (h *house) due(id string) *leadv1.Nurture {
	h.t.Helper()
	for _, l := range must[*leadv1.ListNurturingResponse](h.t)(leadv1.NewLeadServiceClient(h.conn).ListNurturing(h.as(""), &leadv1.ListNurturingRequest{})).GetLeads() {
		if l.GetLeadId() == id {
			return l.GetNurture()
		}
	}
	h.t.Fatalf("lead %s is with marketing and not listed", id)
	return nil
}

func (h *house) counts() []int64 {
	h.t.Helper()
	r := must[*leadv1.ListNurturingResponse](h.t)(leadv1.NewLeadServiceClient(h.conn).ListNurturing(h.as(""), &leadv1.ListNurturingRequest{}))
	return []int64{r.GetOverdue(), r.GetDueThisWeek(), r.GetDueLater()}
}

// A lead that stays with marketing is listed until its planned touch was made, and
// is ticked off then; one past its date is overdue, whoever forgot it.
func TestNobodyWithMarketingIsForgotten(t *testing.T) {
	const day = 24 * time.Hour
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	// The starter's plan: a story after 7 days, an invitation 21 days after that, and
	// a second look after 30.
	student := h.submit("student", formOf(1, map[string]string{"job_title": "Student"}))
	back := h.submit("back", filled(2))
	h.settle()
	who := h.lead(back).GetOfferedTo()
	must[*routingv1.RejectResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Reject(h.as(who), &routingv1.RejectRequest{LeadId: back, Reason: "not-ready"}))
	h.settle()
	for id, reason := range map[string]string{student: "persona", back: "rejected"} {
		n := h.due(id)
		same(t, "a lead with marketing", []any{n.GetReason(), n.GetSince().AsTime(), n.GetMade(), n.GetNextTouch(), n.GetNextTouchDue().AsTime(), n.GetRecheckAt().AsTime(), n.GetDue().AsTime()},
			[]any{reason, monday, int32(0), "customer-story", monday.Add(7 * day), monday.Add(30 * day), monday.Add(7 * day)})
		same(t, "the lead by itself", h.lead(id).GetNurture().GetDue().AsTime(), monday.Add(7*day))
	}
	same(t, "overdue, this week, later", h.counts(), []int64{0, 2, 0})

	h.time.Set(monday.Add(7*day - time.Second))
	same(t, "a second before it is due", h.counts(), []int64{0, 2, 0})
	h.time.Set(monday.Add(9 * day))
	h.settle()
	same(t, "two days late", h.counts(), []int64{2, 0, 0})
	text := ok(t, "lead", "list", "--state", "nurturing", "--overdue", "--server", h.GRPCAddr, "--token", h.admin)
	has(t, text, "With marketing: 2 leads; 2 overdue, 0 due within 7 days, 0 later.", student, back, "customer-story", "2 days", "persona", "a rejection by sales")

	// Another kind of touch does not tick it off, the planned one does.
	h.touch(&intakev1.Touch{ExternalId: "t1", Kind: "webinar", LeadId: student})
	h.settle()
	same(t, "after another touch", h.due(student).GetMade(), int32(0))
	h.touch(&intakev1.Touch{ExternalId: "t2", Kind: "customer-story", LeadId: student})
	h.settle()
	n := h.due(student)
	same(t, "after the planned touch", []any{n.GetMade(), n.GetNextTouch(), n.GetNextTouchDue().AsTime(), n.GetSince().AsTime()}, []any{int32(1), "invitation", monday.Add(30 * day), monday})
	same(t, "one is ticked off", h.counts(), []int64{1, 0, 1})
	text = ok(t, "lead", "list", "--state", "nurturing", "--overdue", "--server", h.GRPCAddr, "--token", h.admin)
	if strings.Contains(text, student) {
		t.Errorf("what was ticked off is listed as overdue:\n%s", text)
	}
	has(t, ok(t, "lead", "show", student, "--server", h.GRPCAddr, "--token", h.admin), "with marketing", "because of the personas", "invitation, due 2026-04-01T09:00:00Z")

	// On its date the student is looked at again by itself, and stays, with a new
	// date; the other one was sent back by sales, so its date just passes.
	h.time.Set(monday.Add(31 * day))
	h.settle()
	n = h.due(student)
	same(t, "looked at again on its date", []any{n.GetSince().AsTime(), n.GetNextTouch(), n.GetMade(), n.GetRecheckAt().AsTime().After(monday.Add(59 * day))}, []any{monday, "invitation", int32(1), true})
	same(t, "both are late", h.counts(), []int64{2, 0, 0})

	// The page says the same.
	has(t, h.page("/nurture"), "Overdue", "no persona", "sent back by sales")
	whole(t, h)
}
