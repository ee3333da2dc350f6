package routing

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// WatchAssignments streams who gets and who loses which lead, from a sequence on. Whoever
// was cut off goes on after the last sequence that they saw, and misses nothing.
func (s *Server) WatchAssignments(req *routingv1.WatchAssignmentsRequest, stream grpc.ServerStreamingServer[routingv1.Assignment]) error {
	w := &watch{pools: map[string]string{}, history: s.Log.History}
	return s.Log.Follow(stream.Context(), req.GetFromSequence(), func(e *ledger.Event) error {
		a, other, err := w.assignment(stream.Context(), e)
		switch {
		case err != nil || a == nil:
			return err
		case req.GetPool() != "" && a.GetPool() != req.GetPool():
			return nil
		case req.GetMember() != "" && a.GetMember() != req.GetMember() && other != req.GetMember():
			return nil
		}
		return stream.Send(a)
	})
}

// watch follows in which pool leads are.
type watch struct {
	pools   map[string]string
	history func(ctx context.Context, subject string) ([]*ledger.Event, error)
}

// poolsKept bounds what a watch remembers; the rest is read again.
const poolsKept = 10_000

// assignment is an event as a change of who has the lead, and whom it concerns as well;
// nil = it is none.
func (w *watch) assignment(ctx context.Context, e *ledger.Event) (a *routingv1.Assignment, other string, err error) {
	id, ok := lead.FromSubject(e.Subject)
	if !ok {
		return nil, "", nil
	}
	a = &routingv1.Assignment{Sequence: e.Seq, LeadId: id, At: timestamppb.New(e.Occurred)}
	switch body := e.Body.(type) {
	case *leadv1.LeadOffered:
		a.Change, a.Member, a.TakeBy = "offered", body.GetMember(), body.GetTakeBy()
		a.Text = fmt.Sprintf("Offered to %s until %s.", body.GetMember(), stamp(body.GetTakeBy().AsTime()))
		w.keep(id, body.GetPool())
	case *leadv1.LeadQueued:
		a.Change, a.Text = "queued", "It waits for "+lead.WaitsFor(body.GetBlockedBy())+"."
		w.keep(id, body.GetPool())
	case *leadv1.OfferAccepted:
		a.Change, a.Member, a.Text = "accepted", body.GetMember(), body.GetMember()+" took it."
	case *leadv1.OfferRejected:
		a.Change, a.Member, a.Text = "rejected", body.GetMember(), fmt.Sprintf("%s declined it (%s).", body.GetMember(), body.GetReason())
		if body.GetConsequence() == leadv1.Consequence_CONSEQUENCE_NURTURE {
			a.Change, a.Text = "returned", fmt.Sprintf("%s sent it back to marketing (%s).", body.GetMember(), body.GetReason())
		}
	case *leadv1.OfferTimedOut:
		a.Change, a.Member, a.Text = "timed-out", body.GetMember(), body.GetMember()+" let it run out."
	case *leadv1.LeadReassigned:
		a.Change, a.Member, other = "reassigned", body.GetFrom(), body.GetTo()
		a.Text = movedText(body)
		if a.GetMember() == "" {
			a.Member, other = other, ""
		}
	default:
		return nil, "", nil
	}
	a.Pool, err = w.pool(ctx, id, e.Seq)
	if body, ok := e.Body.(*leadv1.LeadReassigned); ok && body.GetPool() != "" {
		w.keep(id, body.GetPool())
	}
	return a, other, err
}

// movedText says a move in one sentence.
func movedText(body *leadv1.LeadReassigned) string {
	what := "Taken from " + body.GetFrom()
	if body.GetFrom() == "" {
		what = "Taken out of the line"
	}
	switch {
	case body.GetUndoes() != "" && body.GetTo() != "":
		what += " and given back to " + body.GetTo()
	case body.GetUndoes() != "":
		what += " and put back in line"
	case body.GetTo() != "":
		what += " and given to " + body.GetTo()
	default:
		what += " to be given out by the rules"
	}
	return fmt.Sprintf("%s (%s).", what, body.GetReason())
}

func (w *watch) keep(id, pool string) {
	if len(w.pools) >= poolsKept {
		clear(w.pools)
	}
	w.pools[id] = pool
}

// pool answers in which pool a lead was at an event: as the stream has told, or as the
// lead's own history does.
func (w *watch) pool(ctx context.Context, id string, seq uint64) (string, error) {
	if pool, known := w.pools[id]; known {
		return pool, nil
	}
	events, err := w.history(ctx, lead.SubjectOf(id))
	if err != nil {
		return "", err
	}
	s := &lead.State{ID: id}
	for _, e := range events {
		if e.Seq > seq {
			break
		}
		s.Evolve(e.Body, e.Occurred, e.Recorded)
	}
	w.keep(id, s.Pool)
	return s.Pool, nil
}
