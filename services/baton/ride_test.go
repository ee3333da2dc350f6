package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
)

// Somebody of marketing asks to listen, and who has the lead shares the note: it is linked
// to the lead, sealed in the log, counted, and nothing about the lead moves.
func TestRideAlong(t *testing.T) {
	h := start(t, Config{})
	h.team("ana", "ben", "chloe", "dan")
	h.roles(map[string][]string{"mark": {access.Marketing}, "audra": {access.Auditor}})
	h.agree(h.document())
	id := h.submit("a", filled(1))
	h.settle()
	who := h.accept(id)
	h.settle()
	as := func(handle string) []string { return []string{"--server", h.GRPCAddr, "--token", h.tokens[handle]} }
	before, standing := h.types("lead."+id), h.lead(id)
	refused(t, "asking to ride along takes the role marketing", append([]string{"lead", "ride", "ask", id}, as(who)...)...)
	refused(t, "there is no lead nobody", append([]string{"lead", "ride", "ask", "nobody"}, as("mark")...)...)
	for range 2 { // the key makes it one
		has(t, h.says("mark", "lead", "ride", "ask", id, "--note", "which words they use", "--idempotency-key", "k1"), "mark asked", "which words they use", "Not held yet")
	}
	refused(t, "you asked already", append([]string{"lead", "ride", "ask", id}, as("mark")...)...)
	ride := must[*feedbackv1.ListRidesResponse](t)(h.feedback().ListRides(h.as("mark"), &feedbackv1.ListRidesRequest{LeadId: id})).GetRides()[0].GetRideId()
	other := "ana"
	if who == other {
		other = "ben"
	}
	refused(t, "they or who listened share the note", append([]string{"lead", "ride", "held", id, ride, "--note", "x"}, as(other)...)...)
	refused(t, "has no ride zzz", append([]string{"lead", "ride", "held", id, "zzz", "--note", "x"}, as(who)...)...)
	h.forward(time.Hour)
	has(t, h.says(who, "lead", "ride", "held", id, ride, "--note", "they say late trucks"), "with "+who+" talking: they say late trucks")
	refused(t, "was held on", append([]string{"lead", "ride", "held", id, ride, "--note", "again"}, as("mark")...)...)
	h.settle()
	has(t, h.says("mark", "lead", "ride", "list", id), "which words they use", "they say late trucks")
	if text := h.says("audra", "lead", "ride", "list", id); strings.Contains(text, "late trucks") {
		t.Errorf("the auditor reads the note:\n%s", text)
	}
	if raw := h.says("", "replay", "--format", "json"); strings.Contains(raw, "late trucks") || !strings.Contains(raw, "RideAlongHeld") {
		t.Error("the log holds the note in the clear, or no ride")
	}
	has(t, h.says("mark", "lead", "history", id), "mark of marketing asked to listen", "mark listened while "+who+" talked with the lead")
	said := slices.DeleteFunc(h.types("lead."+id), func(name string) bool {
		return strings.HasPrefix(name, "RideAlong") || strings.Contains(name, ".RideAlong")
	})
	said = slices.DeleteFunc(said, func(name string) bool { return strings.Contains(name, "Clock") || strings.Contains(name, "Notice") })
	before = slices.DeleteFunc(before, func(name string) bool { return strings.Contains(name, "Clock") || strings.Contains(name, "Notice") })
	if !slices.Equal(said, before) {
		t.Errorf("a ride along moved the lead: %q, before %q", said, before)
	}
	if now := h.lead(id); now.GetState() != standing.GetState() || now.GetOwner() != standing.GetOwner() {
		t.Errorf("the lead stands as %v %s", now.GetState(), now.GetOwner())
	}
	figures := h.figures("training")
	if figures["requested"] != 1 || figures["held"] != 1 || figures["open"] != 0 || figures["leads"] != 1 {
		t.Errorf("training: %v", figures)
	}
	whole(t, h)
}
