package report

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
)

// drawLog draws a story in which, besides leads to which anything happens, there are some
// that go the usual way, people who come and go, and versions of the agreement.
func drawLog(t *rapid.T) *story {
	st := drawStory(t)
	for n := range rapid.IntRange(1, 3).Draw(t, "usual ones") {
		st.usual(t, fmt.Sprintf("u%d", n))
	}
	say := func(subject string, at time.Time, body proto.Message) { st.say("", at, body).Subject = subject }
	if rapid.IntRange(0, 2).Draw(t, "a season") == 2 {
		st.season(t)
	}
	if rapid.Bool().Draw(t, "merged") {
		say("person.p1", start.Add(time.Hour), &personv1.PersonMerged{IntoId: "p1", FromId: "p2"})
	}
	for i, v := range agreedTwice.versions[:rapid.IntRange(0, 2).Draw(t, "versions")] {
		for _, e := range agreedOn(0, v.Number, v.InForceFrom) {
			say(e.Subject, start.Add(time.Duration(i)), e.Body)
		}
	}
	for _, member := range []string{"ana", "zoe"}[:rapid.IntRange(0, 2).Draw(t, "people")] {
		subject, at := "org.member."+member, start.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 20, 40}).Draw(t, "joins"))*24*time.Hour)
		roles := rapid.SampledFrom([][]string{{"sales"}, {"marketing"}, {"sales", "manager"}}).Draw(t, "roles")
		say(subject, at, &routingv1.MemberAdded{Member: member, Roles: roles, TokenHash: make([]byte, 32)})
		if rapid.Bool().Draw(t, "leaves") {
			at = at.Add(5 * 24 * time.Hour)
			say(subject, at, &routingv1.MemberDeactivated{Member: member})
			if rapid.Bool().Draw(t, "comes back") {
				say(subject, at.Add(5*24*time.Hour), &routingv1.MemberAdded{Member: member, Roles: []string{"sales"}, TokenHash: make([]byte, 32)})
			}
		}
	}
	return st
}

// usual appends a lead that goes the usual way, as far as it gets.
func (st *story) usual(t *rapid.T, id string) {
	const day = 24 * time.Hour
	at := start.Add(rapid.SampledFrom([]time.Duration{time.Hour, 2 * day, 22 * day, 29*day + 14*time.Hour, 30 * day}).Draw(t, "came"))
	pass := func() {
		at = at.Add(rapid.SampledFrom([]time.Duration{time.Minute, 40 * time.Minute, 3 * time.Hour, 30 * time.Hour, 4 * day}).Draw(t, "later"))
	}
	often := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) > 0 }
	came := at
	st.received(id, at, func(b *leadv1.LeadReceived) { drawCompany(t, b.Features) })
	version := rapid.Int64Range(1, 2).Draw(t, "version")
	if person := rapid.SampledFrom([]string{"", "p1", "p2", "p3"}).Draw(t, "person"); person != "" {
		st.say(id, at, &leadv1.PersonAttached{PersonId: person, MatchedBy: "new"})
	}
	if !often("at once") {
		pass()
		st.say(id, at, &leadv1.LeadNurtured{AgreementVersion: version, Reason: "profile", Explanation: explained("too small")})
	}
	qualified := func(stage leadv1.Stage) {
		pass()
		st.say(id, at, &leadv1.LeadQualified{Stage: stage, AgreementVersion: version, Explanation: explained("fits"), Purpose: "new-business"}).Recorded = at.
			Add(rapid.SampledFrom([]time.Duration{0, 0, time.Hour, 3 * time.Hour, day, day + 1}).Draw(t, "dated back"))
	}
	qualified(leadv1.Stage_STAGE_MQL)
	for n := range rapid.IntRange(0, 2).Draw(t, "rides") {
		ride := fmt.Sprintf("r%d", n)
		st.say(id, at, &leadv1.RideAlongRequested{RideId: ride, Member: "mark"})
		if rapid.Bool().Draw(t, "held") {
			pass()
			st.say(id, at, &leadv1.RideAlongHeld{RideId: ride, Member: "mark", Host: "ana"})
		}
	}
	said := func(body func(*leadv1.ClockRef) proto.Message) {
		clock := rapid.SampledFrom([]string{"take", "german", "first"}).Draw(t, "clock")
		st.say(id, at, body(&leadv1.ClockRef{Clock: clock, StartedAt: timestamppb.New(came)}))
	}
	if often("reminded") {
		said(func(r *leadv1.ClockRef) proto.Message { return &leadv1.ClockReminded{Clock: r} })
	}
	if often("escalated") {
		step := rapid.Int32Range(1, 3).Draw(t, "step")
		said(func(r *leadv1.ClockRef) proto.Message { return &leadv1.ClockEscalated{Clock: r, Step: step} })
	}
	if often("restated") {
		said(func(r *leadv1.ClockRef) proto.Message { return &leadv1.ClockRestated{Clock: r, Because: "e1"} })
	}
	pool := rapid.SampledFrom([]string{"inside", "inside", "field"}).Draw(t, "pool")
	taken := st.handed(t, id, pool, &at, pass, often)
	if taken == "" {
		return
	}
	pass()
	if often("touched") {
		st.say(id, at, &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: taken, Channel: "call", Direction: "out", Reached: true})
	}
	if often("confirmed") {
		qualified(rapid.SampledFrom([]leadv1.Stage{leadv1.Stage_STAGE_SAL, leadv1.Stage_STAGE_SQL, leadv1.Stage_STAGE_SQL}).Draw(t, "stage"))
	}
	if often("told") {
		pass()
		st.feedback(t, id, at, taken)
	}
	if often("told late") {
		at = at.Add(7 * day)
		st.feedback(t, id, at, taken)
	}
	for often("held against") {
		pass()
		st.dispute(t, id, at)
	}
	if kind := rapid.SampledFrom([]leadv1.OutcomeKind{leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_LOST, leadv1.OutcomeKind_OUTCOME_KIND_WORKING}).Draw(t, "ends"); often("ended") {
		pass()
		st.say(id, at, &leadv1.OutcomeRecorded{Kind: kind, Member: taken, Reason: "price", ValueMinor: rapid.SampledFrom([]int64{0, 500, 12_345}).Draw(t, "value"), Currency: rapid.SampledFrom([]string{"EUR", "EUR", "EUR", "JPY", "KWD"}).Draw(t, "currency")})
	}
}

// fallen is when the opportunities of a season end that has them all at its beginning.
var fallen = start.AddDate(0, 0, 65)

// season appends many leads that become MQL in one quarter, and some in the next: evenly,
// at its beginning or at its end, and of one source that may have just enough points.
func (st *story) season(t *rapid.T) {
	const day = 24 * time.Hour
	april := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	first, apart := april, 2*day
	switch rapid.IntRange(0, 2).Draw(t, "when") {
	case 1:
		apart = fallen.Sub(april) / 44
	case 2:
		first, apart = april.Add(78*day), 6*time.Hour
	}
	hair := rapid.Bool().Draw(t, "by a hair")
	for i := range 50 {
		id, at := fmt.Sprintf("s%02d", i), first.Add(time.Duration(i)*apart)
		if i >= 44 { // in the quarter after it
			at = april.Add(time.Duration(91+(i-44)*17) * day)
		}
		source, needed, points := "web", int64(60), rapid.SampledFrom([]int64{59, 60, 63, 64, 80, 90, 100, 100, 100}).Draw(t, "points")
		if i%4 == 1 {
			if source = "bought"; hair {
				points = 60 + int64(i/4%2)*3
			}
		}
		if rapid.IntRange(0, 9).Draw(t, "without points") == 9 {
			points, needed = 0, 0
		}
		st.received(id, at, func(b *leadv1.LeadReceived) {
			b.Source = source
			b.Features.Employees = rapid.SampledFrom([]int64{9, 10, 50, 100}).Draw(t, "employees")
			b.Features.Attribution.Campaign = rapid.SampledFrom([]string{"spring", "autumn"}).Draw(t, "campaign")
		})
		if i%8 == 0 {
			st.say(id, at, &leadv1.PersonAttached{PersonId: "p3", MatchedBy: "email"})
		}
		stage := rapid.SampledFrom([]leadv1.Stage{leadv1.Stage_STAGE_MQL, leadv1.Stage_STAGE_SQL, leadv1.Stage_STAGE_SQL, leadv1.Stage_STAGE_SQL}).Draw(t, "stage")
		st.say(id, at.Add(time.Hour), &leadv1.LeadQualified{
			Stage: stage, AgreementVersion: 1, Explanation: &leadv1.Explanation{Summary: "fits", Points: points, PointsNeeded: needed},
		})
		if i%6 == 3 {
			st.offer(id, at.Add(2*time.Hour), "inside", "ana", leadv1.TurnKind_TURN_KIND_ROTATION, 1, "ana=1")
			st.say(id, at.Add(3*time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
			st.say(id, at.Add(5*time.Hour), &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana", ValueMinor: int64(100 * i), Currency: "EUR"})
		}
	}
	st.say("s00", april.Add(183*day), &leadv1.SubmissionRepeated{Delivery: &leadv1.DeliveryRef{DeliveryId: "again"}})
}

// current is under which id a person is found now.
func (st *story) current(person string) string {
	for _, e := range st.events {
		if b, ok := e.Body.(*personv1.PersonMerged); ok && b.GetFromId() == person {
			return b.GetIntoId()
		}
	}
	return person
}

// handed lets a pool offer a lead until somebody takes it or nobody answers; empty =
// nobody took it.
func (st *story) handed(t *rapid.T, id, pool string, at *time.Time, pass func(), often func(string) bool) (taken string) {
	for n := int32(1); n <= 3; n++ {
		pass()
		member := rapid.SampledFrom([]string{"ana", "ben", "cy"}).Draw(t, "to")
		kind := rapid.SampledFrom([]leadv1.TurnKind{1, 1, 1, 2, 3, 4}).Draw(t, "turn")
		st.offer(id, *at, pool, member, kind, n, rapid.SampledFrom([]string{"ana=1 ben=1 cy=1", "ana=2 ben=1", "ana=1 ben=1 | cy=2"}).Draw(t, "there"))
		if rapid.Bool().Draw(t, "says what changed") {
			// As a large pool does: who came, and who left, since the last such turn.
			if pool, ok := st.events[len(st.events)-1].Body.(*routingv1.PoolAdvanced); ok {
				pool.Steps[0].SinceLast, pool.Steps[0].Left = true, rapid.SampledFrom([][]string{nil, {"cy"}, {"ana", "dan"}}).Draw(t, "left")
			}
		}
		switch rapid.IntRange(0, 3).Draw(t, "heard") {
		case 1:
			st.say(id, *at, &leadv1.NoticeSent{NoticeId: "n", Attempt: 1, Delivered: rapid.Bool().Draw(t, "delivered")})
		case 2:
			st.say(id, *at, &leadv1.NoticeOpened{NoticeId: "n", By: "link"})
		}
		pass()
		switch rapid.SampledFrom([]int{0, 1, 2, 2, 2, 3, 3, 3}).Draw(t, "answer") {
		case 0:
			return ""
		case 1:
			st.say(id, *at, &leadv1.OfferTimedOut{Member: member, Offer: n, DueAt: timestamppb.New(*at), FiredAt: timestamppb.New(*at)})
		case 2:
			if st.rejected(t, id, pool, member, n, *at); st.lead(id, far).State == leadv1.State_STATE_LOST {
				return ""
			}
		default:
			st.say(id, *at, &leadv1.OfferAccepted{Member: member, Offer: n})
			if often("keeps it") {
				return member
			}
			pass()
			if st.rejected(t, id, pool, member, n, *at); st.lead(id, far).State == leadv1.State_STATE_LOST {
				return ""
			}
		}
	}
	return ""
}

// rejected lets a member reject a lead, who may be owed another for it.
func (st *story) rejected(t *rapid.T, id, pool, member string, n int32, at time.Time) {
	st.say(id, at, &leadv1.OfferRejected{
		Member: member, Offer: n, Reason: rapid.SampledFrom([]string{"no-budget", "too-small"}).Draw(t, "reason"), AgreementVersion: 1,
		Consequence: leadv1.Consequence(rapid.IntRange(1, 3).Draw(t, "consequence")),
	})
	if rapid.Bool().Draw(t, "owed") {
		st.adjust(at, pool, member, leadv1.TurnKind_TURN_KIND_CREDIT, id, 1, rapid.SampledFrom([]string{"", "dan=1 eve=2"}).Draw(t, "others"))
	}
}
