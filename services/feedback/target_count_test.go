package feedback

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// The quarter of these tests: 2026-q1 in Berlin.
var (
	berlin       = mustZone("Europe/Berlin")
	year         = agreement.Year{Starts: time.January, Zone: berlin}
	quarterFrom  = time.Date(2026, 1, 1, 0, 0, 0, 0, berlin)
	quarterUntil = time.Date(2026, 4, 1, 0, 0, 0, 0, berlin)
)

func mustZone(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// bySize is a judge whose definitions are easy to make again: by version 1 a company of
// 20 is an MQL, by version 2 one of 100; a confirming call makes it SAL, and one with a
// time to buy SQL.
func bySize(_ *agreement.Agreement, version int64, f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
	stage := leadv1.Stage_STAGE_LEAD
	if f.Features.GetEmployees() >= map[int64]int64{1: 20, 2: 100}[version] {
		stage = leadv1.Stage_STAGE_MQL
		for _, c := range calls {
			if c.GetFitConfirmed() {
				stage = max(stage, leadv1.Stage_STAGE_SAL)
			}
			if c.GetFitConfirmed() && c.HorizonMonths != nil {
				stage = leadv1.Stage_STAGE_SQL
			}
		}
	}
	return stage
}

// segments that tests use, each with what it means.
var segments = []struct {
	source string
	holds  func(country string, pricing int) bool
}{
	{"", func(string, int) bool { return true }},
	{`lead.country == "DE"`, func(country string, _ int) bool { return country == "DE" }},
	{`touches.count("pricing-page") >= 1`, func(_ string, pricing int) bool { return pricing >= 1 }},
}

func starterRules(t testing.TB) *agreement.Agreement {
	t.Helper()
	key := func(seed byte) ed25519.PublicKey {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	}
	rules, err := agreement.Restore(agreement.Starter(agreement.StarterParams{MarketingKey: key(1), SalesKey: key(2), Zone: "Europe/Berlin"}))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// history draws a log in which anything follows on anything.
func history(t *rapid.T) []*ledger.Event {
	var events []*ledger.Event
	offers := map[string]int32{}
	members := []string{"ana", "ben", "cy"}
	// Even, where what is drawn one by one leans to the small: all kinds are to be met.
	chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
	pick := func(n int) int { return chance.IntN(n) }
	features := func() *leadv1.Features {
		return &leadv1.Features{Country: []string{"DE", "FR"}[pick(2)], Employees: []int64{200, 200, 50, 5}[pick(4)]}
	}
	add := func(subject string, occurred, recorded time.Time, body proto.Message) {
		events = append(events, &ledger.Event{Seq: uint64(len(events) + 1), Subject: subject, Type: ledger.TypeOf(body), Occurred: occurred, Recorded: recorded, Body: body})
	}
	for i := range 3 {
		// So that most of what follows is about a lead.
		add(lead.SubjectOf(fmt.Sprintf("l%d", i)), quarterFrom, quarterFrom, &leadv1.LeadReceived{ReceivedAt: timestamppb.New(quarterFrom), Features: features()})
	}
	for range rapid.IntRange(60, 160).Draw(t, "events") {
		// From a month before the quarter to a month after it, often at its very ends.
		recorded := quarterFrom.Add(time.Duration(pick(150*24)-30*24) * time.Hour)
		if pick(8) == 0 {
			recorded = []time.Time{quarterFrom, quarterUntil, quarterUntil.Add(-1)}[pick(3)]
		}
		occurred := recorded
		if pick(4) == 0 {
			occurred = recorded.Add(-time.Duration(pick(40*24)) * time.Hour)
		}
		id := fmt.Sprintf("l%d", pick(3))
		subject, member := lead.SubjectOf(id), members[pick(3)]
		offer := max(1, offers[id]-int32(pick(2)))
		notice := fmt.Sprintf("%s-%d", id, offer)
		switch pick(16) {
		case 0:
			add(subject, occurred, recorded, &leadv1.LeadReceived{ReceivedAt: timestamppb.New(occurred), Features: features(), Historical: pick(8) == 0})
		case 3:
			add(subject, occurred, recorded, &leadv1.SubmissionRevised{Features: features(), Conflict: pick(2) == 0})
		case 4:
			add(subject, occurred, recorded, &leadv1.TouchAdded{Kind: []string{"pricing-page", "webinar"}[pick(2)]})
		case 1, 2, 5:
			c := &leadv1.CallRecorded{CallId: fmt.Sprint(len(events)), Member: member, FitConfirmed: pick(3) > 0}
			if pick(2) == 0 {
				c.HorizonMonths = proto.Int64(3)
			}
			add(subject, occurred, recorded, c)
			add(subject, occurred, recorded, &leadv1.LeadQualified{Stage: leadv1.Stage(2 + pick(3)), CallId: c.GetCallId()})
		case 6:
			add(subject, occurred, recorded, &leadv1.LeadQualified{Stage: leadv1.Stage(2 + pick(3))})
		case 7, 8:
			offers[id]++
			add(subject, occurred, recorded, &leadv1.LeadOffered{Member: member, Offer: offers[id], TakeBy: timestamppb.New(occurred.Add(4 * time.Hour))})
			add(subject, occurred, recorded, &leadv1.NoticeQueued{NoticeId: fmt.Sprintf("%s-%d", id, offers[id]), Offer: offers[id], Member: []string{member, member, "", "dan"}[pick(4)]})
		case 9:
			add(subject, occurred, recorded, &leadv1.NoticeSent{NoticeId: notice, Delivered: pick(2) == 0})
		case 10:
			add(subject, occurred, recorded, &leadv1.NoticeOpened{NoticeId: notice})
		case 11, 12:
			add(subject, occurred, recorded, &leadv1.OfferAccepted{Member: member, Offer: offer})
		case 13, 15:
			add(subject, occurred, recorded, &leadv1.OutcomeRecorded{
				Kind: []leadv1.OutcomeKind{leadv1.OutcomeKind_OUTCOME_KIND_WON, leadv1.OutcomeKind_OUTCOME_KIND_LOST}[pick(2)], Member: member, ValueMinor: int64(1 + pick(3)), Currency: []string{"EUR", "EUR", "USD"}[pick(3)],
			})
		case 14:
			if pick(4) == 0 {
				add(subject, occurred, recorded, &leadv1.LeadRefused{})
			}
			add("org.member.x", occurred, recorded, &routingv1.MemberPlaced{Member: member, Team: []string{"north", "south", ""}[pick(3)]})
		}
	}
	return events
}

// recounted is a brute-force count of one target: for each lead and each of its events
// everything before it is read again.
func recounted(target *feedbackv1.Target, holds func(string, int) bool, events []*ledger.Event) *feedbackv1.TargetResult {
	out := &feedbackv1.TargetResult{TargetId: target.GetTargetId(), Agreed: target.GetCount()}
	inQuarter := func(t time.Time) bool { return !t.Before(quarterFrom) && t.Before(quarterUntil) }
	for n := range 3 {
		var mine []*ledger.Event
		live := false
		for _, e := range events {
			if e.Subject != fmt.Sprintf("lead.l%d", n) {
				continue
			}
			// A lead begins where it was received, and anew if it was received again;
			// what was refused has no more.
			switch b := e.Body.(type) {
			case *leadv1.LeadReceived:
				live = live && b.GetHistorical() || !b.GetHistorical()
				if !b.GetHistorical() {
					out = plus(out, tallied(target, holds, mine, inQuarter))
					mine = nil
				}
			case *leadv1.LeadRefused:
				out = plus(out, tallied(target, holds, mine, inQuarter))
				mine, live = nil, false
			}
			if live {
				mine = append(mine, e)
			}
		}
		out = plus(out, tallied(target, holds, mine, inQuarter))
	}
	out.Missed = out.GetResult() < out.GetAgreed()
	return out
}

func plus(a, b *feedbackv1.TargetResult) *feedbackv1.TargetResult {
	return &feedbackv1.TargetResult{
		TargetId: a.GetTargetId(), Agreed: a.GetAgreed(), Delivered: a.GetDelivered() + b.GetDelivered(), MetDefinition: a.GetMetDefinition() + b.GetMetDefinition(),
		Reached: a.GetReached() + b.GetReached(), AcceptedInTime: a.GetAcceptedInTime() + b.GetAcceptedInTime(), Result: a.GetResult() + b.GetResult(),
	}
}

// tallied counts one lead for one target.
func tallied(target *feedbackv1.Target, holds func(string, int) bool, mine []*ledger.Event, inQuarter func(time.Time) bool) *feedbackv1.TargetResult {
	out := &feedbackv1.TargetResult{}
	// asOf is whether the lead is meant, and whether it meets the definition, before an
	// event.
	asOf := func(i int) (meant, meets bool) {
		country, employees, pricing, stage := "", int64(0), 0, 1
		for _, e := range mine[:i] {
			switch b := e.Body.(type) {
			case *leadv1.LeadReceived:
				if !b.GetHistorical() {
					country, employees = b.GetFeatures().GetCountry(), b.GetFeatures().GetEmployees()
				}
			case *leadv1.SubmissionRevised:
				if !b.GetConflict() {
					country, employees = b.GetFeatures().GetCountry(), b.GetFeatures().GetEmployees()
				}
			case *leadv1.TouchAdded:
				// A touch that lies after the instant does not count.
				if b.GetKind() == "pricing-page" && !e.Occurred.After(mine[i].Recorded) {
					pricing++
				}
			}
		}
		if employees >= 20 && target.GetDefinition() == 1 || employees >= 100 {
			stage = 2
			for _, e := range mine[:i] {
				if b, ok := e.Body.(*leadv1.CallRecorded); ok && b.GetFitConfirmed() {
					stage = max(stage, 3)
					if b.HorizonMonths != nil {
						stage = 4
					}
				}
			}
		}
		wanted := map[feedbackv1.TargetOutcome]int{feedbackv1.TargetOutcome_TARGET_OUTCOME_SAL: 3, feedbackv1.TargetOutcome_TARGET_OUTCOME_SQL: 4}[target.GetOutcome()]
		return holds(country, pricing), stage >= max(2, wanted)
	}
	first := slices.IndexFunc(mine, func(e *ledger.Event) bool { _, ok := e.Body.(*leadv1.LeadOffered); return ok })
	judged := func(i int) bool {
		if first >= 0 && first < i {
			i = first
		}
		meant, meets := asOf(i)
		return meant && meets
	}
	if first >= 0 && inQuarter(mine[first].Occurred) {
		offer := mine[first].Body.(*leadv1.LeadOffered)
		if meant, meets := asOf(first); meant {
			out.Delivered = 1
			if meets {
				out.MetDefinition = 1
			}
			told := map[string]bool{}
			for _, e := range mine[first:] {
				switch b := e.Body.(type) {
				case *leadv1.NoticeQueued:
					if b.GetOffer() == offer.GetOffer() && b.GetMember() == offer.GetMember() {
						told[b.GetNoticeId()] = true
					}
				case *leadv1.NoticeSent:
					if b.GetDelivered() && told[b.GetNoticeId()] {
						out.Reached = 1
					}
				case *leadv1.NoticeOpened:
					if told[b.GetNoticeId()] {
						out.Reached = 1
					}
				case *leadv1.OfferAccepted:
					if b.GetOffer() == offer.GetOffer() && e.Occurred.Before(offer.GetTakeBy().AsTime()) {
						out.AcceptedInTime = 1
					}
				}
			}
		}
	}
	for i, e := range mine {
		before := func(is func(*ledger.Event) bool) bool { return slices.ContainsFunc(mine[:i], is) }
		switch b := e.Body.(type) {
		case *leadv1.LeadQualified:
			stage := map[feedbackv1.TargetOutcome]leadv1.Stage{1: 2, 2: 3, 3: 4}[target.GetOutcome()]
			already := before(func(e *ledger.Event) bool {
				b, ok := e.Body.(*leadv1.LeadQualified)
				return ok && b.GetStage() >= stage
			})
			if meant, meets := asOf(i); stage > 0 && b.GetStage() >= stage && !already && inQuarter(e.Occurred) && meant && meets {
				out.Result++
			}
		case *leadv1.OfferAccepted:
			already := before(func(e *ledger.Event) bool { _, ok := e.Body.(*leadv1.OfferAccepted); return ok })
			if target.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_ACCEPTED && !already && inQuarter(e.Occurred) && judged(i) {
				out.Result++
			}
		case *leadv1.OutcomeRecorded:
			won := func(e *ledger.Event) bool {
				b, ok := e.Body.(*leadv1.OutcomeRecorded)
				return ok && b.GetKind() == leadv1.OutcomeKind_OUTCOME_KIND_WON
			}
			if !won(e) || before(won) || !inQuarter(e.Occurred) || !judged(i) {
				continue
			}
			switch {
			case target.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON:
				out.Result++
			case target.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE && b.GetCurrency() == target.GetCurrency():
				out.Result += b.GetValueMinor()
			}
		}
	}
	return out
}

// Whatever the log holds, a count of it is what counting everything again gives, at every
// prefix; and what cannot count need not be read.
func TestResultsAreARecount(t *testing.T) {
	rules := starterRules(t)
	counted := map[string]int64{}
	draws := 0
	rapid.Check(t, func(t *rapid.T) {
		draws++
		events := history(t)
		var aims []Aim
		var holds []func(string, int) bool
		for n := range 12 {
			o := feedbackv1.TargetOutcome(1 + n%6)
			s := segments[rapid.IntRange(0, len(segments)-1).Draw(t, "segment")]
			segment, err := rules.Segment(s.source)
			if err != nil {
				t.Fatal(err)
			}
			target := &feedbackv1.Target{TargetId: TargetOutcomeWord(o), Outcome: o, Count: 3, Definition: int64(rapid.IntRange(1, 2).Draw(t, "definition")), Segment: s.source}
			if o == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE {
				target.Currency = "EUR"
			}
			aims, holds = append(aims, Aim{target, rules, segment}), append(holds, s.holds)
		}
		c := NewCount(aims, quarterFrom, quarterUntil, bySize)
		prefix := len(events) - rapid.IntRange(0, len(events)).Draw(t, "left out")
		for _, e := range events[:prefix] {
			if c.Reads(e.Subject, e.Type) {
				c.Apply(e)
			}
		}
		results := c.Results()
		for i, a := range aims {
			want := recounted(a.Target, holds[i], events[:prefix])
			if diff := cmp.Diff(want, results[i], protocmp.Transform()); diff != "" {
				t.Fatalf("%s (-counted again +counted):\n%s", a.GetTargetId(), diff)
			}
			counted[a.GetTargetId()] += results[i].GetResult()
			counted["met"] += results[i].GetMetDefinition()
			counted["reached"] += results[i].GetReached()
			counted["accepted in time"] += results[i].GetAcceptedInTime()
			for _, by := range []string{byWeek, byTeam, byPerson} {
				addsUp(t, c.Account(i, by, year), results[i])
			}
		}
	})
	t.Logf("counted: %v", counted)
	for _, what := range append(TargetOutcomes(), "met", "reached", "accepted in time") {
		if counted[what] == 0 && draws >= 100 {
			t.Errorf("nothing was ever counted as %s, so the test holds nothing of it", what)
		}
	}
}

// addsUp holds that the rows of a ledger add up to the total, and that to the result.
func addsUp(t *rapid.T, a *feedbackv1.TargetAccount, want *feedbackv1.TargetResult) {
	t.Helper()
	sum := &feedbackv1.TargetRow{Result: &feedbackv1.TargetResult{TargetId: want.GetTargetId()}}
	for _, row := range a.GetRows() {
		sum.Offers += row.GetOffers()
		agreed := sum.GetResult().GetAgreed() + row.GetResult().GetAgreed()
		sum.Result = plus(sum.GetResult(), row.GetResult())
		sum.Result.Agreed = agreed
	}
	sum.Result.Missed = want.GetMissed()
	if diff := cmp.Diff(a.GetTotal(), sum, protocmp.Transform()); diff != "" {
		t.Fatalf("the rows (+) do not add up to the total (-):\n%s", diff)
	}
	if diff := cmp.Diff(want, a.GetTotal().GetResult(), protocmp.Transform()); diff != "" {
		t.Fatalf("the total (+) is not the result (-):\n%s", diff)
	}
}

// The weeks of a quarter cover it from its first date to its last, each once, and share
// out what was agreed by their days.
func TestWeeksOfAQuarter(t *testing.T) {
	segment, err := starterRules(t).Segment("")
	if err != nil {
		t.Fatal(err)
	}
	c := NewCount([]Aim{{&feedbackv1.Target{TargetId: "all", Outcome: 1, Count: 90, Definition: 1}, nil, segment}}, quarterFrom, quarterUntil, bySize)
	var rows []string
	for _, row := range c.Account(0, byWeek, year).GetRows() {
		rows = append(rows, fmt.Sprintf("%s %d", row.GetKey(), row.GetResult().GetAgreed()))
	}
	// 1 January 2026 is a Thursday; 29 March has 23 hours.
	want := "2026-01-01 4, 2026-01-05 7, 2026-01-12 7, 2026-01-19 7, 2026-01-26 7, 2026-02-02 7, 2026-02-09 7, 2026-02-16 7, 2026-02-23 7, 2026-03-02 7, 2026-03-09 7, 2026-03-16 7, 2026-03-23 6, 2026-03-30 3"
	if got := strings.Join(rows, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What counts is when something happened, whenever it became known.
func TestLateWordsCountWhereTheyBelong(t *testing.T) {
	segment, err := starterRules(t).Segment("")
	if err != nil {
		t.Fatal(err)
	}
	before, inside, after := quarterFrom.Add(-time.Hour), quarterFrom.Add(time.Hour), quarterUntil.Add(time.Hour)
	deeds := map[feedbackv1.TargetOutcome]proto.Message{
		1: &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL}, 2: &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SAL}, 3: &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_SQL},
		4: &leadv1.OfferAccepted{Member: "ana", Offer: 1},
		5: &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 1, Currency: "EUR"},
		6: &leadv1.OutcomeRecorded{Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 1, Currency: "EUR"},
	}
	for outcome, deed := range deeds {
		for _, c := range []struct {
			name               string
			occurred, recorded time.Time
			want               int64
		}{
			{"in the quarter", inside, inside, 1},
			{"in the quarter, known after it", inside, after, 1},
			{"before the quarter, known in it", before, inside, 0},
			{"at its first instant", quarterFrom, quarterFrom, 1},
			{"at the first instant after it", quarterUntil, quarterUntil, 0},
		} {
			t.Run(TargetOutcomeWord(outcome)+" "+c.name, func(t *testing.T) {
				aim := Aim{&feedbackv1.Target{TargetId: "a", Outcome: outcome, Count: 1, Definition: 1, Currency: "EUR"}, nil, segment}
				count := NewCount([]Aim{aim}, quarterFrom, quarterUntil, bySize)
				say := func(occurred, recorded time.Time, body proto.Message) {
					count.Apply(&ledger.Event{Subject: "lead.l1", Type: ledger.TypeOf(body), Occurred: occurred, Recorded: recorded, Body: body})
				}
				say(before, before, &leadv1.LeadReceived{Features: &leadv1.Features{Employees: 50}})
				say(before, before, &leadv1.CallRecorded{CallId: "c", FitConfirmed: true, HorizonMonths: proto.Int64(3)})
				if outcome > 3 {
					say(before, before, &leadv1.LeadOffered{Member: "ana", Offer: 1, TakeBy: timestamppb.New(inside.Add(time.Hour))})
				}
				say(c.occurred, c.recorded, deed)
				got := count.Results()[0]
				if got.GetResult() != c.want || got.GetDelivered() != 0 || got.GetMissed() != (c.want == 0) {
					t.Errorf("got %v; want a result of %d", got, c.want)
				}
			})
		}
	}
}
