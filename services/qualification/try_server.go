package qualification

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/clock"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Records reads the log from its beginning.
type Records interface {
	Last(ctx context.Context, stream string) (uint64, error)
	Read(ctx context.Context, stream string, from, to uint64, fn func(*ledger.Record) error, missing func(seq uint64, why string) error) error
}

// triedBack is how far a trial looks back where nothing else is asked for.
const triedBack = 30 * 24 * time.Hour

// toldEvery is after how many entries a trial says how far it is.
const toldEvery = 50_000

// Try decides the leads of the log by a document that nobody has signed yet, beside
// the agreement in force. It reads the log once and records nothing. One trial is
// made at a time, so that many of them cannot take the machine from the leads.
func (s *Server) Try(req *qualificationv1.TryRequest, stream grpc.ServerStreamingServer[qualificationv1.TryResponse]) error {
	began := clock.Real{}.Now()
	then, err := agreement.Compile(req.GetDocument())
	if err != nil {
		var problems *agreement.Problems
		if errors.As(err, &problems) {
			return fault.New(fault.Invalid, "document: %s", problems.Error())
		}
		return err
	}
	if s.Standing == nil || s.Records == nil {
		return fault.New(fault.State, "this process does not read the log, so it can try nothing")
	}
	if !s.trying.TryLock() {
		return fault.New(fault.Unavailable, "another agreement is being tried right now; try again when that is done")
	}
	defer s.trying.Unlock()
	now, version := s.Standing()
	to := now
	if req.GetTo() != nil {
		to = req.GetTo().AsTime()
	}
	from := to.Add(-triedBack)
	if req.GetFrom() != nil {
		from = req.GetFrom().AsTime()
	}
	if !from.Before(to) {
		return fault.New(fault.Invalid, "from, to: the period ends (%s) before it begins (%s)", to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	ctx := stream.Context()
	last, err := s.Records.Last(ctx, ledger.StreamLedger)
	if err != nil {
		return err
	}
	g := &gathered{from: from, to: to, leads: map[string]*gathering{}}
	if req.GetTo() == nil {
		// Whoever asks for all up to now means the leads of this very moment too.
		g.to = to.Add(1)
	}
	if last > 0 {
		err = s.Records.Read(ctx, ledger.StreamLedger, 1, last, func(r *ledger.Record) error {
			if r.Seq%toldEvery == 0 {
				if err := stream.Send(&qualificationv1.TryResponse{EntriesRead: r.Seq, Entries: last}); err != nil {
					return err
				}
			}
			return g.hear(r)
		}, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
		})
		if err != nil {
			return err
		}
	}
	var inForce *agreement.Agreement
	number := int64(0)
	if version != nil {
		inForce, number = version.Agreement, version.Number
	}
	trial := NewTrial(inForce, number, then, int(req.GetSample()))
	for i, one := range g.order {
		if i%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case one.historical:
			trial.Historical()
		case one.refused:
			trial.Refused()
		default:
			if one.past.At.IsZero() {
				one.past.Known = Known{one.features, one.touches, now}
			}
			trial.Take(&one.past)
		}
	}
	result := trial.Result()
	result.From, result.To = timestamppb.New(from), timestamppb.New(to)
	result.Entries = last
	result.TookMs = int64(math.Round(float64(clock.Real{}.Now().Sub(began)) / float64(time.Millisecond)))
	return stream.Send(&qualificationv1.TryResponse{EntriesRead: last, Entries: last, Result: result})
}

// gathered is what the log knows of the leads of a period, as far as decisions
// read it.
type gathered struct {
	from, to time.Time
	leads    map[string]*gathering
	order    []*gathering
}

// gathering is one lead while the log is read. It is small, because there can be
// very many.
type gathering struct {
	past Past
	// features and touches are what is known so far.
	features            *leadv1.Features
	touches             []lead.Arrival
	refused, historical bool
}

// Types of the events that a trial reads.
var (
	typeReceived  = ledger.TypeOf(&leadv1.LeadReceived{})
	typesOfTrials = map[string]bool{
		ledger.TypeOf(&leadv1.LeadRefused{}):       true,
		ledger.TypeOf(&leadv1.SubmissionRevised{}): true,
		ledger.TypeOf(&leadv1.LeadRemapped{}):      true,
		ledger.TypeOf(&leadv1.TouchAdded{}):        true,
		ledger.TypeOf(&leadv1.CallRecorded{}):      true,
		ledger.TypeOf(&leadv1.LeadQualified{}):     true,
		ledger.TypeOf(&leadv1.LeadNurtured{}):      true,
	}
)

// hear takes one record in. What belongs to no lead of the period is not even
// decoded.
func (g *gathered) hear(r *ledger.Record) error {
	id, ok := lead.FromSubject(r.Subject)
	if !ok {
		return nil
	}
	one, kind := g.leads[id], r.Type()
	if kind != typeReceived && (one == nil || !typesOfTrials[kind]) {
		return nil
	}
	e, err := r.Decode()
	if err != nil {
		return err
	}
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		at := body.GetReceivedAt().AsTime()
		if one != nil || at.Before(g.from) || !at.Before(g.to) {
			return nil
		}
		one = &gathering{past: Past{ID: id, Received: at}, features: body.GetFeatures(), historical: body.GetHistorical()}
		g.leads[id] = one
		g.order = append(g.order, one)
	case *leadv1.LeadRefused:
		one.refused = true
	case *leadv1.LeadQualified, *leadv1.LeadNurtured:
		if one.past.At.IsZero() {
			one.past.Known = one.known(e.Recorded)
		}
	case *leadv1.CallRecorded:
		if body.GetQualifier() && body.GetReached() {
			one.past.Calls = append(one.past.Calls, PastCall{body, one.known(e.Recorded)})
		}
	default:
		// What the lead's own fold makes of it.
		s := lead.State{State: leadv1.State_STATE_RECEIVED, Features: one.features, Journey: one.touches, Came: int64(len(one.touches))}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		one.features, one.touches = s.Features, s.Journey
	}
	return nil
}

func (one *gathering) known(at time.Time) Known { return Known{one.features, one.touches, at} }
