package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/agreement"
)

// In the whole program an exception ends with one event, and whoever belongs to a
// department is asked to read what is in force.
func TestTheLifeOfAnAgreementInTheWholeProgram(t *testing.T) {
	h := start(t, Config{})
	h.team("ana")
	h.agree([]byte(strings.Replace(string(h.document()), "# Exceptions for",
		"overlays:\n  - id: new-market\n    text: Hospitals are new to us.\n    when: lead.industry == \"health\"\n    until: "+h.time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339)+"\n    points_needed: 1\n# Exceptions for", 1)))
	h.settle()
	service := agreementv1.NewAgreementServiceClient(h.conn)
	ends := func() (n int) {
		events, err := h.log.History(t.Context(), agreement.Subject)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if _, ok := e.Body.(*agreementv1.OverlayEnded); ok {
				n++
			}
		}
		return n
	}
	same(t, "ends before the end", ends(), 0)
	h.time.Set(h.time.Now().Add(49 * time.Hour))
	h.settle()
	same(t, "ends after the end", ends(), 1)

	a := must[*agreementv1.Agreement](t)(service.GetAgreement(h.as("ana"), &agreementv1.GetAgreementRequest{}))
	if !slices.Contains(a.GetUnread(), "ana") || a.GetExceptions()[0].GetEndedAt() == nil {
		t.Errorf("not read by %v; the exception is %v", a.GetUnread(), a.GetExceptions())
	}
	a = must[*agreementv1.Agreement](t)(service.RecordRead(h.as("ana"), &agreementv1.RecordReadRequest{Version: 1}))
	if slices.Contains(a.GetUnread(), "ana") || a.GetReceipts()[0].GetMember() != "ana" {
		t.Errorf("not read by %v, read by %v", a.GetUnread(), a.GetReceipts())
	}
}

// The history compares each version with the last one that counted: a draft that
// nobody signed hides nothing of what a later version changes.
func TestHistoryComparesWithWhatCounted(t *testing.T) {
	h := start(t, Config{})
	change := func(edits ...string) []byte {
		return []byte(strings.NewReplacer(edits...).Replace(string(h.document())))
	}
	size := []string{"lead.employees >= 20", "lead.employees >= 50"}
	h.agree(h.document())
	must[*agreementv1.Agreement](t)(agreementv1.NewAgreementServiceClient(h.conn).Propose(h.as(""), &agreementv1.ProposeRequest{Document: change(size...)}))
	h.time.Set(h.time.Now().Add(time.Second))
	h.agree(change(append(size, "horizon_months: 6", "horizon_months: 9")...))
	out := ok(t, "agreement", "history", "--server", h.GRPCAddr, "--token", h.admin)
	parts := strings.Split(out, "Against version ")
	if len(parts) != 3 || !strings.HasPrefix(parts[1], "1:") || !strings.HasPrefix(parts[2], "1:") {
		t.Fatalf("versions 2 and 3 are not compared with 1:\n%s", out)
	}
	has(t, parts[1], "at least 50 instead of 20 employees")
	has(t, parts[2], "at least 50 instead of 20 employees", "wants to buy within 9 instead of 6 months")
}
