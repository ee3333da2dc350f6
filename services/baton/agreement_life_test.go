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
