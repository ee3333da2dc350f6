package feedback

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// start is when these tests begin.
var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// memory is a log in memory, with its writer.
type memory struct {
	events []*ledger.Event
	clock  clock.Clock
	// before is called once between reading and writing: what somebody faster does.
	before func()
	// swallow writes, and answers as if nothing came back.
	swallow bool
}

// say appends an event that becomes known when it happens.
func (m *memory) say(leadID string, at time.Time, body proto.Message) *ledger.Event {
	e := &ledger.Event{
		Seq: uint64(len(m.events) + 1), Subject: lead.SubjectOf(leadID),
		Type:     string(body.ProtoReflect().Descriptor().FullName()),
		Occurred: at, Recorded: at, Body: body,
	}
	m.events = append(m.events, e)
	return e
}

func (m *memory) lead(id string) *lead.State {
	s := &lead.State{ID: id}
	for _, e := range m.events {
		if e.Subject == lead.SubjectOf(id) {
			s.Evolve(e.Body, e.Occurred, e.Recorded)
		}
	}
	return s
}

func (m *memory) History(_ context.Context, subject string) ([]*ledger.Event, error) {
	var out []*ledger.Event
	for _, e := range m.events {
		if e.Subject == subject {
			out = append(out, e)
		}
	}
	return out, nil
}

func (m *memory) Follow(_ context.Context, from uint64, fn func(*ledger.Event) error) error {
	for _, e := range m.events {
		if e.Seq >= from && from > 0 {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memory) Say(_ context.Context, decide func(*lead.State, uint64) ([]ledger.Draft, error), leadID string) (uint64, error) {
	if f := m.before; f != nil {
		m.before = nil
		f()
	}
	drafts, err := decide(m.lead(leadID), uint64(len(m.events)))
	if err != nil {
		return 0, err
	}
	for _, d := range drafts {
		e := m.say(leadID, d.Occurred, d.Body)
		e.Subject, e.Cause, e.Actor, e.Recorded = d.Subject, d.Cause, d.Actor, m.clock.Now()
	}
	if m.swallow {
		return 0, fault.New(fault.Unavailable, "no answer came")
	}
	return uint64(len(m.events)), nil
}

// ownedByAna is a log with one lead that ana has accepted.
func ownedByAna() *memory {
	m := &memory{clock: clock.NewVirtual(start.Add(3 * time.Hour))}
	m.say("l1", start, &leadv1.LeadReceived{Source: "web", ReceivedAt: timestamppb.New(start)})
	m.say("l1", start.Add(time.Hour), &leadv1.LeadOffered{AgreementVersion: 1, Pool: "p", Group: "g", Member: "ana", Offer: 1, TakeBy: timestamppb.New(start), Turn: 1, Summary: "next"})
	m.say("l1", start.Add(2*time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	return m
}

func outcomes(m *memory) (*Outcomes, *[]string) {
	var sealed []string
	return NewOutcomes(m, m, func(_ context.Context, keyID string, plain, aad []byte) (*leadv1.Sealed, error) {
		sealed = append(sealed, keyID+" "+string(plain)+" "+string(aad))
		return &leadv1.Sealed{KeyId: keyID}, nil
	}, m.clock), &sealed
}

func TestRecordOutcome(t *testing.T) {
	m := ownedByAna()
	o, sealed := outcomes(m)
	ctx := access.With(context.Background(), ana)
	req := &feedbackv1.RecordOutcomeRequest{
		LeadId: "l1", IdempotencyKey: "k-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, ValueMinor: 100, Currency: "EUR",
		Note: "private words", OccurredAt: timestamppb.New(start.Add(150 * time.Minute)),
	}
	first, err := o.RecordOutcome(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	e := m.events[first.GetSequence()-1]
	body, ok := e.Body.(*leadv1.OutcomeRecorded)
	if !ok || e.Actor != "ana" || e.Cause != "cmd:k-1" || !e.Occurred.Equal(start.Add(150*time.Minute)) || !e.Recorded.Equal(start.Add(3*time.Hour)) {
		t.Fatalf("written: %+v", e)
	}
	if len(*sealed) != 1 || !strings.Contains((*sealed)[0], "private words") || !strings.Contains((*sealed)[0], "l1") {
		t.Errorf("sealed %q; want the note, bound to its lead", *sealed)
	}
	if text := body.String(); strings.Contains(text, "private") || body.GetNote().GetKeyId() == "" {
		t.Errorf("the note is not sealed: %s", text)
	}
	// Once more: the lead is won by now, and the answer is the first one's.
	again, err := o.RecordOutcome(ctx, req)
	if err != nil || again.GetSequence() != first.GetSequence() || len(m.events) != 4 {
		t.Fatalf("the repeat: %v, %v with %d events; want sequence %d and 4 events", again, err, len(m.events), first.GetSequence())
	}
	// The same key for something else is a mistake worth telling.
	_, err = o.RecordOutcome(ctx, &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("the same key for a touch: %v; want a conflict", err)
	}
	_, err = o.RecordOutcome(access.With(context.Background(), manager), req)
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("the same key from somebody else: %v; want a conflict", err)
	}
	req.IdempotencyKey = "k-2"
	if _, err = o.RecordOutcome(ctx, req); !fault.Is(err, fault.State) {
		t.Errorf("won again under a new key: %v; want a fault that says the lead is won", err)
	}
}

func TestRecordOutcomeRefuses(t *testing.T) {
	m := ownedByAna()
	o, _ := outcomes(m)
	signedIn := access.With(context.Background(), ana)
	won := func(id, key string) *feedbackv1.RecordOutcomeRequest {
		return &feedbackv1.RecordOutcomeRequest{LeadId: id, IdempotencyKey: key, Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON}
	}
	for name, test := range map[string]struct {
		ctx  context.Context
		req  *feedbackv1.RecordOutcomeRequest
		want fault.Kind
	}{
		"nobody":       {context.Background(), won("l1", "k"), fault.Unauthenticated},
		"no key":       {signedIn, won("l1", ""), fault.Invalid},
		"a wild id":    {signedIn, won("l1.>", "k"), fault.NotFound},
		"an unknown":   {signedIn, won("l2", "k"), fault.NotFound},
		"not theirs":   {access.With(context.Background(), ben), won("l1", "k"), fault.Denied},
		"no kind said": {signedIn, &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k"}, fault.Invalid},
	} {
		if _, err := o.RecordOutcome(test.ctx, test.req); !fault.Is(err, test.want) {
			t.Errorf("%s: %v; want %s", name, err, test.want)
		}
	}
	if len(m.events) != 3 {
		t.Errorf("%d events; a refused call writes none", len(m.events))
	}
}

// A touch could be recorded any number of times; the same one is not.
func TestRecordOutcomeTouchIsRepeatedOnce(t *testing.T) {
	m := ownedByAna()
	o, _ := outcomes(m)
	ctx := access.With(context.Background(), ana)
	req := &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_TOUCH, Channel: "call"}
	for range 2 {
		if got, err := o.RecordOutcome(ctx, req); err != nil || got.GetSequence() != 4 {
			t.Fatalf("%v, %v; want sequence 4 both times", got, err)
		}
	}
	req.IdempotencyKey = "k-2"
	if got, err := o.RecordOutcome(ctx, req); err != nil || got.GetSequence() != 5 || len(m.events) != 5 {
		t.Fatalf("another touch: %v, %v, %d events; want a fifth event", got, err, len(m.events))
	}
}

func TestRecordOutcomeTwiceAtOnce(t *testing.T) {
	m := ownedByAna()
	o, _ := outcomes(m)
	ctx := access.With(context.Background(), ana)
	req := &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON}
	var inner *feedbackv1.RecordOutcomeResponse
	m.before = func() {
		var err error
		if inner, err = o.RecordOutcome(ctx, req); err != nil {
			t.Error(err)
		}
	}
	outer, err := o.RecordOutcome(ctx, req)
	if err != nil || outer.GetSequence() != inner.GetSequence() || len(m.events) != 4 {
		t.Fatalf("twice at once: %v and %v, %v, %d events; want one event and one answer", inner, outer, err, len(m.events))
	}
}

func TestRecordOutcomeUnansweredWriteIsLookedUp(t *testing.T) {
	m := ownedByAna()
	m.swallow = true
	o, _ := outcomes(m)
	got, err := o.RecordOutcome(access.With(context.Background(), ana), &feedbackv1.RecordOutcomeRequest{LeadId: "l1", IdempotencyKey: "k-1", Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON})
	if err != nil || got.GetSequence() != 4 {
		t.Fatalf("%v, %v; the event stands, so its sequence is the answer", got, err)
	}
}
