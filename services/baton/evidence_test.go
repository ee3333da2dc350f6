package main

import (
	"slices"
	"strings"
	"testing"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// One person sends two forms and is counted twice. Everybody sees the number; whose it is
// see those alone who are named as accountable for it, and the arbiter; and each of them is
// written down, with what they read it for, before they see anything.
func TestEvidenceIsForWhoAnswers(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.roles(map[string][]string{"mark": {access.Marketing}, "lena": {access.Marketing}, "arbi": {access.Arbiter}, "boss": {access.Manager, access.Operator}})
	h.agree([]byte(strings.Replace(withDisputes(h.document()), "accountable: Head of marketing", "accountable: lena", 1)))
	first, second := filled(1), filled(1)
	second.Set("employees", "300")
	a, b := h.submit("a", first), h.submit("b", second)
	h.submit("c", filled(2))
	h.settle()
	if a == b {
		t.Fatal("two forms are one lead")
	}
	report := h.says("mark", "report", "padding")
	has(t, report, "repeated", "1 of 3 MQL are marked", "a question and no verdict")
	for _, id := range []string{a, b, "lena"} {
		if strings.Contains(report, id) {
			t.Errorf("the report names %s:\n%s", id, report)
		}
	}
	evidence := func(handle string) []string {
		return []string{"report", "evidence", "padding", "--name", "repeated", "--why", "before the quarter is closed", "--server", h.GRPCAddr, "--token", h.tokens[handle]}
	}
	read := func() (said []string) {
		for _, e := range must[[]*ledger.Event](t)(h.log.History(t.Context(), "org.evidence.padding")) {
			said = append(said, e.Actor+" "+e.Body.(*feedbackv1.EvidenceOpened).GetByRight())
		}
		return said
	}
	// A peer, whoever leads others, and who sold it.
	for _, handle := range []string{"mark", "boss", "ana"} {
		refused(t, "who is accountable for marketing and the arbiter", evidence(handle)...)
	}
	// Nor the token that stands for every role.
	refused(t, "you are not, whatever your role", append(evidence("mark")[:7:7], "--server", h.GRPCAddr, "--token", h.admin)...)
	refused(t, "named to who answers for the figure alone", "report", "leads", "padding", "--name", "repeated", "--server", h.GRPCAddr, "--token", h.tokens["lena"])
	if said := read(); len(said) > 0 {
		t.Errorf("who read nothing is written down: %q", said)
	}
	// The key makes a repeat one reading.
	shown := ok(t, append(evidence("lena"), "--idempotency-key", "k1")...)
	has(t, shown, "stands in the log as entry", b, "repeated", "Received from web", "Qualified as MQL by version 1")
	has(t, ok(t, append(evidence("lena"), "--idempotency-key", "k1")...), b)
	has(t, ok(t, evidence("arbi")...), b)
	if said := read(); !slices.Equal(said, []string{"lena marketing", "arbi arbiter"}) {
		t.Errorf("written down is %q", said)
	}
	has(t, h.says("", "replay", "--format", "json"), "before the quarter is closed")
}
