package qualification

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// starter is the agreement that ships: profile and personas in version 1, three
// points needed, six months of horizon, thirty days until a second look.
func starter() []byte {
	public := func(seed byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	}
	return agreement.Starter(agreement.StarterParams{MarketingKey: public(1), SalesKey: public(2), Zone: "UTC"})
}

var agreed = func() *agreement.Agreement {
	a, err := agreement.Compile(starter())
	if err != nil {
		panic(err)
	}
	return a
}()

func input(s *lead.State) Input {
	return Input{Lead: s, Agreement: agreed, Version: 7, Now: noon}
}

// good fits the profile with 5 points and the persona that leads a department.
func good() *leadv1.Features {
	return &leadv1.Features{HasEmail: true, Country: "DE", Employees: 80, HasCompany: true, Role: "head", ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT}
}

func without(change func(*leadv1.Features)) *leadv1.Features {
	f := good()
	change(f)
	return f
}

func in(state leadv1.State, f *leadv1.Features, calls ...*leadv1.CallRecorded) *lead.State {
	stage := leadv1.Stage_STAGE_LEAD
	if state != leadv1.State_STATE_RECEIVED && state != leadv1.State_STATE_HELD && state != leadv1.State_STATE_NURTURING {
		stage = leadv1.Stage_STAGE_MQL
	}
	return &lead.State{ID: "l1", State: state, Stage: stage, Features: f, Calls: calls, OfferedTo: "ana", Owner: "ana"}
}

func call(id string, fit bool, horizon int64) *leadv1.CallRecorded {
	c := &leadv1.CallRecorded{CallId: id, Member: "ana", Qualifier: true, Reached: true, FitConfirmed: fit}
	if horizon >= 0 {
		c.HorizonMonths = &horizon
	}
	return c
}

const unstated = -1

// Given a lead, when it is looked at, then this and nothing else is said.
func TestDecide(t *testing.T) {
	t.Parallel()
	const versions = "(agreement version 7, profile 1, personas 1)"
	type then struct {
		// kind is the message's name; empty = nothing is said.
		kind, summary, reason string
		stage                 leadv1.Stage
		persona, call         string
		points                int64
		missing               []string
	}
	changed := func(s *lead.State, by func(*lead.State)) *lead.State { by(s); return s }
	const received, held, nurturing, qualified = leadv1.State_STATE_RECEIVED, leadv1.State_STATE_HELD, leadv1.State_STATE_NURTURING, leadv1.State_STATE_QUALIFIED
	tests := map[string]struct {
		given *lead.State
		then  then
	}{
		"profile and persona fit": {
			in(received, good()),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_MQL, persona: "champion", points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: `Marketing qualified lead: the customer profile is met with 5 points (3 needed) and the persona "Argues for us" matches ` + versions + ".",
			},
		},
		"held, and now something is agreed": {
			in(held, good()),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_MQL, persona: "champion", points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: `Marketing qualified lead: the customer profile is met with 5 points (3 needed) and the persona "Argues for us" matches ` + versions + ".",
			},
		},
		"nobody can reach the person": {
			in(received, without(func(f *leadv1.Features) { f.HasEmail = false })),
			then{
				kind: "LeadNurtured", reason: lead.ReasonProfile, points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: "Stays with marketing: the customer profile is not met: a must-have is missing: We can reach the person by e-mail or telephone " + versions + ".",
			},
		},
		"points are short": {
			in(received, without(func(f *leadv1.Features) { f.Employees = 19; f.HasCompany = false; f.FreeEmail = true })),
			then{
				kind: "LeadNurtured", reason: lead.ReasonProfile, points: 2, missing: []string{`answer "timeframe" of the form`},
				summary: "Stays with marketing: the customer profile is not met: 2 of the 3 points needed " + versions + ".",
			},
		},
		"points are short by what nobody stated": {
			in(received, &leadv1.Features{HasEmail: true, Role: "head"}),
			then{
				kind: "LeadNurtured", reason: lead.ReasonProfile, points: 1, missing: []string{"country", "number of employees", `answer "timeframe" of the form`},
				summary: "Stays with marketing: the customer profile is not met: 1 of the 3 points needed " + versions + ".",
			},
		},
		"no persona": {
			in(received, without(func(f *leadv1.Features) { f.Role = "student" })),
			then{
				kind: "LeadNurtured", reason: lead.ReasonPersona, points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: "Stays with marketing: the customer profile is met with 5 points (3 needed), but no persona matches " + versions + ".",
			},
		},
		"content only is never hot": {
			in(received, without(func(f *leadv1.Features) { f.ContactWish = leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY })),
			then{
				kind: "LeadNurtured", reason: lead.ReasonContentOnly, points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: "Stays with marketing: the person asked for content only, not for contact " + versions + ".",
			},
		},
		"a call confirms, inside the horizon": {
			in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, 6)),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c1",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 6 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"a call confirms, beyond the horizon": {
			in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, 7)),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SAL, call: "c1",
				summary: "Sales accepted lead: the call confirmed the profile, but the horizon of 7 months lies beyond the agreed 6 months (agreement version 7).",
			},
		},
		"a call confirms, and says no horizon": {
			in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, unstated)),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SAL, call: "c1", missing: []string{"the horizon in months"},
				summary: "Sales accepted lead: the call confirmed the profile, and no horizon was stated (agreement version 7).",
			},
		},
		"a horizon of now is stated": {
			in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, 0)),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c1",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 0 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"a call does not confirm": {
			in(leadv1.State_STATE_ACCEPTED, good(), call("c1", false, 1)),
			then{
				kind: "LeadNurtured", reason: lead.ReasonCall,
				summary: "Back to marketing: the call did not confirm the customer profile (agreement version 7).",
			},
		},
		"a call lifts a lead that the profile left behind": {
			changed(in(nurturing, without(func(f *leadv1.Features) { f.Employees = 0 }), call("c1", true, 2)), func(s *lead.State) { s.NurtureReason = lead.ReasonProfile }),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c1",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 2 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"a second call, later": {
			changed(in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, 9), call("c2", true, 3)), func(s *lead.State) { s.DecidedCall = "c1" }),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c2",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 3 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"a second call undoes the first": {
			changed(in(nurturing, good(), call("c1", false, unstated), call("c2", true, 3)), func(s *lead.State) { s.DecidedCall, s.NurtureReason = "c1", lead.ReasonCall }),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c2",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 3 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"a call before anything was decided": {
			in(received, good(), call("c1", true, 6)),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_SQL, call: "c1",
				summary: "Sales qualified lead: the call confirmed the profile and a horizon of 6 months, inside the agreed 6 months (agreement version 7).",
			},
		},
		"sales rejected it into nurture": {
			changed(in(qualified, good()), func(s *lead.State) {
				s.Consequence, s.Reason = leadv1.Consequence_CONSEQUENCE_NURTURE, "not-ready"
			}),
			then{
				kind: "LeadNurtured", reason: lead.ReasonRejected,
				summary: `Back to marketing: sales rejected it as "not-ready", and the agreement (version 7) sends that reason to nurture.`,
			},
		},
		"lifted by a revision": {
			changed(in(nurturing, good()), func(s *lead.State) { s.NurtureReason = lead.ReasonPersona }),
			then{
				kind: "LeadQualified", stage: leadv1.Stage_STAGE_MQL, persona: "champion", points: 5, missing: []string{`answer "timeframe" of the form`},
				summary: `Marketing qualified lead: the customer profile is met with 5 points (3 needed) and the persona "Argues for us" matches ` + versions + ".",
			},
		},
		"not lifted while it still falls short": {changed(in(nurturing, without(func(f *leadv1.Features) { f.Role = "student" })), func(s *lead.State) { s.NurtureReason = lead.ReasonPersona }), then{}},
		"not lifted out of a rejection":         {changed(in(nurturing, good()), func(s *lead.State) { s.NurtureReason = lead.ReasonRejected }), then{}},
		"not lifted out of a call":              {changed(in(nurturing, good(), call("c1", false, 3)), func(s *lead.State) { s.NurtureReason, s.DecidedCall = lead.ReasonCall, "c1" }), then{}},
		"not a qualifier's call":                {in(leadv1.State_STATE_ACCEPTED, good(), &leadv1.CallRecorded{CallId: "c1", Member: "eve", Reached: true, FitConfirmed: true}), then{}},
		"nobody was reached":                    {in(leadv1.State_STATE_ACCEPTED, good(), &leadv1.CallRecorded{CallId: "c1", Member: "ana", Qualifier: true, FitConfirmed: true}), then{}},
		"history":                               {changed(in(received, good(), call("c1", true, 3)), func(s *lead.State) { s.Historical = true }), then{}},
		"refused at the door":                   {in(leadv1.State_STATE_REFUSED, good()), then{}},
		"not known":                             {&lead.State{}, then{}},
		"qualified":                             {in(qualified, good()), then{}},
		"waiting":                               {in(leadv1.State_STATE_WAITING, good()), then{}},
		"offered":                               {in(leadv1.State_STATE_OFFERED, good()), then{}},
		"won":                                   {in(leadv1.State_STATE_WON, good(), call("c1", true, 3)), then{}},
		"lost":                                  {in(leadv1.State_STATE_LOST, good(), call("c1", true, 3)), then{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := Decide(input(test.given))
			var got then
			var ex *leadv1.Explanation
			switch body := said.(type) {
			case nil:
			case *leadv1.LeadQualified:
				got = then{stage: body.GetStage(), persona: body.GetPersona(), call: body.GetCallId()}
				ex = body.GetExplanation()
				byProfile := body.GetCallId() == ""
				if body.GetAgreementVersion() != 7 || (body.GetProfileVersion() == "1") != byProfile || (body.GetPersonaVersion() == "1") != byProfile {
					t.Errorf("the versions are %d, %q and %q", body.GetAgreementVersion(), body.GetProfileVersion(), body.GetPersonaVersion())
				}
			case *leadv1.LeadNurtured:
				got = then{reason: body.GetReason()}
				ex = body.GetExplanation()
				if body.GetAgreementVersion() != 7 || !body.GetRecheckAt().AsTime().Equal(noon.AddDate(0, 0, 30)) {
					t.Errorf("by version %d, to be looked at again at %s", body.GetAgreementVersion(), body.GetRecheckAt().AsTime())
				}
			}
			if said != nil {
				got.kind = string(said.ProtoReflect().Descriptor().Name())
				got.summary, got.points, got.missing = ex.GetSummary(), ex.GetPoints(), ex.GetMissing()
			}
			if diff := cmp.Diff(test.then, got, cmp.AllowUnexported(then{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// The explanation shows what was asked, in the agreement's words, and what was
// found.
func TestExplanationNamesTheValues(t *testing.T) {
	t.Parallel()
	profile := Decide(input(in(leadv1.State_STATE_RECEIVED, good()))).(*leadv1.LeadQualified).GetExplanation()
	var ids []string
	for _, c := range profile.GetCriteria() {
		ids = append(ids, c.GetId())
	}
	if want := []string{"contactable", "may-be-contacted", "region", "size", "business", "soon", "interested", "champion"}; !slices.Equal(ids, want) {
		t.Errorf("the criteria are %v, want %v", ids, want)
	}
	size := profile.GetCriteria()[3]
	want := &leadv1.Criterion{
		Id: "size", Text: "The company has at least 20 employees.", Condition: "lead.employees >= 20", Met: true, Points: 2,
		Values: []*leadv1.NamedValue{{Name: "lead.employees", Value: "80"}},
	}
	if diff := cmp.Diff(want, size, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	called := Decide(input(in(leadv1.State_STATE_ACCEPTED, good(), call("c1", true, 7)))).(*leadv1.LeadQualified).GetExplanation()
	criteria := []*leadv1.Criterion{
		{Id: "call", Text: "A call by somebody who holds the qualifier role reached the person", Must: true, Met: true, Values: []*leadv1.NamedValue{{Name: "call.member", Value: "ana"}}},
		{Id: "fit", Text: "The customer profile was confirmed in the call", Must: true, Met: true, Values: []*leadv1.NamedValue{{Name: "call.fit_confirmed", Value: "yes"}}},
		{Id: "horizon", Text: "The person wants to buy within 6 months", Condition: "call.horizon_months <= 6", Values: []*leadv1.NamedValue{{Name: "call.horizon_months", Value: "7 months"}}},
	}
	if diff := cmp.Diff(criteria, called.GetCriteria(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if unknown := Decide(input(in(leadv1.State_STATE_ACCEPTED, good(), call("c1", false, unstated)))).(*leadv1.LeadNurtured).GetExplanation().GetCriteria(); unknown[1].GetMet() || unknown[1].GetValues()[0].GetValue() != "no" || unknown[2].GetValues()[0].GetValue() != "unknown" {
		t.Errorf("a call that confirmed nothing is explained by %v", unknown)
	}
}

func TestWithoutAnAgreementItIsHeldOnce(t *testing.T) {
	t.Parallel()
	for state, want := range map[leadv1.State]bool{leadv1.State_STATE_RECEIVED: true, leadv1.State_STATE_HELD: false, leadv1.State_STATE_QUALIFIED: false, leadv1.State_STATE_NURTURING: false} {
		s := in(state, good(), call("c1", true, 3))
		said := Decide(Input{Lead: s, Now: noon})
		if (said != nil) != want {
			t.Errorf("a lead that is %s: said %v", lead.StateWord(state), said)
		}
		if said == nil {
			continue
		}
		body, ok := said.(*leadv1.QualificationHeld)
		if !ok || body.GetRule() != "no-agreement" || !strings.HasPrefix(body.GetText(), "No agreement is in force") {
			t.Errorf("said %v", said)
		}
		s.Evolve(said, noon, noon)
		if again := Decide(Input{Lead: s, Now: noon}); again != nil {
			t.Errorf("said %v again", again)
		}
	}
}

// features are what can be known of a lead.
var features = rapid.Custom(func(t *rapid.T) *leadv1.Features {
	return &leadv1.Features{
		HasEmail: rapid.Bool().Draw(t, "email"), HasPhone: rapid.Bool().Draw(t, "phone"), HasCompany: rapid.Bool().Draw(t, "company"), FreeEmail: rapid.Bool().Draw(t, "free"),
		Country: rapid.SampledFrom([]string{"", "DE", "US"}).Draw(t, "country"), Employees: rapid.SampledFrom([]int64{0, 19, 20, 800}).Draw(t, "employees"),
		Role: rapid.SampledFrom([]string{"", "head", "executive", "student"}).Draw(t, "role"), ContactWish: rapid.SampledFrom([]leadv1.ContactWish{0, 1, 2}).Draw(t, "wish"),
	}
})

// A decision settles the matter: whatever the lead is and whoever called, after
// each event at most one decision follows for each call, and then nothing.
//
// Goes red if: LeadNurtured by a call leaves the call undecided, LeadQualified
// does not remember its call, or a nurtured lead is looked at without a lift.
func TestDecidingTwiceSaysNothingTheSecondTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &lead.State{ID: "l1"}
		s.Evolve(&leadv1.LeadReceived{Features: features.Draw(t, "features"), ReceivedAt: timestamppb.New(noon)}, noon, noon)
		answer := func() {
			// One look for the profile, and one for each call that nobody used.
			for range len(s.Calls) + 1 {
				said := Decide(input(s))
				if said == nil {
					return
				}
				before := s.State
				s.Evolve(said, noon, noon)
				if q, ok := said.(*leadv1.LeadQualified); ok && q.GetStage() > leadv1.Stage_STAGE_MQL && q.GetCallId() == "" {
					t.Fatalf("%s without a call", q.GetStage())
				}
				if hot := s.State == leadv1.State_STATE_QUALIFIED && len(s.Calls) == 0; hot && s.Features.GetContactWish() == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY {
					t.Fatalf("content only went from %s to %s", lead.StateWord(before), lead.StateWord(s.State))
				}
			}
			if said := Decide(input(s)); said != nil {
				t.Fatalf("a lead that is %s has been decided, and again: %v", lead.StateWord(s.State), said)
			}
		}
		answer()
		for i := range rapid.IntRange(0, 12).Draw(t, "events") {
			var e proto.Message
			switch rapid.IntRange(0, 6).Draw(t, "kind") {
			case 0:
				e = &leadv1.SubmissionRevised{Features: features.Draw(t, "features"), Conflict: rapid.Bool().Draw(t, "conflict")}
			case 1, 2:
				c := call(fmt.Sprintf("c%d", i), rapid.Bool().Draw(t, "fit"), rapid.Int64Range(-1, 12).Draw(t, "horizon"))
				c.Qualifier, c.Reached = rapid.Bool().Draw(t, "qualifier"), rapid.Bool().Draw(t, "reached")
				e = c
			case 3:
				if s.State != leadv1.State_STATE_QUALIFIED {
					continue
				}
				e = &leadv1.LeadOffered{Member: "ana", Offer: s.Offers + 1, TakeBy: timestamppb.New(noon)}
			case 4:
				if s.State != leadv1.State_STATE_OFFERED {
					continue
				}
				e = &leadv1.OfferAccepted{Member: "ana", Offer: s.Offers}
			case 5:
				if _, held := s.Held(); !held {
					continue
				}
				e = &leadv1.OfferRejected{Member: "ana", Reason: "r", Consequence: leadv1.Consequence(rapid.IntRange(1, 3).Draw(t, "consequence"))}
			case 6:
				e = &leadv1.LeadQueued{BlockedBy: "full"}
				if s.State != leadv1.State_STATE_QUALIFIED {
					continue
				}
			}
			s.Evolve(e, noon, noon)
			if rapid.Bool().Draw(t, "look") {
				answer()
			}
		}
		answer()
	})
}

// register is one that has the starter in force from an instant.
func register(from time.Time) *agreement.Register {
	r := &agreement.Register{}
	for _, body := range []proto.Message{
		&agreementv1.AgreementProposed{Version: 1, Document: starter()},
		&agreementv1.AgreementSigned{Version: 1, Party: "marketing"},
		&agreementv1.AgreementSigned{Version: 1, Party: "sales", InForceFrom: timestamppb.New(from)},
	} {
		r.Apply(&ledger.Event{Subject: agreement.Subject, Body: body})
	}
	return r
}

func folded(states ...*lead.State) func(string) (*lead.State, error) {
	return func(id string) (*lead.State, error) {
		for _, s := range states {
			if s.ID == id {
				return s, nil
			}
		}
		return &lead.State{}, nil
	}
}

func named(id string, s *lead.State) *lead.State {
	s.ID = id
	return s
}

// A batch answers each lead once, and keeps the line of those that wait.
func TestBatch(t *testing.T) {
	t.Parallel()
	leads := folded(named("a", in(leadv1.State_STATE_RECEIVED, good())), named("b", in(leadv1.State_STATE_RECEIVED, good())), named("done", in(leadv1.State_STATE_WON, good())))
	items := []*ledger.Item{{Lead: "a", Cause: "e1"}, {Lead: "", Cause: "e2"}, {Lead: "b", Cause: "e3"}, {Lead: "a", Cause: "e4"}, {Lead: "done", Cause: "e5"}, {Lead: "none", Cause: "e6"}}
	line := NewLine()
	held, err := New(&agreement.Register{}, nil, line, NewLater()).decide(noon, leads, items)
	if err != nil || len(held) != 3 {
		t.Fatalf("%d drafts, %v", len(held), err)
	}
	if diff := cmp.Diff(&qualificationv1.LineAdvanced{Held: []string{"a", "b"}}, held[2].Body, protocmp.Transform()); diff != "" || held[2].Subject != SubjectLine || held[2].Logic != "" {
		t.Errorf("the line on %s: %s", held[2].Subject, diff)
	}
	for i, want := range []string{"lead.a", "lead.b"} {
		if held[i].Subject != want || held[i].Logic != Logic || held[i].Agreement != 0 {
			t.Errorf("draft %d is on %s by %q with agreement %d", i, held[i].Subject, held[i].Logic, held[i].Agreement)
		}
	}
	line.Apply(&ledger.Event{Subject: SubjectLine, Body: held[2].Body})

	q := New(register(noon.Add(time.Hour)), nil, line, NewLater())
	if version := q.register.InForce(noon); version != nil {
		t.Fatal("the agreement is in force before its time")
	}
	leads = folded(named("a", in(leadv1.State_STATE_HELD, good())), named("b", in(leadv1.State_STATE_HELD, without(func(f *leadv1.Features) { f.Role = "" }))))
	freed, err := q.decide(noon.Add(time.Hour), leads, []*ledger.Item{{Lead: "a", Cause: "w1"}, {Lead: "b", Cause: "w2"}})
	if err != nil || len(freed) != 3 {
		t.Fatalf("%d drafts, %v", len(freed), err)
	}
	if diff := cmp.Diff(&qualificationv1.LineAdvanced{Freed: []string{"a", "b"}}, freed[2].Body, protocmp.Transform()); diff != "" {
		t.Errorf("the line (-want +got)\n%s", diff)
	}
	if freed[0].Agreement != 1 || freed[1].Agreement != 1 {
		t.Errorf("decided by versions %d and %d", freed[0].Agreement, freed[1].Agreement)
	}
}

func TestCallsAreRecordedOnce(t *testing.T) {
	t.Parallel()
	carriedOut := named("done", in(leadv1.State_STATE_ACCEPTED, good()))
	carriedOut.Remember("cmd:call:c9", 41)
	leads := folded(named("a", in(leadv1.State_STATE_ACCEPTED, good())), named("won", in(leadv1.State_STATE_WON, good())), carriedOut)
	record := func(id, callID string) *ledger.Item {
		return &ledger.Item{Lead: id, Cause: "cmd:call:" + callID, Command: &recordCall{body: call(callID, true, 3)}}
	}
	first, again, other := record("a", "c1"), record("a", "c1"), record("a", "c2")
	ended, nowhere, repeated := record("won", "c3"), record("none", "c4"), record("done", "c9")
	foreign := &ledger.Item{Lead: "a", Cause: "cmd:x", Command: "something else"}
	drafts, err := New(register(noon), nil, NewLine(), NewLater()).decide(noon, leads, []*ledger.Item{first, again, other, ended, nowhere, repeated, foreign})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range drafts {
		ids = append(ids, d.Body.(*leadv1.CallRecorded).GetCallId())
	}
	if !slices.Equal(ids, []string{"c1", "c2"}) {
		t.Errorf("recorded are %v, want each call once", ids)
	}
	for item, want := range map[*ledger.Item]fault.Kind{ended: fault.State, nowhere: fault.NotFound, foreign: fault.Invalid} {
		if !fault.Is(item.Err, want) {
			t.Errorf("a call on %s was answered with %v", item.Lead, item.Err)
		}
	}
	for _, item := range []*ledger.Item{first, again, other, repeated} {
		if item.Err != nil {
			t.Errorf("a call was refused: %v", item.Err)
		}
	}
}

func TestRederive(t *testing.T) {
	t.Parallel()
	s := in(leadv1.State_STATE_RECEIVED, good())
	said, err := Rederive(&ledger.Event{Logic: Logic, Recorded: noon}, s, register(noon), nil)
	want := Decide(Input{Lead: s, Agreement: agreed, Version: 1, Now: noon})
	if diff := cmp.Diff(want, said, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
	held, err := Rederive(&ledger.Event{Logic: Logic, Recorded: noon.Add(-time.Second)}, s, register(noon), nil)
	if _, ok := held.(*leadv1.QualificationHeld); !ok || err != nil {
		t.Errorf("before anything was in force: %v, %v", held, err)
	}
	if _, err := Rederive(&ledger.Event{Logic: "qualification/0", Recorded: noon}, s, register(noon), nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("another logic was run: %v", err)
	}
}

// What a logic said once it says for ever: how many points there are reads better since,
// and a decision of before still derives again word by word.
func TestEachLogicSaysThePointsAsItDid(t *testing.T) {
	t.Parallel()
	s := in(leadv1.State_STATE_RECEIVED, good())
	for logic, want := range map[string]string{first: "5 of the 3 points needed", second: "5 of the 3 points needed", Logic: "5 points (3 needed)"} {
		said, err := Rederive(&ledger.Event{Logic: logic, Recorded: noon}, s, register(noon), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := said.(*leadv1.LeadQualified).GetExplanation().GetSummary(); !strings.Contains(got, "is met with "+want+" and the persona") {
			t.Errorf("%s says %s, want %s", logic, got, want)
		}
	}
	for want, fit := range map[string]agreement.Fit{
		"1 point (1 needed)":        {Points: 1, Needed: 1},
		"0 points (0 needed)":       {},
		"2 of the 3 points needed":  {Points: 2, Needed: 3},
		"-1 of the 0 points needed": {Points: -1},
		"12 points (3 needed)":      {Points: 12, Needed: 3},
	} {
		if got := reached(Input{Logic: Logic}, fit); got != want {
			t.Errorf("%+v is said as %q, want %q", fit, got, want)
		}
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	l := NewLine()
	apply := func(held, freed []string) {
		l.Apply(&ledger.Event{Subject: SubjectLine, Body: &qualificationv1.LineAdvanced{Held: held, Freed: freed}})
	}
	check := func(what string, want ...string) {
		t.Helper()
		if got := l.First(100); !slices.Equal(got, want) || l.Len() != len(want) {
			t.Errorf("%s: %d wait, in order %v, want %v", what, l.Len(), got, want)
		}
		for _, id := range want {
			if !l.Has(id) {
				t.Errorf("%s: %s is not in line", what, id)
			}
		}
	}
	check("nothing happened")
	apply([]string{"a", "b", "c"}, nil)
	apply([]string{"b", "d"}, nil)
	check("held, one of them twice", "a", "b", "c", "d")
	if got := l.First(2); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("the two oldest are %v", got)
	}
	apply(nil, []string{"b", "z"})
	check("one in the middle freed", "a", "c", "d")
	apply([]string{"e"}, []string{"a"})
	check("the oldest freed as another comes", "c", "d", "e")
	l.Apply(&ledger.Event{Subject: "lead.c", Body: &leadv1.QualificationHeld{Rule: "x"}})
	apply(nil, []string{"c", "d", "e"})
	check("all freed")
	apply([]string{"a"}, nil)
	check("one comes again", "a")
}

// Whoever is freed and held again waits at the end, and once.
//
// Goes red if: Apply appends a lead that is in line, or leaves a freed one in
// the order.
func TestLineHoldsEachOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := NewLine()
		var want []string
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			id := rapid.StringMatching("[a-e]").Draw(t, "lead")
			at := slices.Index(want, id)
			if rapid.Bool().Draw(t, "held") {
				if at < 0 {
					want = append(want, id)
				}
				l.Apply(&ledger.Event{Body: &qualificationv1.LineAdvanced{Held: []string{id}}})
			} else {
				if at >= 0 {
					want = slices.Delete(want, at, at+1)
				}
				l.Apply(&ledger.Event{Body: &qualificationv1.LineAdvanced{Freed: []string{id}}})
			}
			if got := l.First(100); !slices.Equal(got, want) || l.Len() != len(want) {
				t.Fatalf("%d wait, in order %v, want %v", l.Len(), got, want)
			}
		}
	})
}
