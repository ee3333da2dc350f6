package feedback

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// asked is a log with one lead of Müller's, which came by the campaign spring, was handed
// to ana and came again by the campaign late.
func asked(t *testing.T) (*memory, *Outcomes, *[]string) {
	t.Helper()
	m := &memory{clock: clock.NewVirtual(start.Add(3 * time.Hour))}
	m.say("l1", start, &leadv1.LeadReceived{Source: "web", ReceivedAt: timestamppb.New(start), Personal: &leadv1.Sealed{KeyId: "p"}, Features: &leadv1.Features{
		Industry: "manufacturing", Attribution: &leadv1.Attribution{Campaign: "spring"},
	}})
	m.say("l1", start, &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Persona: "head-of"})
	m.say("l1", start.Add(time.Hour), &leadv1.LeadOffered{AgreementVersion: 1, Pool: "inside-sales", Group: "g", Member: "ana", Offer: 1, TakeBy: timestamppb.New(start), Turn: 1, Summary: "next"})
	m.say("l1", start.Add(2*time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	m.say("l1", start.Add(150*time.Minute), &leadv1.TouchAdded{Kind: "webinar", Attribution: &leadv1.Attribution{Campaign: "late"}})
	o, sealed := outcomes(m)
	rules := rulesOf(t)
	o.InForce = func(time.Time) *agreement.Version { return rules }
	o.Open = func(context.Context, string, *leadv1.Sealed) (*leadv1.PersonalData, error) { return mueller, nil }
	o.Given = NewGiven()
	return m, o, sealed
}

// give says feedback in somebody's name and folds what follows.
func give(m *memory, o *Outcomes, actor access.Actor, key string, f *leadv1.FeedbackGiven, note string) (*feedbackv1.GiveFeedbackResponse, error) {
	n := len(m.events)
	got, err := o.GiveFeedback(access.With(context.Background(), actor), &feedbackv1.GiveFeedbackRequest{LeadId: "l1", IdempotencyKey: key, Feedback: f, Note: note})
	for _, e := range m.events[n:] {
		o.Given.Apply(e)
	}
	return got, err
}

func TestGiveFeedback(t *testing.T) {
	m, o, sealed := asked(t)
	said := &leadv1.FeedbackGiven{
		Member: "somebody else", Campaign: "made up", AgreementVersion: 99,
		Interest: 4, Ease: 2, Why: []string{"urgent", "budget", "urgent"}, Talk: "well", Missing: []string{"timing"}, Phrases: []string{"Too slow"},
	}
	got, err := give(m, o, ana, "k1", said, "she likes tea")
	if err != nil {
		t.Fatal(err)
	}
	e := m.events[got.GetSequence()-1]
	body := e.Body.(*leadv1.FeedbackGiven)
	if len(*sealed) != 1 || !strings.Contains((*sealed)[0], "she likes tea") || !strings.Contains((*sealed)[0], "l1") || body.GetNote() == nil || strings.Contains(body.String(), "tea") {
		t.Errorf("sealed %q, written %v", *sealed, body)
	}
	want := &leadv1.FeedbackGiven{
		Member: "ana", Campaign: "spring", AgreementVersion: 1,
		Interest: 4, Ease: 2, Why: []string{"urgent", "budget"}, Talk: "well", Missing: []string{"timing"}, Phrases: []string{"too slow"},
	}
	if diff := cmp.Diff(want, answersOf(body), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Actor != "ana" || e.Cause != "cmd:k1" || len(got.GetMissing()) != 0 {
		t.Errorf("written by %s because of %s; missing %v", e.Actor, e.Cause, got.GetMissing())
	}
	// Once more, and once more with something else.
	again, err := give(m, o, ana, "k1", said, "she likes tea")
	if err != nil || again.GetSequence() != got.GetSequence() || len(m.events) != 6 {
		t.Errorf("the repeat: %v, %v, %d events", again, err, len(m.events))
	}
	for name, f := range map[string]*leadv1.FeedbackGiven{"other answers": {Interest: 1}, "nothing": {}} {
		if _, err := give(m, o, ana, "k1", f, ""); !fault.Is(err, fault.Conflict) {
			t.Errorf("the same key for %s: %v; want a conflict", name, err)
		}
	}
	if _, err := give(m, o, manager, "k1", said, "she likes tea"); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same key from somebody else: %v", err)
	}
}

func TestGiveFeedbackUnansweredWriteIsLookedUp(t *testing.T) {
	m, o, _ := asked(t)
	m.swallow = true
	if got, err := give(m, o, ana, "k1", &leadv1.FeedbackGiven{Interest: 3}, ""); err != nil || got.GetSequence() != 6 {
		t.Fatalf("%v, %v; the event stands, so its sequence is the answer", got, err)
	}
}

// Goes red if: a stranger to the lead may say something of it, a word outside the lists is
// taken, or a refusal says again what was typed.
func TestGiveFeedbackRefuses(t *testing.T) {
	m, o, sealed := asked(t)
	for name, test := range map[string]struct {
		actor access.Actor
		f     *leadv1.FeedbackGiven
		want  fault.Kind
		text  string
	}{
		"a stranger":        {ben, &leadv1.FeedbackGiven{Interest: 1}, fault.Denied, "whoever has it or had it, or by a manager"},
		"nothing":           {ana, &leadv1.FeedbackGiven{}, fault.Invalid, "nothing is said"},
		"too interesting":   {ana, &leadv1.FeedbackGiven{Interest: 6}, fault.Invalid, "interest: a number from 1 to 5"},
		"below easy":        {ana, &leadv1.FeedbackGiven{Ease: -1}, fault.Invalid, "ease: a number from 1 to 5"},
		"another why":       {ana, &leadv1.FeedbackGiven{Why: []string{"urgent", "zzz"}}, fault.Invalid, "why: that is not agreed; use urgent, fits, budget"},
		"another talk":      {ana, &leadv1.FeedbackGiven{Talk: "zzz"}, fault.Invalid, "talk: that is not agreed; use well, open, hard, none"},
		"another missing":   {ana, &leadv1.FeedbackGiven{Missing: []string{"zzz"}}, fault.Invalid, "missing: that is not agreed; use need, timing"},
		"another industry":  {ana, &leadv1.FeedbackGiven{Vertical: "zzz"}, fault.Invalid, "vertical: that is not agreed; use "},
		"another persona":   {ana, &leadv1.FeedbackGiven{Persona: "zzz"}, fault.Invalid, "persona: that is not agreed; use "},
		"a phrase with zzz": {ana, &leadv1.FeedbackGiven{Phrases: []string{"zzz@zzz"}}, fault.Invalid, "phrases: number 1 holds an address"},
		"their name":        {ana, &leadv1.FeedbackGiven{Phrases: []string{"ask müller"}}, fault.Invalid, "phrases: number 1 holds a word of the person's own name"},
	} {
		_, err := give(m, o, test.actor, "k "+name, test.f, "")
		if !fault.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "zzz") || strings.Contains(err.Error(), "müller") {
			t.Errorf("%s: %v; want %s: %s", name, err, test.want, test.text)
		}
	}
	for name, call := range map[string]struct {
		ctx  context.Context
		req  *feedbackv1.GiveFeedbackRequest
		want fault.Kind
	}{
		"nobody":    {context.Background(), &feedbackv1.GiveFeedbackRequest{LeadId: "l1", IdempotencyKey: "k"}, fault.Unauthenticated},
		"no key":    {access.With(context.Background(), ana), &feedbackv1.GiveFeedbackRequest{LeadId: "l1"}, fault.Invalid},
		"a wild id": {access.With(context.Background(), ana), &feedbackv1.GiveFeedbackRequest{LeadId: "l1.>", IdempotencyKey: "k"}, fault.NotFound},
		"no lead":   {access.With(context.Background(), ana), &feedbackv1.GiveFeedbackRequest{LeadId: "l2", IdempotencyKey: "k"}, fault.NotFound},
	} {
		if _, err := o.GiveFeedback(call.ctx, call.req); !fault.Is(err, call.want) {
			t.Errorf("%s: %v; want %s", name, err, call.want)
		}
	}
	if len(m.events) != 5 || len(*sealed) != 0 {
		t.Errorf("%d events and %d seals; a refused call leaves nothing", len(m.events), len(*sealed))
	}
}

func TestWhoMayGiveFeedback(t *testing.T) {
	m, o, _ := asked(t)
	one := &leadv1.FeedbackGiven{Interest: 3}
	if _, err := give(m, o, manager, "a", one, ""); err != nil {
		t.Errorf("a manager: %v", err)
	}
	// Ana gives it back and ben gets it: she had it, he has it on offer.
	m.say("l1", start.Add(4*time.Hour), &leadv1.OfferRejected{Member: "ana", Offer: 1, Reason: "no-time", Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON})
	if _, err := give(m, o, ben, "b", one, ""); !fault.Is(err, fault.Denied) {
		t.Errorf("ben before he has it: %v", err)
	}
	m.say("l1", start.Add(5*time.Hour), &leadv1.LeadOffered{AgreementVersion: 1, Pool: "inside-sales", Group: "g", Member: "ben", Offer: 2, TakeBy: timestamppb.New(start), Turn: 1, Summary: "next"})
	for _, who := range []access.Actor{ana, ben} {
		if _, err := give(m, o, who, "c "+who.Handle, one, ""); err != nil {
			t.Errorf("%s: %v", who.Handle, err)
		}
	}
	// After erasure nobody's words are left to hold a phrase against.
	o.Open = func(context.Context, string, *leadv1.Sealed) (*leadv1.PersonalData, error) {
		return nil, fault.New(fault.NotFound, "erased")
	}
	if _, err := give(m, o, ben, "d", &leadv1.FeedbackGiven{Phrases: []string{"müller"}}, ""); err != nil {
		t.Errorf("of an erased person: %v", err)
	}
	// Keys that cannot be asked are no leave to write anything.
	o.Open = func(context.Context, string, *leadv1.Sealed) (*leadv1.PersonalData, error) {
		return nil, fault.New(fault.Unavailable, "no answer")
	}
	if _, err := give(m, o, ben, "e", &leadv1.FeedbackGiven{Phrases: []string{"fast"}}, ""); !fault.Is(err, fault.Unavailable) {
		t.Errorf("while keys cannot be asked: %v", err)
	}
}

func TestFeedbackForm(t *testing.T) {
	m, o, _ := asked(t)
	ctx := access.With(context.Background(), ana)
	form, err := o.GetFeedbackForm(ctx, &feedbackv1.GetFeedbackFormRequest{LeadId: "l1"})
	if err != nil {
		t.Fatal(err)
	}
	var names, required []string
	for _, q := range form.GetQuestions() {
		names = append(names, q.GetName())
		if q.GetRequired() {
			required = append(required, q.GetName())
		}
		if q.GetText() == "" {
			t.Errorf("%s asks nothing", q.GetName())
		}
	}
	if !slices.Equal(names, agreement.FeedbackQuestions()) || !slices.Equal(required, []string{"interest", "why", "talk"}) || !slices.Equal(form.GetMissing(), required) {
		t.Errorf("asks %v, must %v, missing %v", names, required, form.GetMissing())
	}
	if why := form.GetQuestions()[1]; !why.GetSeveral() || why.GetChoices()[0].GetId() != "urgent" || why.GetChoices()[0].GetTitle() != "The need is urgent" {
		t.Errorf("why: %v", why)
	}
	if len(form.GetDispositions()) != 6 || form.GetDispositions()[1].GetTitle() != "Spoke with the person" || len(form.GetDealStages()) != 3 || form.GetDealStages()[0].GetId() != "first-meeting" {
		t.Errorf("can be told: %v, %v", form.GetDispositions(), form.GetDealStages())
	}
	if form.GetVertical() != "manufacturing" || form.GetPersona() != "head-of" || form.GetGiven() != nil {
		t.Errorf("begins with %q, %q and %v", form.GetVertical(), form.GetPersona(), form.GetGiven())
	}
	// What the lead itself says can be chosen, whatever is agreed by now.
	for _, q := range form.GetQuestions() {
		if q.GetName() == "persona" && !slices.ContainsFunc(q.GetChoices(), func(c *feedbackv1.FeedbackChoice) bool { return c.GetId() == "head-of" }) {
			t.Errorf("persona: %v", q.GetChoices())
		}
	}
	// Accepted on Monday at eleven; 24 working hours of eight a day: Thursday at eleven.
	if want := time.Date(2026, 3, 5, 11, 0, 0, 0, time.UTC); !form.GetDueAt().AsTime().Equal(want) {
		t.Errorf("due at %s; want %s", form.GetDueAt().AsTime(), want)
	}

	if got, err := give(m, o, ana, "1", &leadv1.FeedbackGiven{Interest: 4, Vertical: "manufacturing", Phrases: []string{"too slow", "month end"}}, ""); err != nil || !slices.Equal(got.GetMissing(), []string{"why", "talk"}) {
		t.Fatalf("a part: %v, %v; want to hear that why and talk are left", got, err)
	}
	if _, err := give(m, o, manager, "2", &leadv1.FeedbackGiven{Interest: 1, Vertical: "manufacturing", Phrases: []string{"too slow"}}, ""); err != nil {
		t.Fatal(err)
	}
	form, err = o.GetFeedbackForm(ctx, &feedbackv1.GetFeedbackFormRequest{LeadId: "l1"})
	if err != nil || form.GetGiven().GetInterest() != 4 || !slices.Equal(form.GetMissing(), []string{"why", "talk"}) || !slices.Equal(form.GetPhrases(), []string{"too slow", "month end"}) {
		t.Errorf("ana reads %v, %v; want her own words, and what was said most first", form, err)
	}
	other, err := o.GetFeedbackForm(access.With(context.Background(), ben), &feedbackv1.GetFeedbackFormRequest{LeadId: "l1"})
	if err != nil || other.GetGiven().GetMember() != "mia" {
		t.Errorf("somebody else reads %v, %v; want the last words", other.GetGiven(), err)
	}
	if _, err := o.GetFeedbackForm(ctx, &feedbackv1.GetFeedbackFormRequest{LeadId: "l2"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("no lead: %v", err)
	}
}

// Where nothing is agreed there is no list to choose from, and numbers still count.
func TestFeedbackWithoutAnAgreement(t *testing.T) {
	m, o, _ := asked(t)
	o.InForce = func(time.Time) *agreement.Version { return nil }
	if _, err := give(m, o, ana, "1", &leadv1.FeedbackGiven{Why: []string{"urgent"}}, ""); !fault.Is(err, fault.State) || !strings.Contains(err.Error(), "add them to it") {
		t.Errorf("a word: %v", err)
	}
	got, err := give(m, o, ana, "2", &leadv1.FeedbackGiven{Interest: 5}, "")
	if err != nil || len(got.GetMissing()) != 0 || m.events[got.GetSequence()-1].Body.(*leadv1.FeedbackGiven).GetAgreementVersion() != 0 {
		t.Errorf("a number: %v, %v", got, err)
	}
	form, err := o.GetFeedbackForm(access.With(context.Background(), ana), &feedbackv1.GetFeedbackFormRequest{LeadId: "l1"})
	if err != nil || form.GetDueAt() != nil {
		t.Errorf("due at %v, %v", form.GetDueAt(), err)
	}
}

func TestListFeedback(t *testing.T) {
	g := NewGiven()
	var seq uint64
	say := func(lead, member, campaign string, interest int32) {
		seq++
		g.Apply(&ledger.Event{Seq: seq, Subject: "lead." + lead, Occurred: start, Recorded: start.Add(time.Duration(seq) * time.Hour), Body: &leadv1.FeedbackGiven{
			Member: member, Campaign: campaign, Interest: interest, Note: &leadv1.Sealed{KeyId: "n"},
		}})
	}
	say("l1", "ana", "spring", 1)
	say("l2", "ana", "late", 2)
	say("l1", "ben", "spring", 3)
	say("l1", "ana", "spring", 4)
	o := &Outcomes{Given: g}
	list := func(req *feedbackv1.ListFeedbackRequest) (got []int32) {
		for {
			page, err := o.ListFeedback(context.Background(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range page.GetFeedback() {
				if one.GetFeedback().GetNote() != nil {
					t.Error("a note is listed")
				}
				got = append(got, one.GetFeedback().GetInterest())
			}
			if req = proto.CloneOf(req); page.GetNextPageToken() == "" {
				return got
			}
			req.PageToken = page.GetNextPageToken()
		}
	}
	for name, test := range map[string]struct {
		req  *feedbackv1.ListFeedbackRequest
		want []int32
	}{
		"all: what ana said first of l1 is gone": {&feedbackv1.ListFeedbackRequest{}, []int32{2, 3, 4}},
		"one by one":                             {&feedbackv1.ListFeedbackRequest{PageSize: 1}, []int32{2, 3, 4}},
		"of a campaign":                          {&feedbackv1.ListFeedbackRequest{Campaign: "spring", PageSize: 1}, []int32{3, 4}},
		"what became known since":                {&feedbackv1.ListFeedbackRequest{Since: timestamppb.New(start.Add(3 * time.Hour))}, []int32{3, 4}},
	} {
		if got := list(test.req); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v; want %v", name, got, test.want)
		}
	}
	if _, err := o.ListFeedback(context.Background(), &feedbackv1.ListFeedbackRequest{PageToken: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a token of somebody else's: %v", err)
	}
	// However often one person says one thing, the fold holds it once.
	for range 1000 {
		say("l3", "ana", "spring", 5)
	}
	if got := list(&feedbackv1.ListFeedbackRequest{}); !slices.Equal(got, []int32{2, 3, 4, 5}) || len(g.said) > 40 {
		t.Errorf("after a thousand words on one lead: %v, %d kept", got, len(g.said))
	}
}
