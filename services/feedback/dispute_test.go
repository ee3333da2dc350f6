package feedback

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

var (
	mark  = access.Actor{Handle: "mark", Roles: []string{access.Marketing}}
	maria = access.Actor{Handle: "maria", Roles: []string{access.Marketing}}
	quin  = access.Actor{Handle: "quin", Roles: []string{access.Qualifier}}
	both  = access.Actor{Handle: "bo", Roles: []string{access.Marketing, access.Sales}}
	arbi  = access.Actor{Handle: "arbi", Roles: []string{access.Arbiter}}
	judge = access.Actor{Handle: "judge", Roles: []string{access.Arbiter}}
	audit = access.Actor{Handle: "audra", Roles: []string{access.Auditor}}
)

// settling is the part of an agreement that names who settles what.
const settlingPart = `
disputes:
  arbiter: arbi
  within: 16h
  calendar: office
  then: [boss, chief]
  sample: 3
`

// court is a log with a docket on top of it, the service and the clerk.
type court struct {
	*memory
	t        *testing.T
	time     *clock.Virtual
	docket   *Docket
	register *agreement.Register
	o        *Outcomes
	clerk    *Clerk
	sealed   map[string]string
}

// newCourt holds court from nine o'clock on a Monday in Berlin, by the starter agreement
// with more parts.
func newCourt(t *testing.T, more string) *court {
	t.Helper()
	c := &court{t: t, time: clock.NewVirtual(start.Add(-time.Hour)), register: &agreement.Register{}, sealed: map[string]string{}}
	c.memory = &memory{clock: c.time}
	c.docket = NewDocket(c.register)
	key := func(n byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	}
	starter := agreement.Starter(agreement.StarterParams{MarketingKey: key(1), SalesKey: key(2), Zone: "Europe/Berlin"})
	// What the starter says of disputes makes place for what the test says.
	begin := bytes.Index(starter, []byte("\ndisputes:\n")) + 1
	end := begin + bytes.Index(starter[begin:], []byte("\n\n"))
	c.agree(append(slices.Delete(starter, begin, end+1), more...))
	if v := c.register.InForce(c.time.Now()); v == nil {
		t.Fatal("the agreement of the test does not compile")
	}
	c.clerk = &Clerk{Docket: c.docket}
	c.o = NewOutcomes(c, c, func(_ context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error) {
		c.sealed[keyID] = string(plain) + "|" + string(aad)
		return &leadv1.Sealed{KeyId: keyID}, nil
	}, c.time)
	c.o.Settles(&Settling{
		Docket: c.docket,
		Version: func(n int64) *agreement.Agreement {
			if v := c.register.Version(n); v != nil {
				return v.Agreement
			}
			return nil
		},
		Open: func(_ context.Context, s *leadv1.Sealed, aad []byte) ([]byte, error) {
			text, ok := c.sealed[s.GetKeyId()]
			if plain, bound := strings.CutSuffix(text, "|"+string(aad)); ok && bound {
				return []byte(plain), nil
			}
			return nil, fault.New(fault.NotFound, "there is no key")
		},
		Each: func(_ context.Context, _, _ time.Time, fn func(*ledger.Event) error) error {
			for _, e := range c.events {
				if err := fn(e); err != nil {
					return err
				}
			}
			return nil
		},
		Sample: func() int { return 3 },
	})
	c.add("l1", &leadv1.LeadReceived{Source: "web", ReceivedAt: timestamppb.New(c.time.Now()), Features: &leadv1.Features{Country: "DE", Employees: 80, HasEmail: true}})
	c.add("l1", qualified("region", "size"))
	c.offer("l1", 1, "ana")
	return c
}

// qualified is a decision that these criteria of the starter agreement brought about.
func qualified(criteria ...string) *leadv1.LeadQualified {
	e := &leadv1.Explanation{Summary: "it fits"}
	for _, id := range criteria {
		e.Criteria = append(e.Criteria, &leadv1.Criterion{Id: id, Text: "About " + id, Met: true, Points: 2})
	}
	return &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1, Explanation: e}
}

func (c *court) agree(document []byte) {
	n := int64(len(c.register.Versions())) + 1
	c.put(agreement.Subject, &agreementv1.AgreementProposed{Version: n, Document: document}, c.time.Now())
	c.put(agreement.Subject, &agreementv1.AgreementSigned{Version: n, Party: "marketing"}, c.time.Now())
	c.put(agreement.Subject, &agreementv1.AgreementSigned{Version: n, Party: "sales", InForceFrom: timestamppb.New(c.time.Now())}, c.time.Now())
}

func (c *court) add(leadID string, body proto.Message) *ledger.Event {
	return c.put(lead.SubjectOf(leadID), body, c.time.Now())
}

func (c *court) offer(leadID string, n int32, member string) *ledger.Event {
	return c.add(leadID, &leadv1.LeadOffered{AgreementVersion: 1, Pool: "p", Group: "g", Member: member, Offer: n, TakeBy: timestamppb.New(c.time.Now().Add(2 * time.Hour)), Turn: 1, Summary: "next"})
}

// put appends an event and folds it.
func (c *court) put(subject string, body proto.Message, occurred time.Time) *ledger.Event {
	e := c.say("", occurred, body)
	e.Subject, e.Recorded, e.ID = subject, c.time.Now(), fmt.Sprint("e", e.Seq)
	c.fold(e)
	return e
}

func (c *court) fold(e *ledger.Event) {
	c.register.Apply(e)
	c.docket.Apply(e)
}

// Say implements Writer: what is decided stands on the lead's last event.
func (c *court) Say(_ context.Context, decide func(*lead.State, uint64) ([]ledger.Draft, error), leadID string) (uint64, error) {
	if f := c.before; f != nil {
		c.before = nil
		f()
	}
	drafts, err := decide(c.lead(leadID), c.last(leadID))
	if err != nil {
		return 0, err
	}
	c.write(drafts)
	if c.swallow {
		return 0, fault.New(fault.Unavailable, "no answer came")
	}
	return c.last(leadID), nil
}

func (c *court) last(leadID string) (seq uint64) {
	for _, e := range c.events {
		if e.Subject == lead.SubjectOf(leadID) {
			seq = e.Seq
		}
	}
	return seq
}

func (c *court) write(drafts []ledger.Draft) {
	for _, d := range drafts {
		at := d.Occurred
		if at.IsZero() {
			at = c.time.Now()
		}
		e := c.say("", at, d.Body)
		e.Subject, e.Cause, e.Actor, e.Recorded, e.Agreement, e.ID = d.Subject, d.Cause, d.Actor, c.time.Now(), d.Agreement, fmt.Sprint("e", e.Seq)
		c.fold(e)
	}
}

// work lets the clerk say what is due now.
func (c *court) work() (said []ledger.Draft) {
	for {
		items := c.clerk.wake(c.time.Now())
		if len(items) == 0 {
			return said
		}
		drafts := c.clerk.decide(c.time.Now(), items)
		if len(drafts) == 0 {
			c.t.Fatalf("the clerk wakes for %v and has nothing to say", items)
		}
		c.write(drafts)
		said = append(said, drafts...)
	}
}

func as(actor access.Actor) context.Context { return access.With(context.Background(), actor) }

const (
	notAsAgreed = leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED
	notWorked   = leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED
	wrongData   = leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA
	ofReview    = leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW

	missing      = leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING
	wrongAsked   = leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION
	shouldChange = leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_SHOULD_CHANGE
	metNotWorked = leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED
	dataError    = leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR
	asAgreed     = leadv1.DisputeVerdict_DISPUTE_VERDICT_AS_AGREED
)

// keys are new idempotency keys.
var keys int

func newKey() string {
	keys++
	return fmt.Sprint("k-", keys)
}

func (c *court) open(actor access.Actor, claim leadv1.DisputeClaim) *feedbackv1.Dispute {
	c.t.Helper()
	d, err := c.o.OpenDispute(as(actor), &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: newKey(), Claim: claim})
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

func (c *court) answer(actor access.Actor, id string, agrees bool) error {
	_, err := c.o.AnswerDispute(as(actor), &feedbackv1.AnswerDisputeRequest{DisputeId: id, IdempotencyKey: newKey(), Agrees: agrees})
	return err
}

func (c *court) judge(actor access.Actor, id string, v leadv1.DisputeVerdict, criterion string) (*feedbackv1.Dispute, error) {
	return c.o.DecideDispute(as(actor), &feedbackv1.DecideDisputeRequest{DisputeId: id, IdempotencyKey: newKey(), Verdict: v, Criterion: criterion})
}

func TestOpenDispute(t *testing.T) {
	c := newCourt(t, settlingPart)
	req := &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: "k", Criteria: []string{"size"}, Note: "they are two people"}
	d, err := c.o.OpenDispute(as(ana), req)
	if err != nil {
		t.Fatal(err)
	}
	o := d.GetOpened()
	if d.GetDisputeId() != "l1-1" || d.GetLeadId() != "l1" || d.GetState() != "open" || d.GetOpenedBy() != "ana" || o.GetParty() != "sales" || o.GetClaim() != notAsAgreed || o.GetOffer() != 1 || o.GetHandoffSequence() != 6 || o.GetAgreementVersion() != 1 || o.GetArbiter() != "arbi" {
		t.Errorf("opened: %v", d)
	}
	// 16 hours of work from Monday at nine: two days of eight hours, to the end of Tuesday.
	if want := time.Date(2026, 3, 3, 16, 0, 0, 0, time.UTC); !o.GetEscalateAt().AsTime().Equal(want) {
		t.Errorf("escalated at %v; want %v", o.GetEscalateAt().AsTime(), want)
	}
	e := c.events[len(c.events)-1]
	if e.Subject != "lead.l1" || e.Cause != "cmd:k" || e.Actor != "ana" || e.Agreement != 1 || strings.Contains(e.Body.(*leadv1.DisputeOpened).String(), "two people") {
		t.Errorf("written: %+v", e)
	}
	if !slices.Equal(d.GetNotes(), []string{"they are two people", "", ""}) {
		t.Errorf("notes %q", d.GetNotes())
	}
	n := len(c.events)
	again, err := c.o.OpenDispute(as(ana), req)
	if err != nil || again.GetDisputeId() != "l1-1" || len(c.events) != n {
		t.Errorf("the repeat: %v, %v, %d events", again, err, len(c.events)-n)
	}
	if _, err := c.o.OpenDispute(as(ben), req); !fault.Is(err, fault.Conflict) {
		t.Errorf("the same key from somebody else: %v", err)
	}
	// Another claim on the same handoff is another case.
	if d := c.open(mark, notWorked); d.GetDisputeId() != "l1-2" || d.GetOpened().GetParty() != "marketing" {
		t.Errorf("the second: %v", d)
	}
}

func TestOpenDisputeRefuses(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.add("l2", &leadv1.LeadReceived{Source: "web", ReceivedAt: timestamppb.New(start)})
	c.open(ana, notAsAgreed)
	n := len(c.events)
	for name, test := range map[string]struct {
		actor access.Actor
		req   *feedbackv1.OpenDisputeRequest
		want  fault.Kind
		text  string
	}{
		"a manager of no side":       {manager, &feedbackv1.OpenDisputeRequest{LeadId: "l1"}, fault.Denied, "role"},
		"an arbiter":                 {judge, &feedbackv1.OpenDisputeRequest{LeadId: "l1"}, fault.Denied, "role"},
		"the arbiter, who sells":     {access.Actor{Handle: "arbi", Roles: []string{access.Sales}}, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Claim: wrongData}, fault.Denied, "neither side"},
		"marketing, as sales":        {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Claim: notAsAgreed}, fault.Denied, "for sales"},
		"sales, as marketing":        {quin, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Claim: notWorked}, fault.Denied, "for marketing"},
		"both, without a claim":      {both, &feedbackv1.OpenDisputeRequest{LeadId: "l1"}, fault.Invalid, "both departments"},
		"a review":                   {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Claim: ofReview}, fault.Invalid, "drawn"},
		"the same, while it is open": {quin, &feedbackv1.OpenDisputeRequest{LeadId: "l1"}, fault.State, "l1-1"},
		"no such criterion":          {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Criteria: []string{"size", "budget"}}, fault.Invalid, "region, size"},
		"no such offer":              {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l1", Offer: 2}, fault.NotFound, "no offer 2"},
		"never handed over":          {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l2"}, fault.State, "never handed"},
		"no such lead":               {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l3"}, fault.NotFound, "no lead"},
		"a wild lead":                {mark, &feedbackv1.OpenDisputeRequest{LeadId: "l1.>"}, fault.NotFound, "no such lead"},
	} {
		test.req.IdempotencyKey, test.req.Note = newKey(), "words"
		if _, err := c.o.OpenDispute(as(test.actor), test.req); !fault.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v; want %s with %q", name, err, test.want, test.text)
		}
	}
	if len(c.events) != n || len(c.sealed) != 0 {
		t.Errorf("%d events and %d keys of refused calls", len(c.events)-n, len(c.sealed))
	}
}

// Who is in both departments speaks for the one whose claim it is, and for sales where it
// is about data.
func TestOpenDisputeForWhom(t *testing.T) {
	for _, test := range []struct {
		actor access.Actor
		claim leadv1.DisputeClaim
		want  string
	}{
		{ana, wrongData, "sales"},
		{mark, wrongData, "marketing"},
		{both, wrongData, "sales"},
		{both, notWorked, "marketing"},
		{both, notAsAgreed, "sales"},
		{quin, notAsAgreed, "sales"},
		{access.Actor{Handle: "mia", Roles: []string{access.Manager, access.Marketing}}, notWorked, "marketing"},
	} {
		if got := newCourt(t, "").open(test.actor, test.claim).GetOpened().GetParty(); got != test.want {
			t.Errorf("%s claims %s for %s; want %s", test.actor.Handle, test.claim, got, test.want)
		}
	}
}

// Where nobody is agreed no arbiter is named, nobody is told, and whoever has the role
// decides.
func TestDisputeWithoutAnAgreedArbiter(t *testing.T) {
	c := newCourt(t, "")
	d := c.open(ana, notAsAgreed)
	if o := d.GetOpened(); o.GetArbiter() != "" || o.GetEscalateAt() != nil {
		t.Errorf("opened: %v", o)
	}
	c.time.Set(start.AddDate(1, 0, 0))
	if said := c.work(); len(said) != 0 {
		t.Errorf("said %v", said)
	}
	if d, err := c.judge(judge, d.GetDisputeId(), missing, "size"); err != nil || d.GetDecided().GetBy() != "judge" {
		t.Errorf("decided: %v, %v", d, err)
	}
}

func TestAnswerDispute(t *testing.T) {
	c := newCourt(t, settlingPart)
	id := c.open(ana, notAsAgreed).GetDisputeId()
	for name, test := range map[string]struct {
		actor access.Actor
		id    string
		want  fault.Kind
	}{
		"the same side":        {ben, id, fault.Denied},
		"who opened it":        {access.Actor{Handle: "ana", Roles: both.Roles}, id, fault.Denied},
		"the arbiter":          {access.Actor{Handle: "arbi", Roles: []string{access.Marketing}}, id, fault.Denied},
		"a manager of no side": {manager, id, fault.Denied},
		"another case":         {mark, "l1-9", fault.NotFound},
	} {
		if err := c.answer(test.actor, test.id, true); !fault.Is(err, test.want) {
			t.Errorf("%s: %v; want %s", name, err, test.want)
		}
	}
	req := &feedbackv1.AnswerDisputeRequest{DisputeId: id, IdempotencyKey: "a", Note: "we asked"}
	for range 2 {
		d, err := c.o.AnswerDispute(as(mark), req)
		if err != nil || d.GetState() != "open" || d.GetAnswered().GetParty() != "marketing" || d.GetNotes()[1] != "we asked" {
			t.Fatalf("answered: %v, %v", d, err)
		}
	}
	if err := c.answer(maria, id, true); !fault.Is(err, fault.State) {
		t.Errorf("a second answer: %v", err)
	}
}

// Who may decide, by what the two sides say.
func TestWhoDecides(t *testing.T) {
	type says struct{ answered, agrees bool }
	for name, test := range map[string]struct {
		case_ says
		actor access.Actor
		may   bool
	}{
		"open, the arbiter":                         {says{}, arbi, true},
		"open, another with the role":               {says{}, judge, true},
		"open, a side":                              {says{}, ben, false},
		"open, the other side":                      {says{}, mark, false},
		"open, a manager":                           {says{}, manager, false},
		"open, the arbiter without the role":        {says{}, access.Actor{Handle: "arbi", Roles: []string{access.Manager}}, true},
		"open, who opened it and arbitrates":        {says{}, access.Actor{Handle: "ana", Roles: []string{access.Sales, access.Arbiter}}, false},
		"contested, a side":                         {says{true, false}, ben, false},
		"contested, who answered it and arbitrates": {says{true, false}, access.Actor{Handle: "mark", Roles: []string{access.Marketing, access.Arbiter}}, false},
		"contested, the arbiter":                    {says{true, false}, arbi, true},
		"contested, a manager":                      {says{true, false}, manager, false},
		"agreed, who opened it":                     {says{true, true}, ana, true},
		"agreed, the other side":                    {says{true, true}, maria, true},
		"agreed, the arbiter":                       {says{true, true}, arbi, true},
		"agreed, a manager of no side":              {says{true, true}, manager, false},
		"agreed, a manager of a side":               {says{true, true}, access.Actor{Handle: "mia", Roles: []string{access.Manager, access.Sales}}, true},
		"agreed, an auditor":                        {says{true, true}, audit, false},
	} {
		c := newCourt(t, settlingPart)
		id := c.open(ana, notAsAgreed).GetDisputeId()
		if test.case_.answered {
			if err := c.answer(mark, id, test.case_.agrees); err != nil {
				t.Fatal(err)
			}
		}
		d, err := c.judge(test.actor, id, missing, "size")
		if test.may && (err != nil || d.GetState() != "decided" || d.GetDecided().GetBy() != test.actor.Handle) {
			t.Errorf("%s: %v, %v", name, d, err)
		}
		if !test.may && !fault.Is(err, fault.Denied) {
			t.Errorf("%s: %v; want denied", name, err)
		}
	}
}

// The finding follows from the verdict; what the verdict is about has to be there.
func TestVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		verdict   leadv1.DisputeVerdict
		criterion string
		called    bool
		finding   string
		want      fault.Kind
	}{
		"missing":                       {verdict: missing, criterion: "size", finding: "marketing"},
		"missing, without a criterion":  {verdict: missing, want: fault.Invalid},
		"missing, another criterion":    {verdict: missing, criterion: "budget", want: fault.Invalid},
		"wrong question":                {verdict: wrongAsked, criterion: "size", called: true, finding: "marketing"},
		"wrong question, none asked":    {verdict: wrongAsked, criterion: "size", want: fault.State},
		"should change":                 {verdict: shouldChange, criterion: "region", finding: "agreement"},
		"should change, what":           {verdict: shouldChange, want: fault.Invalid},
		"not worked":                    {verdict: metNotWorked, finding: "sales"},
		"not worked, about a criterion": {verdict: metNotWorked, criterion: "size", want: fault.Invalid},
		"data":                          {verdict: dataError, finding: "nobody"},
		"as agreed":                     {verdict: asAgreed, finding: "nobody"},
	} {
		c := newCourt(t, settlingPart)
		if test.called {
			c.add("l1", &leadv1.CallRecorded{CallId: "c1", Member: "quin", Qualifier: true, Reached: true, QuestionnaireVersion: "7"})
			c.offer("l1", 2, "ben")
		}
		id := c.open(ana, notAsAgreed).GetDisputeId()
		d, err := c.judge(arbi, id, test.verdict, test.criterion)
		if fault.Of(err) != test.want || (err != nil) != (test.want != 0) {
			t.Errorf("%s: %v; want %s", name, err, test.want)
			continue
		}
		if err != nil {
			continue
		}
		asked := ""
		if test.verdict == wrongAsked {
			asked = "7"
		}
		if got := d.GetDecided(); got.GetFinding() != test.finding || got.GetCriterion() != test.criterion || got.GetQuestionnaireVersion() != asked {
			t.Errorf("%s: %v", name, got)
		}
	}
	for n := range leadv1.DisputeVerdict_name {
		if v := leadv1.DisputeVerdict(n); n > 0 && !ruled(v) {
			t.Errorf("nothing says against whom %s is", v)
		}
	}
}

func ruled(v leadv1.DisputeVerdict) bool {
	r, ok := lead.RulingOf(v)
	return ok && r.Finding != "" && r.Text != ""
}

// A decided case is closed for good: nothing more is said about it, by nobody; the same
// call once more is answered, and what is new is another case.
func TestDecidedForGood(t *testing.T) {
	c := newCourt(t, settlingPart)
	id := c.open(ana, notAsAgreed).GetDisputeId()
	req := &feedbackv1.DecideDisputeRequest{DisputeId: id, IdempotencyKey: "v", Verdict: missing, Criterion: "size", Note: "seen"}
	first, err := c.o.DecideDispute(as(arbi), req)
	if err != nil {
		t.Fatal(err)
	}
	n := len(c.events)
	if again, err := c.o.DecideDispute(as(arbi), req); err != nil || !proto.Equal(again.GetDecided(), first.GetDecided()) || len(c.events) != n {
		t.Errorf("the repeat: %v, %v", again, err)
	}
	if _, err := c.judge(arbi, id, dataError, ""); !fault.Is(err, fault.State) {
		t.Errorf("another verdict: %v", err)
	}
	if err := c.answer(mark, id, false); !fault.Is(err, fault.State) {
		t.Errorf("a late answer: %v", err)
	}
	c.time.Set(start.AddDate(1, 0, 0))
	if said := c.work(); len(said) != 0 {
		t.Errorf("a decided case is escalated: %v", said)
	}
	if d := c.open(ana, notAsAgreed); d.GetDisputeId() != "l1-2" {
		t.Errorf("the next case: %v", d)
	}
}

// Two who call at once: one is told that the other was faster, and an unanswered call has
// its event.
func TestDisputesAtOnce(t *testing.T) {
	c := newCourt(t, settlingPart)
	c.before = func() { c.open(ben, notAsAgreed) }
	_, err := c.o.OpenDispute(as(ana), &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: newKey()})
	if !fault.Is(err, fault.State) || !strings.Contains(err.Error(), "l1-1") {
		t.Errorf("who was slower: %v", err)
	}
	c.swallow = true
	d, err := c.o.OpenDispute(as(mark), &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: newKey()})
	if err != nil || d.GetDisputeId() != "l1-2" {
		t.Errorf("unanswered: %v, %v", d, err)
	}
}

// The notes are for those who work with leads and for the arbiter, and gone once erased.
func TestDisputeNotes(t *testing.T) {
	c := newCourt(t, settlingPart)
	if _, err := c.o.OpenDispute(as(ana), &feedbackv1.OpenDisputeRequest{LeadId: "l1", IdempotencyKey: "k", Note: "private"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		actor access.Actor
		want  string
	}{
		{mark, "private"},
		{quin, "private"},
		{manager, "private"},
		{judge, "private"},
		{audit, ""},
		{access.Actor{Handle: "arbi", Roles: []string{access.Auditor}}, "private"},
		{access.Actor{}, ""},
	} {
		d, err := c.o.GetDispute(as(test.actor), &feedbackv1.GetDisputeRequest{DisputeId: "l1-1"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.GetNotes(), ""); got != test.want {
			t.Errorf("%s reads %q; want %q", test.actor.Handle, got, test.want)
		}
	}
	clear(c.sealed)
	if d, err := c.o.GetDispute(as(mark), &feedbackv1.GetDisputeRequest{DisputeId: "l1-1"}); err != nil || strings.Join(d.GetNotes(), "") != "" {
		t.Errorf("erased: %q, %v", d.GetNotes(), err)
	}
}

func TestListDisputes(t *testing.T) {
	c := newCourt(t, settlingPart)
	for _, claim := range []leadv1.DisputeClaim{notAsAgreed, wrongData} {
		c.open(ana, claim)
	}
	c.open(mark, notWorked)
	if _, err := c.judge(arbi, "l1-2", dataError, ""); err != nil {
		t.Fatal(err)
	}
	list := func(req *feedbackv1.ListDisputesRequest) (ids []string) {
		for {
			page, err := c.o.ListDisputes(as(audit), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.GetDisputes() {
				if d.GetEvidence() != nil || d.GetNotes() != nil {
					t.Errorf("a list shows evidence or notes: %v", d)
				}
				ids = append(ids, d.GetDisputeId())
			}
			if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
				return ids
			}
		}
	}
	for _, test := range []struct {
		req  *feedbackv1.ListDisputesRequest
		want []string
	}{
		{&feedbackv1.ListDisputesRequest{}, []string{"l1-1", "l1-3"}},
		{&feedbackv1.ListDisputesRequest{PageSize: 1}, []string{"l1-1", "l1-3"}},
		{&feedbackv1.ListDisputesRequest{PageSize: 2, Decided: true}, []string{"l1-1", "l1-2", "l1-3"}},
		{&feedbackv1.ListDisputesRequest{Review: true}, nil},
	} {
		if got := list(test.req); !slices.Equal(got, test.want) {
			t.Errorf("%v lists %v; want %v", test.req, got, test.want)
		}
	}
	if _, err := c.o.ListDisputes(as(audit), &feedbackv1.ListDisputesRequest{PageToken: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a wild page token: %v", err)
	}
}

// A number leads to its lead, also where two ids begin alike.
func TestCaseNumber(t *testing.T) {
	none := func(string) bool { return false }
	if got := caseNumber("labcdefghijklmnop", 3, none); got != "labcdefghijk-3" {
		t.Errorf("got %s", got)
	}
	if got := caseNumber("labcdefghijklmnop", 3, func(id string) bool { return id == "labcdefghijk-3" }); got != "labcdefghijklmnop-3" {
		t.Errorf("taken: got %s", got)
	}
}
