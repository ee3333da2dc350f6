package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

const (
	// pastPeople share the pool of a past.
	pastPeople = 20
	// pastAbreast is how many leads are under way at once.
	pastAbreast = 1000
	// pastVersions of the agreement were in force, one after the other.
	pastVersions = 3
)

// pastBegins is when the first lead came; the last one came a year later.
var pastBegins = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// pastClocks are the agreed times that the leads of a past are held to.
const pastClocks = `
clocks:
  - {id: take, title: Take, text: Taken in time., department: sales, starts: [received], stops: [accepted], pauses: [waiting], limit: 3h, time: clock}
  - {id: follow, title: Follow, text: Followed up in time., department: sales, starts: [accepted], stops: [touched, rejected], pauses: [away], limit: 5h}
`

// pastYear is a log that is made up as it is read: a year of leads with everything that
// reports tell of, about ten events each, always the same. It stands for a log on disk
// where the time of reading that is measured elsewhere.
type pastYear struct {
	leads    int
	length   uint64
	versions []*agreement.Version
}

func newPastYear(leads int) (*pastYear, error) {
	p := &pastYear{leads: leads}
	keys := [2]ed25519.PublicKey{append(make([]byte, 31), 1), append(make([]byte, 31), 2)}
	var members []string
	for i := range pastPeople + 1 {
		members = append(members, pastMember(i))
	}
	starter := string(agreement.Starter(agreement.StarterParams{MarketingKey: keys[0], SalesKey: keys[1], Members: members}))
	for n := range pastVersions {
		document := []byte(strings.Replace(starter, "points_needed: 3", fmt.Sprintf("points_needed: %d", 3+n), 1) + pastClocks)
		compiled, err := agreement.Compile(document)
		if err != nil {
			return nil, fmt.Errorf("the starter agreement with clocks: %w", err)
		}
		from := pastBegins.Add(time.Duration(n)*365*24*time.Hour/pastVersions - 24*time.Hour)
		p.versions = append(p.versions, &agreement.Version{Number: int64(n + 1), Document: document, Agreement: compiled, ProposedAt: from.Add(-time.Hour), InForceFrom: from})
	}
	// Read from its end, it is counted and not made.
	t := &telling{pastYear: p, from: math.MaxUint64}
	t.all(context.Background())
	p.length = t.seq
	return p, t.err
}

func pastMember(i int) string { return fmt.Sprintf("member-%02d", i+1) }

// inForce is the version in force at an instant.
func (p *pastYear) inForce(at time.Time) (in *agreement.Version) {
	for _, v := range p.versions {
		if !at.Before(v.InForceFrom) {
			in = v
		}
	}
	return in
}

// working is the working time between two instants by the calendar of a pool.
func (p *pastYear) working(pool string, from, to time.Time) (time.Duration, bool) {
	version := p.inForce(from)
	if version == nil {
		return 0, false
	}
	agreed, ok := version.Agreement.Pool(pool)
	if !ok {
		return 0, false
	}
	calendar, ok := version.Agreement.Calendar(agreed.Calendar)
	if !ok {
		return 0, false
	}
	return calendar.Between(from, to), true
}

// received is when a lead came.
func (p *pastYear) received(n int) time.Time {
	return pastBegins.Add(time.Duration(int64(365*24*time.Hour) / int64(p.leads) * int64(n)))
}

// ends is when nothing happens any more.
func (p *pastYear) ends() time.Time { return pastBegins.AddDate(1, 3, 0) }

// Last implements report.Records.
func (p *pastYear) Last(context.Context) (uint64, error) { return p.length, nil }

// Read implements report.Records; to 0 = all.
func (p *pastYear) Read(ctx context.Context, from, to uint64, fn func(*ledger.Event) error) error {
	if to > 0 && to < from {
		return nil
	}
	t := &telling{pastYear: p, from: from, to: to, fn: fn}
	t.all(ctx)
	return t.err
}

// telling is one reading of a past.
type telling struct {
	*pastYear
	from, to uint64
	seq      uint64
	fn       func(*ledger.Event) error
	err      error
}

func (t *telling) all(ctx context.Context) {
	t.organisation()
	for first := 0; first < t.leads && !t.done(); first += pastAbreast {
		for _, step := range pastSteps {
			for n := first; n < min(first+pastAbreast, t.leads) && !t.done(); n++ {
				step(t, n)
			}
		}
		if err := ctx.Err(); err != nil && t.err == nil {
			t.err = err
		}
	}
}

func (t *telling) done() bool { return t.err != nil || t.to > 0 && t.seq >= t.to }

// skip passes over an event that nobody asked for, so that it need not be made.
func (t *telling) skip() bool {
	if t.done() {
		return true
	}
	t.seq++
	return t.seq < t.from
}

func (t *telling) say(subject string, at, recorded time.Time, body proto.Message) {
	var id [16]byte
	binary.BigEndian.PutUint64(id[8:], t.seq)
	t.err = t.fn(&ledger.Event{
		Seq: t.seq, Subject: subject, ID: lead.ID("e", id[:]), Type: ledger.TypeOf(body), Occurred: at, Recorded: recorded, Body: body,
	})
}

// organisation is who there is, and what was agreed.
func (t *telling) organisation() {
	for i := range pastPeople + 1 {
		member, at := pastMember(i), pastBegins.AddDate(0, 0, -2)
		if !t.skip() {
			t.say(lead.SubjectOrg+"member."+member, at, at, &routingv1.MemberAdded{Member: member, Roles: []string{access.Sales, access.Qualifier}})
		}
		if !t.skip() {
			t.say(lead.SubjectOrg+"member."+member, at, at, &routingv1.MemberPlaced{Member: member, Team: fmt.Sprintf("team-%d", i%4), Manager: pastMember(i % 4), Office: fmt.Sprintf("office-%d", i%3)})
		}
	}
	for _, v := range t.versions {
		if !t.skip() {
			t.say("agreement.events", v.ProposedAt, v.ProposedAt, &agreementv1.AgreementProposed{Version: v.Number, Document: v.Document})
		}
		if !t.skip() {
			t.say("agreement.events", v.ProposedAt, v.ProposedAt, &agreementv1.AgreementSigned{Version: v.Number, Party: agreement.Sales, InForceFrom: timestamppb.New(v.InForceFrom)})
		}
	}
}

// pastLead is the id of a lead; ids lie anywhere, as real ones do.
func pastLead(n int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n))) // #nosec G115 -- a count
	return lead.ID("l", sum[:])
}

// What became of a lead, by its number: the remainders have nothing in common, so that
// everything comes together with everything else.
func pastRefused(n int) bool  { return n%29 == 28 }
func pastNurtured(n int) bool { return n%5 == 4 }
func pastOffered(n int) bool  { return !pastRefused(n) && (!pastNurtured(n) || n%3 == 0) }
func pastPassed(n int) bool   { return pastOffered(n) && n%6 == 5 } // on to a second person
func pastTaken(n int) bool    { return pastOffered(n) && n%17 != 16 }
func pastTouched(n int) bool  { return pastTaken(n) && n%11 != 10 }

// pastTaker is who takes a lead.
func pastTaker(n int) string {
	if pastPassed(n) {
		return pastMember((n + 1) % pastPeople)
	}
	return pastMember(n % pastPeople)
}

// pastSteps are what happens to leads, in order: they come and are offered at once, and
// what people do about them comes in between what they do about others.
var pastSteps = []func(*telling, int){
	(*telling).arrive, (*telling).again, (*telling).pass, (*telling).take, (*telling).overdue, (*telling).touch, (*telling).call, (*telling).meet, (*telling).ride,
	(*telling).feedback, (*telling).dispute, (*telling).settle, (*telling).close,
}

// arrive is all that happens in the first seconds.
func (t *telling) arrive(n int) {
	t.receive(n)
	t.attach(n)
	t.come(n)
	t.decide(n)
	if !pastNurtured(n) {
		t.offer(n, 1)
		t.notify(n)
	}
}

func (t *telling) of(n int, after time.Duration, body func(at time.Time) proto.Message) {
	t.late(n, after, 0, body)
}

// late says what became known some time after it happened.
func (t *telling) late(n int, after, late time.Duration, body func(at time.Time) proto.Message) {
	if t.skip() {
		return
	}
	at := t.received(n).Add(after)
	t.say(lead.SubjectOf(pastLead(n)), at, at.Add(late), body(at))
}

// word is one of some, by a lead's number.
func word(n int, of ...string) string { return of[n%len(of)] }

func (t *telling) receive(n int) {
	t.of(n, 0, func(at time.Time) proto.Message {
		return &leadv1.LeadReceived{
			SourceId: "s-" + word(n, "web", "fair", "partner", "webinar"), Source: word(n, "web", "fair", "partner", "webinar"), SubmissionId: fmt.Sprintf("s%d", n),
			ReceivedAt: timestamppb.New(at), Signed: true, Delivery: &leadv1.DeliveryRef{DeliveryId: fmt.Sprintf("d%d", n)},
			Features: &leadv1.Features{
				Country: word(n/4, "DE", "AT", "CH", "FR", "IT", "GB", "US"), Employees: []int64{4, 30, 120, 600, 2400}[n/3%5], Industry: word(n/7, "retail", "metal", "energy", "health", "software", ""),
				Role: word(n/2, "executive", "head", "specialist"), Product: word(n/5, "crm", "erp", "shop"), Language: word(n, "de", "en"), HasEmail: true, HasCompany: true,
				ContactWish: leadv1.ContactWish_CONTACT_WISH_CONTACT,
				Attribution: &leadv1.Attribution{Source: "google", Medium: "cpc", Campaign: fmt.Sprintf("campaign-%02d", n/11%40), Landing: fmt.Sprintf("www.acme.example/page-%d", n/13%12)},
			},
		}
	})
}

func (t *telling) attach(n int) {
	if pastRefused(n) {
		t.of(n, time.Second, func(time.Time) proto.Message {
			return &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "honeypot"}
		})
		return
	}
	t.of(n, time.Second, func(time.Time) proto.Message {
		return &leadv1.PersonAttached{PersonId: "p" + pastLead(n)[1:], MatchedBy: "new"}
	})
}

// come is what comes again of the same person.
func (t *telling) come(n int) {
	delivery := &leadv1.DeliveryRef{DeliveryId: fmt.Sprintf("d%d-2", n)}
	switch {
	case n%15 == 14:
		t.of(n, time.Minute, func(time.Time) proto.Message { return &leadv1.SubmissionRepeated{Delivery: delivery} })
	case n%12 == 11 && !pastRefused(n):
		t.of(n, time.Minute, func(time.Time) proto.Message { return &leadv1.TouchAdded{Delivery: delivery, Kind: lead.SameForm} })
	}
}

func (t *telling) decide(n int) {
	if pastRefused(n) {
		return
	}
	if pastNurtured(n) {
		t.of(n, 2*time.Second, func(at time.Time) proto.Message {
			return &leadv1.LeadNurtured{
				AgreementVersion: t.inForce(at).Number, Reason: "profile", Explanation: &leadv1.Explanation{Summary: "too few points", Points: 2, PointsNeeded: 3},
				NextTouch: "letter", NextTouchDue: timestamppb.New(at.AddDate(0, 0, 7)), Purpose: "new-business",
			}
		})
		return
	}
	t.qualify(n, 2*time.Second)
}

func (t *telling) qualify(n int, after time.Duration) {
	t.of(n, after, func(at time.Time) proto.Message {
		return &leadv1.LeadQualified{
			Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: t.inForce(at).Number, Persona: word(n/2, "decider", "champion", "buyer", "somebody"), Purpose: word(n, "new-business", "new-business", "retention"),
			Explanation: &leadv1.Explanation{Summary: "fits", Points: int64(3 + n%4), PointsNeeded: 3, Criteria: []*leadv1.Criterion{{Id: "region", Met: true, Points: 2}, {Id: "size", Met: true, Points: 1}}},
		}
	})
}

// again is what marketing made of leads that it had kept.
func (t *telling) again(n int) {
	if pastNurtured(n) && pastOffered(n) {
		t.qualify(n, 20*24*time.Hour)
		t.offer(n, 1)
		t.notify(n)
	}
}

// pastOfferedAfter is when a lead was first offered, from its receipt on.
func pastOfferedAfter(n int) time.Duration {
	if pastNurtured(n) {
		return 20*24*time.Hour + time.Second
	}
	return 3 * time.Second
}

// offer gives a lead to somebody: its own event and that of the pools, in one batch.
func (t *telling) offer(n, offer int) {
	if !pastOffered(n) {
		return
	}
	after, member := pastOfferedAfter(n), pastMember(n%pastPeople)
	if offer == 2 {
		after, member = after+2*time.Hour, pastTaker(n)
	}
	away := n / 500 % pastPeople // one of them is on leave
	t.of(n, after, func(at time.Time) proto.Message {
		body := &leadv1.LeadOffered{
			AgreementVersion: t.inForce(at).Number, Pool: "inside-sales", Group: "sales", Member: member, Offer: int32(offer), TakeBy: timestamppb.New(at.Add(2 * time.Hour)), // #nosec G115 -- 1 or 2
			Rule: "everything-else", Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Summary: "next in turn",
		}
		for i := range pastPeople {
			body.Considered = append(body.Considered, &leadv1.Candidate{Member: pastMember(i), Eligible: i != away, Weight: 1})
		}
		return body
	})
	step := &routingv1.PoolStep{
		Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: pastLead(n), Pool: "inside-sales", Member: member, Turn: leadv1.TurnKind_TURN_KIND_ROTATION, Offer: int32(offer), // #nosec G115 -- 1 or 2
	}
	t.pools(n, after, step)
}

func (t *telling) pools(n int, after time.Duration, step *routingv1.PoolStep) {
	if t.skip() {
		return
	}
	at := t.received(n).Add(after)
	t.say(lead.SubjectPool+"sales", at, at, &routingv1.PoolAdvanced{Steps: []*routingv1.PoolStep{step}})
}

func (t *telling) notify(n int) {
	if pastOffered(n) && n%4 != 3 {
		t.of(n, pastOfferedAfter(n)+time.Second, func(time.Time) proto.Message {
			return &leadv1.NoticeSent{NoticeId: fmt.Sprintf("n%d", n), Attempt: 1, Status: 200, Delivered: true}
		})
	}
}

// pass is why a lead went on to a second person.
func (t *telling) pass(n int) {
	if !pastPassed(n) {
		return
	}
	member, after := pastMember(n%pastPeople), pastOfferedAfter(n)+2*time.Hour-time.Second
	if n%4 == 0 {
		t.of(n, after, func(at time.Time) proto.Message {
			return &leadv1.OfferTimedOut{Member: member, Offer: 1, DueAt: timestamppb.New(at), FiredAt: timestamppb.New(at)}
		})
		t.offer(n, 2)
		return
	}
	t.of(n, after, func(at time.Time) proto.Message {
		return &leadv1.OfferRejected{
			Member: member, Offer: 1, Reason: word(n/6, "not-my-field", "no-time", "unreachable"), Consequence: leadv1.Consequence_CONSEQUENCE_NEXT_PERSON, AgreementVersion: t.inForce(at).Number,
		}
	})
	if n%5 == 0 {
		t.pools(n, after, &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_ADJUSTED, LeadId: pastLead(n), Pool: "inside-sales", Member: member, Turn: leadv1.TurnKind_TURN_KIND_CREDIT, Leads: 1})
	}
	t.offer(n, 2)
}

// pastTakenAfter is when somebody takes a lead, from its receipt on.
func pastTakenAfter(n int) time.Duration {
	after := pastOfferedAfter(n) + time.Duration(10+n%100)*time.Minute
	if pastPassed(n) {
		after += 2 * time.Hour
	}
	return after
}

func (t *telling) take(n int) {
	if pastTaken(n) {
		t.of(n, pastTakenAfter(n), func(time.Time) proto.Message {
			return &leadv1.OfferAccepted{Member: pastTaker(n), Offer: map[bool]int32{false: 1, true: 2}[pastPassed(n)]}
		})
	}
}

// overdue is what the clocks say.
func (t *telling) overdue(n int) {
	if !pastOffered(n) || n%9 != 8 {
		return
	}
	ref := &leadv1.ClockRef{Clock: "take", Run: 1, AgreementVersion: 1, StartedAt: timestamppb.New(t.received(n))}
	t.of(n, pastOfferedAfter(n)+3*time.Hour, func(at time.Time) proto.Message {
		return &leadv1.ClockBreached{Clock: ref, DueAt: timestamppb.New(at), FiredAt: timestamppb.New(at)}
	})
	t.of(n, pastOfferedAfter(n)+4*time.Hour, func(at time.Time) proto.Message {
		return &leadv1.ClockEscalated{Clock: ref, Step: 1, DueAt: timestamppb.New(at), FiredAt: timestamppb.New(at), Tell: []string{pastMember(0)}}
	})
}

// pastTouchedAfter is when sales first answered, from the receipt on.
func pastTouchedAfter(n int) time.Duration {
	return pastTakenAfter(n) + []time.Duration{5 * time.Minute, 40 * time.Minute, 5 * time.Hour, 26 * time.Hour, 3 * 24 * time.Hour}[n/2%5]
}

func (t *telling) touch(n int) {
	if !pastTouched(n) {
		return
	}
	var late time.Duration
	if n%10 == 9 {
		late = 20 * time.Hour
	}
	t.late(n, pastTouchedAfter(n), late, func(time.Time) proto.Message {
		return &leadv1.OutcomeRecorded{
			Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: pastTaker(n), Channel: word(n, "call", "email"), Direction: "out", Disposition: word(n, "talked", "voicemail", "no-answer"),
			Reached: n%3 != 2, Minutes: int32(n % 30), // #nosec G115 -- below 30
		}
	})
}

func (t *telling) call(n int) {
	if !pastTouched(n) || n%3 == 2 {
		return
	}
	id := fmt.Sprintf("c%d", n)
	months := int64(n % 7)
	t.of(n, pastTouchedAfter(n)+time.Hour, func(time.Time) proto.Message {
		return &leadv1.CallRecorded{CallId: id, Member: pastTaker(n), Qualifier: true, Reached: true, FitConfirmed: n%2 == 0, HorizonMonths: &months}
	})
	if n%2 == 0 {
		t.of(n, pastTouchedAfter(n)+time.Hour+time.Second, func(at time.Time) proto.Message {
			return &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL, AgreementVersion: t.inForce(at).Number, CallId: id, Explanation: &leadv1.Explanation{Summary: "soon"}}
		})
	}
}

func (t *telling) meet(n int) {
	if pastTouched(n) && n%4 == 1 {
		t.of(n, pastTouchedAfter(n)+48*time.Hour, func(time.Time) proto.Message {
			return &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: pastTaker(n), Channel: "meeting", Direction: "out", Reached: true, Minutes: 60, DealStage: "proposal"}
		})
	}
}

// ride is that somebody of marketing listens to a talk.
func (t *telling) ride(n int) {
	if !pastTouched(n) || n%50 != 1 {
		return
	}
	id := fmt.Sprintf("r%d", n)
	t.of(n, pastTouchedAfter(n)+40*time.Hour, func(time.Time) proto.Message {
		return &leadv1.RideAlongRequested{RideId: id, Member: "marketer"}
	})
	t.of(n, pastTouchedAfter(n)+50*time.Hour, func(time.Time) proto.Message {
		return &leadv1.RideAlongHeld{RideId: id, Member: "marketer", Host: pastTaker(n)}
	})
}

func (t *telling) feedback(n int) {
	if !pastTouched(n) || n%5 > 2 {
		return
	}
	t.of(n, pastTouchedAfter(n)+3*time.Hour, func(at time.Time) proto.Message {
		return &leadv1.FeedbackGiven{
			Member: pastTaker(n), Interest: int32(1 + n%5), Ease: int32(1 + n/5%5), Why: []string{word(n, "urgent", "fits", "no-budget")}, Talk: word(n, "well", "open", "hard"), // #nosec G115 -- below 6
			Missing: []string{word(n, "need", "timing", "nothing")}, Vertical: word(n/7, "retail", "metal", "energy", "health"), Phrases: []string{word(n, "lead times", "spare parts", "one contact"), "price"},
			Campaign: fmt.Sprintf("campaign-%02d", n/11%40), AgreementVersion: t.inForce(at).Number,
		}
	})
}

func (t *telling) dispute(n int) {
	if pastTaken(n) && n%40 == 21 {
		t.of(n, pastTakenAfter(n)+24*time.Hour, func(at time.Time) proto.Message {
			return &leadv1.DisputeOpened{DisputeId: fmt.Sprintf("x%d", n), Party: word(n/40, "sales", "marketing"), Offer: 1, Claim: leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED, AgreementVersion: t.inForce(at).Number}
		})
	}
}

func (t *telling) settle(n int) {
	if pastTaken(n) && n%40 == 21 {
		t.of(n, pastTakenAfter(n)+30*time.Hour, func(time.Time) proto.Message {
			return &leadv1.DisputeAnswered{DisputeId: fmt.Sprintf("x%d", n), Party: word(n/40, "marketing", "sales"), Agrees: n%80 == 21}
		})
		t.of(n, pastTakenAfter(n)+70*time.Hour, func(time.Time) proto.Message {
			return &leadv1.DisputeDecided{DisputeId: fmt.Sprintf("x%d", n), Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, Criterion: "size", Finding: word(n/40, "marketing", "sales"), By: "director"}
		})
	}
}

func (t *telling) close(n int) {
	switch {
	case pastTouched(n) && n%3 == 0:
		t.of(n, pastTouchedAfter(n)+time.Duration(10+n%50)*24*time.Hour, func(time.Time) proto.Message {
			return &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: pastTaker(n), ValueMinor: int64(100_000 + n%1000*500), Currency: "EUR"}
		})
	case pastTouched(n) && n%3 == 1:
		t.of(n, pastTouchedAfter(n)+time.Duration(5+n%50)*24*time.Hour, func(time.Time) proto.Message {
			return &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_LOST, Member: pastTaker(n), Reason: "price"}
		})
	}
}
