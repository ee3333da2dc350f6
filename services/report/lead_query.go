package report

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Leads answers questions about leads: the LeadService. One lead is folded from
// the log, lists come from the read model.
type Leads struct {
	leadv1.UnimplementedLeadServiceServer
	store *Store
	log   Log
	open  Opener
	// Current answers under which id a person is found now; nil = their own.
	Current func(personID string) string
	// InForce answers the version of the agreement in force at an instant, zero =
	// now, and its rules; nil = none. Where it is nil itself, nobody is named as
	// accountable.
	InForce func(at time.Time) (version int64, rules *agreement.Agreement)
	// Clock says what is overdue; nil = the machine's.
	Clock clock.Clock
}

// NewLeads makes the LeadService.
func NewLeads(store *Store, log Log, open Opener) *Leads {
	return &Leads{store: store, log: log, open: open}
}

// GetLead folds one lead's history, up to now or up to an instant.
func (l *Leads) GetLead(ctx context.Context, req *leadv1.GetLeadRequest) (*leadv1.Lead, error) {
	events, err := l.history(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	s := &lead.State{ID: req.GetLeadId()}
	var last uint64
	for _, e := range events {
		if req.GetAsOf() != nil && e.Occurred.After(req.GetAsOf().AsTime()) {
			continue
		}
		if req.GetKnownAt() != nil && e.Recorded.After(req.GetKnownAt().AsTime()) {
			continue
		}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		last = e.Seq
	}
	if s.State == leadv1.State_STATE_UNSPECIFIED {
		return nil, fault.New(fault.NotFound, "lead %s was not there at that time", req.GetLeadId())
	}
	out := leadOf(s, last)
	out.Account = s.Account
	out.First, out.Last, out.Handoff = s.First.Point(s.ID), s.Last.Point(s.ID), s.Handoff.Point(s.ID)
	if l.Current != nil && s.PersonID != "" && req.GetAsOf() == nil && req.GetKnownAt() == nil {
		out.PersonId = l.Current(s.PersonID)
	}
	l.account(out, instantAsked(req))
	if out.Personal, err = l.personal(ctx, s); err != nil {
		return nil, err
	}
	return out, nil
}

// instantAsked is the instant that is asked about; zero = now.
func instantAsked(req *leadv1.GetLeadRequest) time.Time {
	switch {
	case req.GetAsOf() != nil:
		return req.GetAsOf().AsTime()
	case req.GetKnownAt() != nil:
		return req.GetKnownAt().AsTime()
	}
	return time.Time{}
}

// account names who answers for a lead as it stands: the owner of its stage, or
// of the leads that stay with marketing, by the version in force then.
func (l *Leads) account(out *leadv1.Lead, at time.Time) {
	if l.InForce == nil {
		return
	}
	version, rules := l.InForce(at)
	if rules == nil {
		return
	}
	stage, ok := rules.Stage(max(out.GetStage(), leadv1.Stage_STAGE_LEAD))
	if !ok {
		return
	}
	out.AccountableVersion, out.Accountable = version, stage.Owner
	if out.GetState() == leadv1.State_STATE_NURTURING {
		out.Accountable = rules.NurtureOwner()
	}
	if out.GetStage() != leadv1.Stage_STAGE_UNSPECIFIED {
		out.StageTitle = stage.Title
	}
}

// personal opens a lead's personal data for those who work with it. Once it is
// erased there is none.
func (l *Leads) personal(ctx context.Context, s *lead.State) (*leadv1.PersonalData, error) {
	actor, ok := access.From(ctx)
	if !ok || s.Personal == nil || !actor.Has(access.Marketing, access.Sales, access.Qualifier, access.Manager, access.Operator) {
		return nil, nil
	}
	p, err := l.open(ctx, s.ID, s.Personal)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return p, err
}

// history answers a lead's events; a fault where there is no such lead.
func (l *Leads) history(ctx context.Context, leadID string) ([]*ledger.Event, error) {
	if !lead.Safe(leadID) {
		return nil, fault.New(fault.NotFound, "there is no such lead: an id has lower-case letters, digits and hyphens only")
	}
	events, err := l.log.History(ctx, lead.SubjectOf(leadID))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", leadID)
	}
	return events, nil
}

// GetHistory lists one lead's events in order, each as a plain sentence.
func (l *Leads) GetHistory(ctx context.Context, req *leadv1.GetHistoryRequest) (*leadv1.GetHistoryResponse, error) {
	events, err := l.history(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	out := &leadv1.GetHistoryResponse{}
	for _, e := range events {
		entry, err := Entry(e)
		if err != nil {
			return nil, err
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}

// ListLeads lists leads, newest first.
func (l *Leads) ListLeads(ctx context.Context, req *leadv1.ListLeadsRequest) (*leadv1.ListLeadsResponse, error) {
	return l.store.list(ctx, req)
}

// ListNurturing lists the leads that are with marketing, by when they are due.
func (l *Leads) ListNurturing(ctx context.Context, req *leadv1.ListNurturingRequest) (*leadv1.ListNurturingResponse, error) {
	now := clock.Real{}.Now()
	if l.Clock != nil {
		now = l.Clock.Now()
	}
	return l.store.nurturing(ctx, req, now)
}

// WatchEvents streams events as they are recorded, from a sequence on.
func (l *Leads) WatchEvents(req *leadv1.WatchEventsRequest, stream grpc.ServerStreamingServer[leadv1.HistoryEntry]) error {
	return l.log.Follow(stream.Context(), req.GetFromSequence(), func(e *ledger.Event) error {
		entry, err := Entry(e)
		if err != nil {
			return err
		}
		return stream.Send(entry)
	})
}

// Entry is an event as people and machines read it.
func Entry(e *ledger.Event) (*leadv1.HistoryEntry, error) {
	text, err := jsonOf(e.Body)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "event %d (%s) cannot be written as JSON: %w", e.Seq, e.Type, err)
	}
	out := &leadv1.HistoryEntry{
		Sequence: e.Seq, EventId: e.ID, Type: e.Type,
		OccurredAt: timestamp(e.Occurred), RecordedAt: timestamp(e.Recorded),
		Actor: e.Actor, Cause: e.Cause, Service: e.Service, LogicVersion: e.Logic, Basis: e.Basis,
		Sentence: Sentence(e.Body), Json: text, TraceId: traceID(e.TraceParent),
	}
	if id, ok := lead.FromSubject(e.Subject); ok {
		out.LeadId = id
	}
	if e.Agreement != 0 {
		out.AgreementVersion = strconv.FormatInt(e.Agreement, 10)
	}
	return out, nil
}

// jsonOf writes an event as JSON. Sealed parts stay sealed, and what proves a
// token or says where a secret lies is left out.
func jsonOf(body proto.Message) (string, error) {
	switch b := body.(type) {
	case nil:
		return "{}", nil
	case *routingv1.MemberAdded:
		c := proto.CloneOf(b)
		c.TokenHash = nil
		body = c
	case *routingv1.MemberTokenRenewed:
		c := proto.CloneOf(b)
		c.TokenHash = nil
		body = c
	case *intakev1.SourceDeclared:
		c := proto.CloneOf(b)
		c.TokenHash = nil
		if c.Verification != nil {
			c.Verification.SecretRef = ""
		}
		body = c
	}
	raw, err := protojson.Marshal(body)
	if err != nil {
		return "", err
	}
	// protojson varies its spaces on purpose; the same event is the same text.
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return "", err
	}
	return b.String(), nil
}

// traceID is the trace of a W3C traceparent.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) < 4 || len(parts[1]) != 32 {
		return ""
	}
	return parts[1]
}

// timestamp leaves out what has not happened.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if nanos(t) == 0 {
		return nil
	}
	return timestamppb.New(t)
}

// leadOf is a folded lead as it is answered, without personal data.
func leadOf(s *lead.State, sequence uint64) *leadv1.Lead {
	return &leadv1.Lead{
		LeadId: s.ID, State: s.State, Stage: s.Stage,
		Source: s.Source, Signed: s.Signed, ReceivedAt: timestamp(s.ReceivedAt), PersonId: s.PersonID,
		Owner: s.Owner, OfferedTo: s.OfferedTo, TakeBy: timestamp(s.TakeBy), Pool: s.Pool,
		BlockedBy: s.BlockedBy, BlockedText: s.BlockedText, Features: s.Features,
		AgreementVersion: s.AgreementVersion, Explanation: s.Explanation,
		RoutingSummary: s.RoutingSummary, Considered: s.Considered, Counts: s.Counts,
		Sequence: sequence, Historical: s.Historical, NeedsMapping: s.NeedsMapping,
		Touches: s.Touches, FirstTouchAt: timestamp(s.FirstTouchAt), Offers: s.Offers,
		Conflict: s.Conflict, Failure: s.Failure, Reason: reasonOf(s), Nurture: nurtureOf(s),
	}
}

// reasonOf is why a lead is where it is: an agreed word, or why the door refused it.
func reasonOf(s *lead.State) string {
	if s.State == leadv1.State_STATE_REFUSED {
		return enumWord(s.Reason, "REFUSAL_REASON_")
	}
	return s.Reason
}

// nurtureOf is where a lead that is with marketing stands; nil = it is not.
func nurtureOf(s *lead.State) *leadv1.Nurture {
	due := s.NurtureDue()
	if due.IsZero() {
		return nil
	}
	return &leadv1.Nurture{
		Reason: s.NurtureReason, Text: s.Explanation.GetSummary(), Since: timestamp(s.NurtureSince), Made: s.NurtureMade,
		NextTouch: s.NextTouch, NextTouchDue: timestamp(s.NextTouchDue), RecheckAt: timestamp(s.RecheckAt), Due: timestamp(due),
	}
}
