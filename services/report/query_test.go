package report

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// ana sells.
var ana = access.Actor{Handle: "ana", Roles: []string{access.Sales}}

// memory is a log in memory.
type memory struct {
	story
	clock clock.Clock
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

// ownedByAna is a log with one lead that ana has accepted.
func ownedByAna() *memory {
	m := &memory{clock: clock.NewVirtual(start.Add(3 * time.Hour))}
	m.received("l1", start, func(b *leadv1.LeadReceived) { b.Personal = &leadv1.Sealed{KeyId: "k1"} })
	m.say("l1", start.Add(time.Hour), &leadv1.LeadOffered{AgreementVersion: 1, Pool: "p", Group: "g", Member: "ana", Offer: 1, TakeBy: timestamppb.New(start), Turn: 1, Summary: "next"})
	m.say("l1", start.Add(2*time.Hour), &leadv1.OfferAccepted{Member: "ana", Offer: 1})
	return m
}

func leads(t *testing.T, m *memory) *Leads {
	return NewLeads(openStore(t), m, func(_ context.Context, id string, sealed *leadv1.Sealed) (*leadv1.PersonalData, error) {
		if sealed.GetKeyId() == "gone" {
			return nil, fault.New(fault.NotFound, "the key is gone")
		}
		return &leadv1.PersonalData{Email: id + "@example.com"}, nil
	})
}

func TestGetLead(t *testing.T) {
	m := ownedByAna()
	// Known late: ana had called before she accepted.
	m.say("l1", start.Add(90*time.Minute), &leadv1.CallRecorded{CallId: "c1", Member: "ana", Reached: true}).Recorded = start.Add(3 * time.Hour)
	l := leads(t, m)
	ctx := access.With(context.Background(), ana)
	at := func(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(start.Add(d)) }
	for name, test := range map[string]struct {
		req     *leadv1.GetLeadRequest
		state   leadv1.State
		touches int64
		last    uint64
	}{
		"now":                      {&leadv1.GetLeadRequest{}, leadv1.State_STATE_ACCEPTED, 1, 4},
		"as of the offer":          {&leadv1.GetLeadRequest{AsOf: at(time.Hour)}, leadv1.State_STATE_OFFERED, 0, 2},
		"as of the call":           {&leadv1.GetLeadRequest{AsOf: at(90 * time.Minute)}, leadv1.State_STATE_OFFERED, 1, 4},
		"known before it was told": {&leadv1.GetLeadRequest{KnownAt: at(150 * time.Minute)}, leadv1.State_STATE_ACCEPTED, 0, 3},
		"both":                     {&leadv1.GetLeadRequest{AsOf: at(90 * time.Minute), KnownAt: at(150 * time.Minute)}, leadv1.State_STATE_OFFERED, 0, 2},
	} {
		test.req.LeadId = "l1"
		got, err := l.GetLead(ctx, test.req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.GetState() != test.state || got.GetTouches() != test.touches || got.GetSequence() != test.last {
			t.Errorf("%s: %v, %d touches, sequence %d; want %v, %d, %d", name, got.GetState(), got.GetTouches(), got.GetSequence(), test.state, test.touches, test.last)
		}
	}
	for name, req := range map[string]*leadv1.GetLeadRequest{
		"unknown":         {LeadId: "l2"},
		"a wild id":       {LeadId: "l1.>"},
		"before it began": {LeadId: "l1", AsOf: at(-time.Second)},
	} {
		if _, err := l.GetLead(ctx, req); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v; want that there is none", name, err)
		}
	}
}

// Who answers for a lead at any time is who owned its stage then, by the version
// that was in force then.
func TestWhoIsAccountableAtAnyTime(t *testing.T) {
	m := &memory{}
	m.say("l1", start, &leadv1.LeadReceived{Source: "web"})
	m.say("l1", start.Add(time.Hour), &leadv1.LeadQualified{Stage: leadv1.Stage_STAGE_MQL, AgreementVersion: 1})
	m.say("l1", start.Add(4*time.Hour), &leadv1.LeadNurtured{AgreementVersion: 2})
	l := leads(t, m)
	rules := func(edits ...string) *agreement.Agreement {
		keys := [2]ed25519.PublicKey{append(make([]byte, 31), 1), append(make([]byte, 31), 2)}
		a, err := agreement.Compile([]byte(strings.NewReplacer(edits...).Replace(string(agreement.Starter(agreement.StarterParams{MarketingKey: keys[0], SalesKey: keys[1]})))))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := rules(), rules("owner: Head of sales", "owner: Somebody else", "title: Marketing qualified lead", "title: Warm", "recheck_after: 30d\n  owner: Head of marketing", "recheck_after: 30d\n  owner: Nurse")
	l.InForce = func(at time.Time) (int64, *agreement.Agreement) {
		switch {
		case at.IsZero() || !at.Before(start.Add(2*time.Hour)):
			return 2, second
		case at.Before(start.Add(30 * time.Minute)):
			return 0, nil
		}
		return 1, first
	}
	for after, want := range map[time.Duration]string{
		0:                "0  ",
		time.Hour - 1:    "1 Head of marketing Lead",
		time.Hour:        "1 Head of sales Marketing qualified lead",
		2 * time.Hour:    "2 Somebody else Warm",
		4*time.Hour - 1:  "2 Somebody else Warm",
		4 * time.Hour:    "2 Nurse Warm",
		1000 * time.Hour: "2 Nurse Warm",
	} {
		got, err := l.GetLead(access.With(context.Background(), ana), &leadv1.GetLeadRequest{LeadId: "l1", AsOf: timestamppb.New(start.Add(after))})
		if said := fmt.Sprintf("%d %s %s", got.GetAccountableVersion(), got.GetAccountable(), got.GetStageTitle()); err != nil || said != want {
			t.Errorf("after %s it is %q, not %q: %v", after, said, want, err)
		}
	}
	if got, err := l.GetLead(access.With(context.Background(), ana), &leadv1.GetLeadRequest{LeadId: "l1"}); err != nil || got.GetAccountable() != "Nurse" {
		t.Errorf("now it is %q: %v", got.GetAccountable(), err)
	}
}

func TestGetLeadShowsPersonalDataByRole(t *testing.T) {
	m := ownedByAna()
	l := leads(t, m)
	for _, role := range access.Roles() {
		got, err := l.GetLead(access.With(context.Background(), access.Actor{Handle: "x", Roles: []string{role}}), &leadv1.GetLeadRequest{LeadId: "l1"})
		if err != nil {
			t.Fatal(err)
		}
		may := role != access.Auditor && role != access.Arbiter
		if (got.GetPersonal().GetEmail() == "l1@example.com") != may {
			t.Errorf("%s sees %v", role, got.GetPersonal())
		}
	}
	if got, err := l.GetLead(context.Background(), &leadv1.GetLeadRequest{LeadId: "l1"}); err != nil || got.GetPersonal() != nil {
		t.Errorf("nobody sees %v, %v; want nothing", got.GetPersonal(), err)
	}
	received, ok := m.events[0].Body.(*leadv1.LeadReceived)
	if !ok {
		t.Fatal("the first event is not the receipt")
	}
	received.Personal.KeyId = "gone"
	if got, err := l.GetLead(access.With(context.Background(), ana), &leadv1.GetLeadRequest{LeadId: "l1"}); err != nil || got.GetPersonal() != nil {
		t.Errorf("after erasure: %v, %v; want the lead without personal data", got.GetPersonal(), err)
	}
}

func TestGetHistory(t *testing.T) {
	m := ownedByAna()
	m.events[2].TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	m.events[2].Agreement = 3
	got, err := leads(t, m).GetHistory(context.Background(), &leadv1.GetHistoryRequest{LeadId: "l1"})
	if err != nil {
		t.Fatal(err)
	}
	want := &leadv1.HistoryEntry{
		Sequence: 3, EventId: "e3", Type: "baton.lead.v1.OfferAccepted", LeadId: "l1",
		OccurredAt: timestamppb.New(start.Add(2 * time.Hour)), RecordedAt: timestamppb.New(start.Add(2 * time.Hour)),
		Sentence: "ana accepted offer 1.", Json: `{"member":"ana","offer":1}`,
		TraceId: "0af7651916cd43dd8448eb211c80319c", AgreementVersion: "3",
	}
	if len(got.GetEntries()) != 3 {
		t.Fatalf("%d entries; want 3", len(got.GetEntries()))
	}
	if diff := cmp.Diff(want, got.GetEntries()[2], protocmp.Transform()); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func TestEntryLeavesProofsOfSecretsOut(t *testing.T) {
	for _, e := range []*ledger.Event{
		{Body: &routingv1.MemberAdded{Member: "ana", TokenHash: []byte("0123456789abcdef0123456789abcdef")}},
		{Body: &routingv1.MemberTokenRenewed{Member: "ana", TokenHash: []byte("0123456789abcdef0123456789abcdef")}},
		{Body: &intakev1.SourceDeclared{Name: "web", TokenHash: []byte("0123456789abcdef0123456789abcdef"), Verification: &intakev1.Verification{Algorithm: "hmac-sha256", SecretRef: "file:/secret"}}},
	} {
		got, err := Entry(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.ToLower(got.GetJson()), "hash") || strings.Contains(got.GetJson(), "secret") || !json.Valid([]byte(got.GetJson())) {
			t.Errorf("JSON for readers: %s", got.GetJson())
		}
	}
}

// watched collects what is streamed and gives up after so many.
type watched struct {
	grpc.ServerStream
	got   []uint64
	after int
}

func (w *watched) Context() context.Context { return context.Background() }

func (w *watched) Send(e *leadv1.HistoryEntry) error {
	w.got = append(w.got, e.GetSequence())
	if len(w.got) == w.after {
		return errGone
	}
	return nil
}

var errGone = errors.New("the reader is gone")

func TestWatchEvents(t *testing.T) {
	m := ownedByAna()
	l := leads(t, m)
	w := &watched{}
	if err := l.WatchEvents(&leadv1.WatchEventsRequest{FromSequence: 2}, w); err != nil || !slices.Equal(w.got, []uint64{2, 3}) {
		t.Errorf("from 2: %v, %v; want 2 and 3", w.got, err)
	}
	w = &watched{after: 1}
	if err := l.WatchEvents(&leadv1.WatchEventsRequest{FromSequence: 1}, w); !errors.Is(err, errGone) || len(w.got) != 1 {
		t.Errorf("a reader that left: %v, %v; want an end after one", w.got, err)
	}
}

type fixedStatus struct{}

func (fixedStatus) Status(context.Context) (*feedbackv1.GetStatusResponse, error) {
	return &feedbackv1.GetStatusResponse{LedgerSequence: 9, IntakePending: 2}, nil
}

func TestGetStatus(t *testing.T) {
	m := ownedByAna()
	s := openStore(t)
	if err := s.Apply(context.Background(), m.events); err != nil {
		t.Fatal(err)
	}
	got, err := NewReports(s, nil, fixedStatus{}, m.clock).GetStatus(context.Background(), &feedbackv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := &feedbackv1.GetStatusResponse{LedgerSequence: 9, IntakePending: 2, ReadSequence: 3, Now: timestamppb.New(start.Add(3 * time.Hour))}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestGetReportChecksWhatIsAsked(t *testing.T) {
	r := NewReports(openStore(t), nil, fixedStatus{}, clock.NewVirtual(start))
	for name, req := range map[string]*feedbackv1.GetReportRequest{
		"there is no report":             {Report: "weather"},
		"cannot be split by":             {Report: "funnel", By: "person; DROP TABLE leads"},
		"before it begins":               {Report: "funnel", From: timestamppb.New(start), To: timestamppb.New(start)},
		"counted from 1":                 {Report: "funnel", Definition: -1},
		"re-stated in the report funnel": {Report: "response", Definition: 1},
		"has no version 4":               {Report: "funnel", Definition: 4},
		"between 1 and 3650":             {Report: "response", HorizonDays: 4000},
		"funnel, response, definitions":  {Report: ""},
		"persona, person, team, ":        {Report: "response", By: "company"},
		"is not split further":           {Report: "load", By: "source"},
	} {
		_, err := r.GetReport(context.Background(), req)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v; want a fault that says %q", req, err, name)
		}
	}
	if _, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: "load", By: "person"}); err != nil {
		t.Errorf("a report that is by person, by person: %v", err)
	}
	for name, says := range map[string]string{"accept rate": "", "accepts": "it has received, refused"} {
		_, err := r.ListReportLeads(context.Background(), &feedbackv1.ListReportLeadsRequest{Report: "funnel", Name: name, Question: &feedbackv1.GetReportRequest{Report: "funnel"}})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("leads behind %q: %v; want %q", name, err, says)
		}
	}
	got, err := r.GetReport(context.Background(), &feedbackv1.GetReportRequest{Report: "funnel", From: timestamppb.New(start), Where: []string{"definition=4"}, AsOf: timestamppb.New(start)})
	if err != nil {
		t.Fatal(err)
	}
	if want := "Leads received from 2026-03-02 09:00 UTC on, only with definition 4, imported history left out. What occurred after 2026-03-02 09:00 UTC does not count."; got.GetPopulation() != want {
		t.Errorf("population %q\n      want %q", got.GetPopulation(), want)
	}
}
