package report

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// feedback appends what a member says of a lead.
func (st *story) feedback(t *rapid.T, id string, at time.Time, member string) {
	b := &leadv1.FeedbackGiven{Member: member, Vertical: rapid.SampledFrom([]string{"", "logistics", "energy"}).Draw(t, "vertical")}
	if rapid.Bool().Draw(t, "interesting") {
		b.Interest = 4
	}
	if rapid.Bool().Draw(t, "talked") {
		b.Talk = "open"
	}
	if rapid.Bool().Draw(t, "asked") {
		b.Ease, b.Why, b.Persona = rapid.Int32Range(0, 5).Draw(t, "ease"), []string{"fits"}, "decider"
		b.Missing = rapid.SampledFrom([][]string{nil, {"budget"}}).Draw(t, "missing")
	}
	for _, p := range []string{"late trucks", "too much paper", "nobody knows"} {
		if rapid.Bool().Draw(t, p) {
			b.Phrases = append(b.Phrases, p)
		}
	}
	st.say(id, at, b)
}

// dispute appends the next thing that happens to disputes of a lead.
func (st *story) dispute(t *rapid.T, id string, at time.Time) {
	dispute := fmt.Sprintf("%s-%d", id, rapid.IntRange(1, 2).Draw(t, "case"))
	opened, answered, decided := false, false, false
	for _, e := range st.events {
		switch b := e.Body.(type) {
		case *leadv1.DisputeOpened:
			opened = opened || b.GetDisputeId() == dispute
		case *leadv1.DisputeAnswered:
			answered = answered || b.GetDisputeId() == dispute
		case *leadv1.DisputeDecided:
			decided = decided || b.GetDisputeId() == dispute
		}
	}
	switch {
	case !opened:
		st.say(id, at, &leadv1.DisputeOpened{
			DisputeId: dispute, Party: rapid.SampledFrom([]string{"marketing", "sales", "system"}).Draw(t, "party"), Offer: 1, AgreementVersion: 1,
			Claim: leadv1.DisputeClaim(rapid.IntRange(1, 4).Draw(t, "claim")),
		})
	case !answered && rapid.Bool().Draw(t, "answered"):
		st.say(id, at, &leadv1.DisputeAnswered{DisputeId: dispute, Party: "sales", Agrees: rapid.Bool().Draw(t, "agrees")})
	case !decided:
		st.say(id, at, &leadv1.DisputeDecided{
			DisputeId: dispute, Verdict: rapid.SampledFrom([]leadv1.DisputeVerdict{1, 2, 3, 4, 5, 6}).Draw(t, "verdict"), By: "mia",
			Finding: rapid.SampledFrom([]string{"marketing", "sales", "agreement", "nobody"}).Draw(t, "finding"),
		})
	}
}
