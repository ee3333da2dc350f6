package report

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// start is when the stories of these tests begin.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// story is a log in the making.
type story struct {
	events []*ledger.Event
}

// say appends an event that becomes known when it happens.
func (st *story) say(leadID string, at time.Time, body proto.Message) *ledger.Event {
	e := &ledger.Event{
		Seq: uint64(len(st.events) + 1), Subject: lead.SubjectOf(leadID),
		ID: fmt.Sprintf("e%d", len(st.events)+1), Type: string(body.ProtoReflect().Descriptor().FullName()),
		Occurred: at, Recorded: at, Body: body,
	}
	st.events = append(st.events, e)
	return e
}

func (st *story) received(leadID string, at time.Time, change func(*leadv1.LeadReceived)) {
	b := &leadv1.LeadReceived{
		SourceId: "s-web", Source: "web", SubmissionId: "sub-" + leadID, ReceivedAt: timestamppb.New(at),
		Features: &leadv1.Features{Country: "DE", Attribution: &leadv1.Attribution{Campaign: "spring"}},
	}
	if change != nil {
		change(b)
	}
	st.say(leadID, at, b)
}

// offer appends a turn of a pool: the lead's own event and the pool's, in one batch.
// There are those of seats, as seatsText writes them.
func (st *story) offer(leadID string, at time.Time, pool, member string, kind leadv1.TurnKind, n int32, there string) *leadv1.LeadOffered {
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_OFFERED, LeadId: leadID, Pool: pool, Member: member, Turn: kind, Offer: n}
	offered := &leadv1.LeadOffered{
		AgreementVersion: 1, Pool: pool, Group: "g", Member: member, Offer: n, TakeBy: timestamppb.New(at.Add(time.Hour)), Rule: "r", Turn: kind, Summary: "next in turn",
	}
	for _, s := range readSeats(there) {
		if s.owed {
			step.Owed, step.OwedWeights = append(step.Owed, s.member), append(step.OwedWeights, s.weight)
			continue
		}
		step.Eligible, step.Weights = append(step.Eligible, s.member), append(step.Weights, s.weight)
		offered.Considered = append(offered.Considered, &leadv1.Candidate{Member: s.member, Eligible: true, Weight: s.weight})
	}
	st.say(leadID, at, offered)
	st.ofPool(at, step)
	return offered
}

// adjust appends a change of somebody's books.
func (st *story) adjust(at time.Time, pool, member string, kind leadv1.TurnKind, leadID string, leads int64, others string) {
	step := &routingv1.PoolStep{Kind: routingv1.StepKind_STEP_KIND_ADJUSTED, LeadId: leadID, Pool: pool, Member: member, Turn: kind, Leads: leads}
	for _, s := range readSeats(others) {
		step.Eligible, step.Weights = append(step.Eligible, s.member), append(step.Weights, s.weight)
	}
	st.ofPool(at, step)
}

func (st *story) ofPool(at time.Time, steps ...*routingv1.PoolStep) {
	e := st.say("", at, &routingv1.PoolAdvanced{Steps: steps})
	e.Subject = lead.SubjectPool + "g"
}

func explained(summary string) *leadv1.Explanation { return &leadv1.Explanation{Summary: summary} }

// lead folds what had occurred by then.
func (st *story) lead(id string, asOf time.Time) *lead.State {
	s := &lead.State{ID: id}
	for _, e := range st.events {
		if e.Subject == lead.SubjectOf(id) && !e.Occurred.After(asOf) {
			s.Evolve(e.Body, e.Occurred, e.Recorded)
		}
	}
	return s
}

// leads lists the ids in the order of their first event.
func (st *story) leads() []string {
	var ids []string
	for _, e := range st.events {
		if id, ok := lead.FromSubject(e.Subject); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// drawStory draws leads whose events come interleaved. Time goes forward for
// each lead, but for touches, outcomes and revisions, which may become known late; the order of what
// happens is not always a sensible one.
func drawStory(t *rapid.T) *story {
	st := &story{}
	members := []string{"ana", "ben", "cy"}
	// Sampled, not ranged: ranges prefer small numbers, and most stories would be
	// of one lead that is refused at once.
	n := rapid.SampledFrom([]int{1, 2, 3, 5, 7}).Draw(t, "leads")
	type one struct {
		at, received time.Time
		offers       int32
		refused      bool
		historical   bool
		features     *leadv1.Features
	}
	leads := make([]*one, n)
	each := make([]int, n)
	for i := range each {
		each[i] = i
	}
	// What becomes known late occurred somewhere since receipt.
	late := func(at, received time.Time) time.Time {
		return at.Add(-time.Duration(rapid.SampledFrom([]int{0, 1, 2, 3}).Draw(t, "late")) * at.Sub(received) / 3)
	}
	steps := n * rapid.SampledFrom([]int{1, 4, 12}).Draw(t, "steps")
	for range steps {
		i := rapid.SampledFrom(each).Draw(t, "lead")
		id := fmt.Sprintf("l%d", i)
		if leads[i] == nil {
			at := start.Add(rapid.SampledFrom([]time.Duration{0, time.Hour, 26 * time.Hour, 20 * 24 * time.Hour, 26*24*time.Hour + 13*time.Hour, 29*24*time.Hour + 14*time.Hour, 50 * 24 * time.Hour}).Draw(t, "received"))
			leads[i] = &one{at: at, received: at}
			st.received(id, at, func(b *leadv1.LeadReceived) {
				b.Source = rapid.SampledFrom([]string{"web", "fair"}).Draw(t, "source")
				b.Historical = rapid.SampledFrom([]bool{true, false, false, false}).Draw(t, "historical")
				b.Features.Country = rapid.SampledFrom([]string{"", "DE", "FR"}).Draw(t, "country")
				b.Features.Attribution.Campaign = rapid.SampledFrom([]string{"", "spring", "autumn"}).Draw(t, "campaign")
				b.Features.Attribution.Landing = rapid.SampledFrom([]string{"", "example.com/price"}).Draw(t, "landing")
				drawCompany(t, b.Features)
				leads[i].features, leads[i].historical = b.Features, b.Historical
			})
			continue
		}
		l := leads[i]
		l.at = l.at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 59, 60, 61, 24 * 60, 24*60 + 1, 9 * 24 * 60}).Draw(t, "minutes")) * time.Minute)
		member := rapid.SampledFrom(members).Draw(t, "member")
		if l.refused {
			st.say(id, l.at, &leadv1.SubmissionRepeated{Delivery: &leadv1.DeliveryRef{DeliveryId: fmt.Sprintf("d%d", len(st.events))}})
			continue
		}
		version := rapid.Int64Range(1, 3).Draw(t, "version")
		delivery := &leadv1.DeliveryRef{DeliveryId: fmt.Sprintf("d%d", len(st.events))}
		switch rapid.SampledFrom([]int{0, 1, 2, 3, 3, 3, 6, 6, 7, 7, 7, 10, 10, 11, 12, 13, 14, 14, 15, 15, 16, 17, 18, 18, 19, 20, 22, 22, 23, 23, 24}).Draw(t, "kind") {
		case 0:
			l.refused = true
			st.say(id, l.at, &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: "honeypot"})
		case 1:
			st.say(id, l.at, &leadv1.SubmissionRepeated{Delivery: delivery})
		case 2:
			st.say(id, l.at, &leadv1.TouchAdded{Delivery: delivery, Kind: "form"})
		case 16:
			revised := proto.CloneOf(l.features)
			drawCompany(t, revised)
			st.say(id, late(l.at, l.received), &leadv1.SubmissionRevised{Delivery: delivery, Features: revised, Conflict: rapid.Bool().Draw(t, "conflict")}).Recorded = l.at
		case 3:
			st.say(id, l.at, &leadv1.LeadQualified{
				Stage:            leadv1.Stage(rapid.IntRange(2, 4).Draw(t, "stage")),
				AgreementVersion: version, Persona: rapid.SampledFrom([]string{"", "initiator", "brake"}).Draw(t, "persona"),
				Explanation: explained("fits"), Purpose: rapid.SampledFrom([]string{"", "retention", "new-business"}).Draw(t, "purpose"),
			})
		case 6:
			b := &leadv1.LeadNurtured{AgreementVersion: version, Reason: rapid.SampledFrom([]string{"profile", "profile", "persona", "rejected"}).Draw(t, "why"), Explanation: explained("too small")}
			b.Purpose = rapid.SampledFrom([]string{"", "", "retention"}).Draw(t, "purpose")
			if days := rapid.SampledFrom([]int{0, 5, 30}).Draw(t, "again after"); days > 0 {
				b.RecheckAt = timestamppb.New(l.at.Add(time.Duration(days) * 24 * time.Hour))
			}
			if days := rapid.SampledFrom([]int{0, 7}).Draw(t, "next touch after"); days > 0 {
				b.NextTouch, b.NextTouchDue = "letter", timestamppb.New(l.at.Add(time.Duration(days)*24*time.Hour))
			}
			st.say(id, l.at, b)
		case 17:
			st.say(id, l.at, &leadv1.NurtureAdvanced{AgreementVersion: version, Touch: "letter", Made: 1, NextTouch: "call", NextTouchDue: timestamppb.New(l.at.Add(21 * 24 * time.Hour))})
		case 18:
			moved := &leadv1.LeadReassigned{From: member, Reason: "other", BatchId: fmt.Sprintf("b%d", len(st.events)), Excluded: []string{member}}
			switch rapid.IntRange(0, 3).Draw(t, "move") {
			case 1:
				moved.To = rapid.SampledFrom(members).Draw(t, "to")
			case 2:
				moved.Undoes, moved.WaitingSince = "b0", timestamppb.New(l.received)
			case 3:
				moved.To, moved.Undoes, moved.Accepted, moved.Pool, moved.Group = rapid.SampledFrom(members).Draw(t, "to"), "b0", true, "field", "g"
				moved.Working = rapid.Bool().Draw(t, "working")
			}
			st.say(id, l.at, moved)
		case 7:
			l.offers++
			kind := rapid.SampledFrom([]leadv1.TurnKind{1, 1, 1, 2, 3, 4}).Draw(t, "turn")
			there := rapid.SampledFrom([]string{"ana=1 ben=1 cy=1", "ana=2 ben=1", "cy=3", "ana=1 ben=1 | cy=2", ""}).Draw(t, "there")
			st.offer(id, l.at, rapid.SampledFrom([]string{"inside", "field"}).Draw(t, "pool"), member, kind, l.offers, there).AgreementVersion = version
			if rapid.SampledFrom([]bool{false, false, true}).Draw(t, "adjusted") {
				st.adjust(l.at, "inside", member, kind, id, rapid.Int64Range(-2, 2).Draw(t, "by"), rapid.SampledFrom([]string{"", "dan=1 eve=2"}).Draw(t, "off"))
			}
		case 10:
			st.say(id, l.at, &leadv1.OfferAccepted{Member: member, Offer: max(l.offers, 1)})
		case 11:
			st.say(id, l.at, &leadv1.OfferRejected{
				Member: member, Offer: max(l.offers, 1), Reason: rapid.SampledFrom([]string{"no-budget", "no-budget", "too-small"}).Draw(t, "reason"), AgreementVersion: version,
				Consequence: leadv1.Consequence(rapid.IntRange(1, 3).Draw(t, "consequence")),
			})
			if rapid.SampledFrom([]bool{false, false, true}).Draw(t, "credited") {
				st.adjust(l.at, "inside", member, leadv1.TurnKind_TURN_KIND_CREDIT, id, 1, "")
			}
		case 12:
			st.say(id, l.at, &leadv1.OfferTimedOut{Member: member, Offer: max(l.offers, 1), DueAt: timestamppb.New(l.at), FiredAt: timestamppb.New(l.at)})
		case 13:
			st.say(id, l.at, &leadv1.LeadQueued{AgreementVersion: version, Pool: "inside", Group: "g", BlockedBy: "full", Text: "everybody is full"})
		case 14:
			// A touch that became known late: it occurred somewhere since receipt.
			at := late(l.at, l.received)
			if rapid.Bool().Draw(t, "call") {
				st.say(id, at, &leadv1.CallRecorded{CallId: fmt.Sprintf("c%d", len(st.events)), Member: member, Reached: true}).Recorded = l.at
			} else {
				st.say(id, at, &leadv1.OutcomeRecorded{
					Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Member: member, Channel: rapid.SampledFrom([]string{"call", "mail"}).Draw(t, "channel"),
					Direction: rapid.SampledFrom([]string{"", "in", "out"}).Draw(t, "direction"), Reached: rapid.Bool().Draw(t, "reached"), Minutes: 5,
				}).Recorded = l.at
			}
		case 24:
			st.clock(t, id, l.at, l.received)
		case 22:
			st.feedback(t, id, l.at, member)
		case 23:
			st.dispute(t, id, l.at)
		case 15:
			st.say(id, late(l.at, l.received), &leadv1.OutcomeRecorded{
				Kind: leadv1.OutcomeKind(rapid.IntRange(2, 4).Draw(t, "outcome")), Member: member,
				Historical: l.historical && rapid.Bool().Draw(t, "stated"), Reason: "price",
				ValueMinor: rapid.SampledFrom([]int64{0, 100, 2500}).Draw(t, "value"), Currency: rapid.SampledFrom([]string{"EUR", "EUR", "CHF", "KWD"}).Draw(t, "currency"),
			}).Recorded = l.at
		case 19:
			e := st.say("", l.at, &routingv1.MemberPlaced{
				Member: member, Team: rapid.SampledFrom([]string{"", "north", "south"}).Draw(t, "team"),
				Manager: rapid.SampledFrom([]string{"", "mia"}).Draw(t, "manager"), Office: rapid.SampledFrom([]string{"", "berlin", "bonn"}).Draw(t, "office"),
			})
			e.Subject = "org.member." + member
		case 20:
			st.say(id, l.at, &leadv1.TouchAdded{Delivery: delivery, Kind: lead.SameForm, Attribution: &leadv1.Attribution{Campaign: "later", Landing: "example.com/other"}})
		}
	}
	return st
}

// drawCompany draws what a submission says of the company.
func drawCompany(t *rapid.T, f *leadv1.Features) {
	f.Employees = rapid.SampledFrom([]int64{0, 1, 9, 10, 49, 50, 249, 250, 999, 1000, 1 << 40}).Draw(t, "employees")
	f.Industry = rapid.SampledFrom([]string{"", "retail", "metal"}).Draw(t, "industry")
	f.Product = rapid.SampledFrom([]string{"", "crm"}).Draw(t, "product")
}

// openStore opens a fresh read model in a file of its own.
func openStore(t testing.TB) *Store {
	t.Helper()
	s, err := Open(context.Background(), filepath.Join(t.TempDir(), "read.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

type fataler interface {
	Helper()
	Fatal(args ...any)
}

// refill empties the store and applies events in batches of the given size.
func refill(t fataler, s *Store, events []*ledger.Event, size int) {
	t.Helper()
	ctx := context.Background()
	if err := s.Reset(ctx, "log"); err != nil {
		t.Fatal(err)
	}
	for batch := range slices.Chunk(events, size) {
		if err := s.Apply(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
}

// forget drops what the store remembers between batches.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
}

// dump reads a table row by row, as text.
func dump(t fataler, s *Store, table, order string) []string {
	t.Helper()
	rows, err := s.read.Query("SELECT * FROM " + table + " ORDER BY " + order)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		values, at := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			at[i] = &values[i]
		}
		if err := rows.Scan(at...); err != nil {
			t.Fatal(err)
		}
		line := ""
		for i, c := range columns {
			line += fmt.Sprintf("%s=%v ", c, values[i])
		}
		out = append(out, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func dumpAll(t fataler, s *Store) map[string][]string {
	t.Helper()
	return map[string][]string{
		"position":      dump(t, s, "position", "id"),
		"leads":         dump(t, s, "leads", "lead_id"),
		"stage_history": dump(t, s, "stage_history", "sequence"),
		"assignments":   dump(t, s, "assignments", "sequence"),
		"duplicates":    dump(t, s, "duplicates", "sequence"),
		"versions":      dump(t, s, "agreement_versions", "version"),
		"turns":         dump(t, s, "turns", "sequence, step"),
		"sets":          dump(t, s, "turn_sets", "set_id"),
		"pool_seats":    dump(t, s, "pool_seats", "pool"),
		"adjustments":   dump(t, s, "turn_adjustments", "sequence, step"),
		"members":       dump(t, s, "members", "member, from_at"),
		"touches":       dump(t, s, "touches", "sequence"),
		"rejections":    dump(t, s, "rejections", "sequence"),
		"feedback":      dump(t, s, "feedback", "sequence"),
		"disputes":      dump(t, s, "disputes", "dispute_id"),
		"rides":         dump(t, s, "rides", "lead_id, ride_id"),
		"standings":     dump(t, s, "standings", "lead_id, from_at"),
		"courses":       dump(t, s, "courses", "lead_id"),
		"places":        dump(t, s, "member_places", "member, from_at"),
	}
}
