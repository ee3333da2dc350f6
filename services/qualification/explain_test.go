package qualification

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// told is a log of one lead: what came, and what is decided on it, each at its
// place.
type told struct {
	events []*ledger.Event
	state  *lead.State
}

func (l *told) History(context.Context, string) ([]*ledger.Event, error) { return l.events, nil }

func (l *told) say(body proto.Message, logic string) {
	e := &ledger.Event{Subject: lead.SubjectOf("l1"), Seq: uint64(len(l.events) + 1), Type: string(body.ProtoReflect().Descriptor().FullName()), Body: body, Recorded: noon, Occurred: noon, Logic: logic}
	if logic != "" {
		e.Agreement = 7
	}
	e.Hash[0] = byte(e.Seq)
	l.events = append(l.events, e)
	l.state.Evolve(body, noon, noon)
}

func (l *told) decide(t testing.TB, a *agreement.Agreement) {
	t.Helper()
	in := input(l.state)
	in.Agreement = a
	if said := Decide(in); said != nil {
		l.say(said, Logic)
	}
}

func explainedBy(t testing.TB, a *agreement.Agreement, l *told) []*qualificationv1.Decision {
	t.Helper()
	s := &Server{Log: l, Version: func(int64) *agreement.Version { return &agreement.Version{Number: 7, Agreement: a} }}
	got, err := s.Explain(t.Context(), &qualificationv1.ExplainRequest{LeadId: "l1"})
	if err != nil {
		t.Fatal(err)
	}
	return got.GetDecisions()
}

func came(f *leadv1.Features) *told {
	l := &told{state: &lead.State{ID: "l1"}}
	l.say(&leadv1.LeadReceived{Features: f}, "")
	return l
}

// Each decision says what the smallest change would have been, who is accountable
// from then on, and by what it is known for ever.
func TestExplainTheOtherWay(t *testing.T) {
	t.Parallel()
	called := func(fit bool, horizon int64) *told {
		l := came(good())
		l.decide(t, agreed)
		l.say(call("c1", fit, horizon), "")
		l.decide(t, agreed)
		return l
	}
	required := changedStarter(t, "    leave_within: 3d\n", "    leave_within: 3d\n    requires: [answers.budget]\n")
	decided := func(l *told, a *agreement.Agreement) *told { l.decide(t, a); return l }
	for name, tt := range map[string]struct {
		of                *told
		by                *agreement.Agreement
		text, accountable string
	}{
		"too small":             {decided(came(without(func(f *leadv1.Features) { f.Employees, f.HasCompany, f.FreeEmail = 12, false, true })), agreed), agreed, "It would have come to the stage Marketing qualified lead if the number of employees were 20 or more instead of 12.", "Head of marketing"},
		"no persona":            {decided(came(without(func(f *leadv1.Features) { f.Role = "student" })), agreed), agreed, `It would have come to the stage Marketing qualified lead if the role of the person were "executive" instead of "student".`, "Head of marketing"},
		"content only":          {decided(came(contentOnly()), agreed), agreed, `It would have come to the stage Marketing qualified lead if the wish for contact were "contact" (or unknown) instead of "content-only".`, "Head of marketing"},
		"far from it":           {decided(came(&leadv1.Features{HasEmail: true, FreeEmail: true}), agreed), agreed, `It would have come to the stage Marketing qualified lead if the number of touches "order-intent" within 7 days were 1 or more instead of 0.`, "Head of marketing"},
		"lacks a fact":          {decided(came(good()), required), required, `It would have come to the stage Marketing qualified lead if the answer "budget" of the form were 0 EUR or more instead of unknown.`, ""},
		"SAL":                   {called(true, 9), agreed, "It would have come to the stage Sales qualified lead if the months until the person wants to buy were 6 or fewer instead of 9.", "Head of sales"},
		"SQL":                   {called(true, 6), agreed, "It would have been left with marketing if the call had not confirmed the fit.", "Head of sales"},
		"sent back by the call": {called(false, 6), agreed, "It would have come to the stage Sales qualified lead if the call had confirmed the fit.", "Head of marketing"},
	} {
		got := explainedBy(t, tt.by, tt.of)
		last := got[len(got)-1]
		if last.GetSmallestChange().GetText() != tt.text || tt.accountable != "" && last.GetAccountable() != tt.accountable {
			t.Errorf("%s:\n got %s (%s)\nwant %s (%s)", name, last.GetSmallestChange().GetText(), last.GetAccountable(), tt.text, tt.accountable)
		}
		if h := last.GetHash(); len(h) != 32 || h[0] != byte(last.GetSequence()) {
			t.Errorf("%s: the hash is %x", name, h)
		}
	}
}

// Whatever lead comes, deciding again on its own facts is what was decided, and
// the change that is named leads elsewhere.
func TestTheOtherWayIsTrue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		l := came(features.Draw(rt, "features"))
		for i := range rapid.IntRange(0, 4).Draw(rt, "touches") {
			kind := rapid.SampledFrom([]string{"webinar", "pricing-page", "reply", "order-intent", "other"}).Draw(rt, "kind")
			l.say(&leadv1.TouchAdded{Kind: kind, Delivery: &leadv1.DeliveryRef{DeliveryId: fmt.Sprint(i)}}, "")
		}
		before := l.state.Clone()
		in := input(before)
		said := Decide(in)
		if same := Decide(in.assuming(facts(in))); !proto.Equal(said, same) {
			rt.Fatalf("decided %v, and again %v", said, same)
		}
		l.decide(t, agreed)
		got := explainedBy(t, agreed, l)[0].GetSmallestChange()
		found := agreed.Smallest(agreement.ReadsProfile, facts(in), func(f agreement.Facts) string { return outcome(Decide(in.assuming(f)), agreed) })
		if len(got.GetChanges()) != len(found.Changes) || len(found.Changes) > 0 && (got.GetOutcome() == outcome(said, agreed) || got.GetOutcome() == "") {
			rt.Fatalf("%v is said to lead elsewhere than %v", got, outcome(said, agreed))
		}
	})
}

func BenchmarkExplain(b *testing.B) {
	l := came(&leadv1.Features{HasEmail: true, FreeEmail: true})
	l.decide(b, agreed)
	for b.Loop() {
		if len(explainedBy(b, agreed, l)) != 1 {
			b.Fatal("no decision")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(time.Millisecond), "ms/decision")
}
