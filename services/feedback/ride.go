package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// ride is one ride along, as a lead's history tells it.
type ride struct {
	*feedbackv1.Ride
	asked, shared *leadv1.Sealed
}

// ridesOf are the rides along on a lead, in the order in which they were asked for.
func ridesOf(leadID string, events []*ledger.Event) (out []*ride) {
	for _, e := range events {
		switch b := e.Body.(type) {
		case *leadv1.RideAlongRequested:
			out = append(out, &ride{Ride: &feedbackv1.Ride{LeadId: leadID, RideId: b.GetRideId(), Member: b.GetMember(), RequestedAt: timestamppb.New(e.Occurred)}, asked: b.GetNote()})
		case *leadv1.RideAlongHeld:
			for _, r := range out {
				if r.GetRideId() == b.GetRideId() {
					r.Host, r.HeldAt, r.shared = b.GetHost(), timestamppb.New(e.Occurred), b.GetNote()
				}
			}
		}
	}
	return out
}

// rider is who calls.
func (o *Outcomes) rider(ctx context.Context, key string) (access.Actor, error) {
	actor, ok := access.From(ctx)
	switch {
	case !ok:
		return actor, fault.New(fault.Unauthenticated, "a ride along is somebody's: sign in")
	case key == "":
		return actor, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	case o.settling == nil:
		return actor, fault.New(fault.State, "this process keeps no notes, and so no rides along")
	}
	return actor, nil
}

// RequestRide asks to listen to a talk with a lead. Nothing about the lead changes; while
// one of the caller's waits on it, there is no second.
func (o *Outcomes) RequestRide(ctx context.Context, req *feedbackv1.RequestRideRequest) (*feedbackv1.Ride, error) {
	actor, err := o.rider(ctx, req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	cause := causePrefix + req.GetIdempotencyKey()
	sum := sha256.Sum256([]byte("ride along\x00" + req.GetLeadId() + "\x00" + actor.Handle + "\x00" + cause))
	id := hex.EncodeToString(sum[:6])
	err = o.onLead(ctx, about{
		lead: req.GetLeadId(), cause: cause, actor: actor.Handle, part: "ride", note: req.GetNote(),
		before: func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.RideAlongRequested)
			return ok && b.GetRideId() == id
		},
	}, func(events []*ledger.Event, note *leadv1.Sealed) (ledger.Draft, error) {
		for _, r := range ridesOf(req.GetLeadId(), events) {
			if r.GetMember() == actor.Handle && r.GetHost() == "" {
				return ledger.Draft{}, fault.New(fault.State, "you asked already to listen on lead %s: ride %s waits", req.GetLeadId(), r.GetRideId())
			}
		}
		return ledger.Draft{Body: &leadv1.RideAlongRequested{RideId: id, Member: actor.Handle, Note: note}}, nil
	})
	if err != nil {
		return nil, err
	}
	return o.ride(ctx, actor, req.GetLeadId(), id)
}

// RecordRide says that somebody listened, and shares the note of the talk. It is said once,
// by who talked with the lead, or by who listened while somebody has it.
func (o *Outcomes) RecordRide(ctx context.Context, req *feedbackv1.RecordRideRequest) (*feedbackv1.Ride, error) {
	actor, err := o.rider(ctx, req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	err = o.onLead(ctx, about{
		lead: req.GetLeadId(), cause: causePrefix + req.GetIdempotencyKey(), actor: actor.Handle, part: "ride held", note: req.GetNote(),
		before: func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.RideAlongHeld)
			return ok && b.GetRideId() == req.GetRideId()
		},
	}, func(events []*ledger.Event, note *leadv1.Sealed) (ledger.Draft, error) {
		all := ridesOf(req.GetLeadId(), events)
		i := slices.IndexFunc(all, func(r *ride) bool { return r.GetRideId() == req.GetRideId() })
		if i < 0 {
			return ledger.Draft{}, fault.New(fault.NotFound, "lead %s has no ride %s; baton lead ride list %[1]s shows those it has", req.GetLeadId(), req.GetRideId())
		}
		r, s := all[i], &lead.State{ID: req.GetLeadId()}
		for _, e := range events {
			s.Evolve(e.Body, e.Occurred, e.Recorded)
		}
		host, held := s.Held()
		switch {
		case r.GetHost() != "":
			return ledger.Draft{}, fault.New(fault.State, "ride %s was held on %s, and its note is shared", r.GetRideId(), moment(r.GetHeldAt().AsTime()))
		case !held:
			return ledger.Draft{}, fault.New(fault.State, "nobody has lead %s, so nobody talked with it", req.GetLeadId())
		case actor.Handle != host && actor.Handle != r.GetMember():
			return ledger.Draft{}, fault.New(fault.Denied, "lead %s is with %s: they or who listened share the note", req.GetLeadId(), host)
		case host == r.GetMember():
			return ledger.Draft{}, fault.New(fault.State, "%s has lead %s and talks with it: that is no ride along", host, req.GetLeadId())
		}
		return ledger.Draft{Body: &leadv1.RideAlongHeld{RideId: r.GetRideId(), Member: r.GetMember(), Host: host, Note: note}}, nil
	})
	if err != nil {
		return nil, err
	}
	return o.ride(ctx, actor, req.GetLeadId(), req.GetRideId())
}

// ListRides lists the rides along on a lead. Notes are for members; the auditor sees that
// there are some.
func (o *Outcomes) ListRides(ctx context.Context, req *feedbackv1.ListRidesRequest) (*feedbackv1.ListRidesResponse, error) {
	if o.settling == nil {
		return nil, fault.New(fault.State, "this process keeps no notes, and so no rides along")
	}
	actor, _ := access.From(ctx)
	events, err := o.log.History(ctx, lead.SubjectOf(req.GetLeadId()))
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fault.New(fault.NotFound, "there is no lead %s", req.GetLeadId())
	}
	out := &feedbackv1.ListRidesResponse{}
	for _, r := range ridesOf(req.GetLeadId(), events) {
		if err := o.openRide(ctx, actor, r); err != nil {
			return nil, err
		}
		out.Rides = append(out.Rides, r.Ride)
	}
	return out, nil
}

func (o *Outcomes) openRide(ctx context.Context, actor access.Actor, r *ride) error {
	if !actor.Has(planReaders...) {
		return nil
	}
	for into, sealed := range map[*string]*leadv1.Sealed{&r.Request: r.asked, &r.Note: r.shared} { // any order: each by itself
		if sealed == nil {
			continue
		}
		plain, err := o.settling.Open(ctx, sealed, disputeContext(r.GetLeadId()))
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		*into = string(plain)
	}
	return nil
}

// ride is one ride along as the caller may read it.
func (o *Outcomes) ride(ctx context.Context, actor access.Actor, leadID, id string) (*feedbackv1.Ride, error) {
	events, err := o.log.History(ctx, lead.SubjectOf(leadID))
	if err != nil {
		return nil, err
	}
	for _, r := range ridesOf(leadID, events) {
		if r.GetRideId() == id {
			return r.Ride, o.openRide(ctx, actor, r)
		}
	}
	return nil, fault.New(fault.NotFound, "lead %s has no ride %s", leadID, id)
}
