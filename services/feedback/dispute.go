package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// Settling is what the service needs to settle disputes.
type Settling struct {
	Docket *Docket
	// Version answers an agreement by its number; nil = it is not known here. It may be
	// asked from anywhere but within a view of the log.
	Version func(number int64) *agreement.Agreement
	// Open opens a note; fault.NotFound once it is erased.
	Open func(ctx context.Context, sealed *leadv1.Sealed, aad []byte) ([]byte, error)
	// Each goes through what was recorded in a period.
	Each Each
	// Sample is how many handoffs the agreement in force has a review look at; 0 = it says
	// nothing. It may be asked from anywhere but within a view of the log.
	Sample func() int
}

// Settles makes the service take disputes.
func (o *Outcomes) Settles(s *Settling) { o.settling = s }

// OpenDispute holds a handoff against the other side.
func (o *Outcomes) OpenDispute(ctx context.Context, req *feedbackv1.OpenDisputeRequest) (*feedbackv1.Dispute, error) {
	if !lead.Safe(req.GetLeadId()) {
		return nil, fault.New(fault.NotFound, "there is no such lead: an id has lower-case letters, digits and hyphens only")
	}
	actor, err := o.settler(ctx, req.GetIdempotencyKey())
	if err != nil {
		return nil, err
	}
	claim, party, err := claimed(actor, req.GetClaim())
	if err != nil {
		return nil, err
	}
	var id string
	err = o.onLead(ctx, about{
		lead: req.GetLeadId(), cause: causePrefix + req.GetIdempotencyKey(), actor: actor.Handle, part: "opened", note: req.GetNote(),
		before: func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.DisputeOpened)
			id = b.GetDisputeId()
			return ok && b.GetClaim() == claim
		},
	}, func(events []*ledger.Event, note *leadv1.Sealed) (ledger.Draft, error) {
		opened, version, err := o.opening(req.GetLeadId(), events, req.GetOffer(), claim)
		if err != nil {
			return ledger.Draft{}, err
		}
		if actor.Handle == opened.GetArbiter() {
			return ledger.Draft{}, fault.New(fault.Denied, "%s is the agreed arbiter, who speaks for neither side", actor.Handle)
		}
		was, err := evidence(req.GetLeadId(), events, opened.GetHandoffSequence())
		if err != nil {
			return ledger.Draft{}, err
		}
		if err := contested(req.GetCriteria(), was.GetExplanation()); err != nil {
			return ledger.Draft{}, err
		}
		id, opened.Party, opened.Criteria, opened.Note = opened.GetDisputeId(), party, req.GetCriteria(), note
		return ledger.Draft{Body: opened, Agreement: version}, nil
	})
	if err != nil {
		return nil, err
	}
	return o.dispute(ctx, actor, id)
}

// opening is a case on a handoff as it would be opened now, and the version of the
// agreement that names its arbiter; 0 = none does. It is asked within a view of the log.
func (o *Outcomes) opening(leadID string, events []*ledger.Event, offer int32, claim leadv1.DisputeClaim) (*leadv1.DisputeOpened, int64, error) {
	handed, offered, err := handoff(leadID, events, offer)
	if err != nil {
		return nil, 0, err
	}
	cases := disputesOf(leadID, events)
	if err := onlyOne(cases, offered.GetOffer(), claim); err != nil {
		return nil, 0, err
	}
	docket, now := o.settling.Docket, o.clock.Now()
	out := &leadv1.DisputeOpened{
		DisputeId: caseNumber(leadID, len(cases)+1, docket.taken(leadID)),
		Offer:     offered.GetOffer(), HandoffSequence: handed.Seq, Claim: claim, AgreementVersion: offered.GetAgreementVersion(),
	}
	v := docket.register.InForce(now)
	if v == nil {
		return out, 0, nil
	}
	terms, ok := v.Agreement.Disputes()
	if !ok {
		return out, 0, nil
	}
	out.Arbiter = terms.Arbiter
	// Nobody waits for the verdict of a review.
	if at := after(v.Agreement, terms, now); !at.IsZero() && claim != leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW {
		out.EscalateAt = timestamppb.New(at)
	}
	return out, v.Number, nil
}

// AnswerDispute says what the other side says to it.
func (o *Outcomes) AnswerDispute(ctx context.Context, req *feedbackv1.AnswerDisputeRequest) (*feedbackv1.Dispute, error) {
	actor, leadID, err := o.settlerOf(ctx, req.GetIdempotencyKey(), req.GetDisputeId())
	if err != nil {
		return nil, err
	}
	err = o.onLead(ctx, about{
		lead: leadID, cause: causePrefix + req.GetIdempotencyKey(), actor: actor.Handle, part: "answered", note: req.GetNote(),
		before: func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.DisputeAnswered)
			return ok && b.GetDisputeId() == req.GetDisputeId() && b.GetAgrees() == req.GetAgrees()
		},
	}, func(events []*ledger.Event, note *leadv1.Sealed) (ledger.Draft, error) {
		d, err := caseOf(leadID, events, req.GetDisputeId())
		if err != nil {
			return ledger.Draft{}, err
		}
		side, err := answering(d, actor)
		if err != nil {
			return ledger.Draft{}, err
		}
		return ledger.Draft{Body: &leadv1.DisputeAnswered{DisputeId: req.GetDisputeId(), Party: side, Agrees: req.GetAgrees(), Note: note}}, nil
	})
	if err != nil {
		return nil, err
	}
	return o.dispute(ctx, actor, req.GetDisputeId())
}

// DecideDispute closes a case with a verdict, for good.
func (o *Outcomes) DecideDispute(ctx context.Context, req *feedbackv1.DecideDisputeRequest) (*feedbackv1.Dispute, error) {
	actor, leadID, err := o.settlerOf(ctx, req.GetIdempotencyKey(), req.GetDisputeId())
	if err != nil {
		return nil, err
	}
	err = o.onLead(ctx, about{
		lead: leadID, cause: causePrefix + req.GetIdempotencyKey(), actor: actor.Handle, part: "decided", note: req.GetNote(),
		before: func(e *ledger.Event) bool {
			b, ok := e.Body.(*leadv1.DisputeDecided)
			return ok && b.GetDisputeId() == req.GetDisputeId() && b.GetVerdict() == req.GetVerdict() && b.GetCriterion() == req.GetCriterion()
		},
	}, func(events []*ledger.Event, note *leadv1.Sealed) (ledger.Draft, error) {
		d, err := caseOf(leadID, events, req.GetDisputeId())
		if err != nil {
			return ledger.Draft{}, err
		}
		if err := mayDecide(d, actor); err != nil {
			return ledger.Draft{}, err
		}
		was, err := evidence(leadID, events, d.opened.GetHandoffSequence())
		if err != nil {
			return ledger.Draft{}, err
		}
		body, err := ruledOn(d, req.GetVerdict(), req.GetCriterion(), was.GetQuestionnaireVersion(), was.GetExplanation())
		if err != nil {
			return ledger.Draft{}, err
		}
		body.By, body.Note = actor.Handle, note
		return ledger.Draft{Body: body}, nil
	})
	if err != nil {
		return nil, err
	}
	return o.dispute(ctx, actor, req.GetDisputeId())
}

// GetDispute answers one case with its evidence.
func (o *Outcomes) GetDispute(ctx context.Context, req *feedbackv1.GetDisputeRequest) (*feedbackv1.Dispute, error) {
	actor, _ := access.From(ctx)
	if o.settling == nil {
		return nil, noSettling()
	}
	return o.dispute(ctx, actor, req.GetDisputeId())
}

// ListDisputes lists cases in the order in which they were opened.
func (o *Outcomes) ListDisputes(ctx context.Context, req *feedbackv1.ListDisputesRequest) (*feedbackv1.ListDisputesResponse, error) {
	if o.settling == nil {
		return nil, noSettling()
	}
	after, n, err := page(req)
	if err != nil {
		return nil, err
	}
	found, next := o.settling.Docket.list(after, n, req.GetDecided(), req.GetReview())
	out := &feedbackv1.ListDisputesResponse{NextPageToken: pageToken(next)}
	for _, one := range found {
		events, err := o.log.History(ctx, lead.SubjectOf(one.lead))
		if err != nil {
			return nil, err
		}
		d, err := caseOf(one.lead, events, one.id)
		if err != nil {
			return nil, err
		}
		out.Disputes = append(out.Disputes, d.answer())
	}
	return out, nil
}

func noSettling() error {
	return fault.New(fault.State, "this process settles no disputes")
}

func caseOf(leadID string, events []*ledger.Event, id string) (*dispute, error) {
	all := disputesOf(leadID, events)
	i := slices.IndexFunc(all, func(d *dispute) bool { return d.opened.GetDisputeId() == id })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "there is no case %q", id)
	}
	return all[i], nil
}

// settler is who calls.
func (o *Outcomes) settler(ctx context.Context, key string) (access.Actor, error) {
	actor, ok := access.From(ctx)
	switch {
	case !ok:
		return actor, fault.New(fault.Unauthenticated, "a dispute has two sides: sign in")
	case key == "":
		return actor, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	case o.settling == nil:
		return actor, noSettling()
	}
	return actor, nil
}

// settlerOf is who calls about a case, and its lead.
func (o *Outcomes) settlerOf(ctx context.Context, key, id string) (access.Actor, string, error) {
	actor, err := o.settler(ctx, key)
	if err != nil {
		return actor, "", err
	}
	of := o.settling.Docket.Lead(id)
	if of == "" {
		return actor, "", fault.New(fault.NotFound, "there is no case %q", id)
	}
	return actor, of, nil
}

// dispute is a case with its evidence, and with its notes for those who may read them.
func (o *Outcomes) dispute(ctx context.Context, actor access.Actor, id string) (*feedbackv1.Dispute, error) {
	of := o.settling.Docket.Lead(id)
	if of == "" {
		return nil, fault.New(fault.NotFound, "there is no case %q", id)
	}
	events, err := o.log.History(ctx, lead.SubjectOf(of))
	if err != nil {
		return nil, err
	}
	d, err := caseOf(of, events, id)
	if err != nil {
		return nil, err
	}
	out := d.answer()
	if out.Evidence, err = evidence(of, events, d.opened.GetHandoffSequence()); err != nil {
		return nil, err
	}
	out.Evidence.Hints = hints(d, out.Evidence, events, o.settling.Version(out.Evidence.GetAgreementVersion()), o.clock.Now())
	out.Notes, err = o.notes(ctx, actor, d)
	return out, err
}

// notes opens what was written on a case, for whoever may read personal data of leads, and
// for its arbiter.
func (o *Outcomes) notes(ctx context.Context, actor access.Actor, d *dispute) ([]string, error) {
	if actor.Handle == "" || !actor.Has(access.Marketing, access.Sales, access.Qualifier, access.Manager, access.Operator, access.Arbiter) && actor.Handle != d.opened.GetArbiter() {
		return nil, nil
	}
	out := make([]string, 3)
	for i, note := range []*leadv1.Sealed{d.opened.GetNote(), d.answered.GetNote(), d.decided.GetNote()} {
		if note == nil {
			continue
		}
		text, err := o.settling.Open(ctx, note, disputeContext(d.lead))
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i] = string(text)
	}
	return out, nil
}

// disputeContext is what a note's seal is bound to: it opens on its own lead only.
func disputeContext(leadID string) []byte { return []byte("baton dispute note\x00" + leadID) }

// about is a call about a lead's cases.
type about struct {
	lead, cause, actor string
	// part and note are the free text and where it belongs.
	part, note string
	// before says whether an event with the same cause is what this call would say.
	before func(*ledger.Event) bool
}

// mostTurns is how often a lead that moves is read again before a call is refused.
const mostTurns = 20

// onLead says one event about a lead, as decide makes it of the lead's history. What is
// said stands on exactly that history: where somebody was faster it is read and decided
// again. A repeat of the same call says nothing.
func (o *Outcomes) onLead(ctx context.Context, a about, decide func([]*ledger.Event, *leadv1.Sealed) (ledger.Draft, error)) error {
	var note *leadv1.Sealed
	for range mostTurns {
		events, err := o.log.History(ctx, lead.SubjectOf(a.lead))
		if err != nil {
			return err
		}
		if len(events) == 0 {
			return fault.New(fault.NotFound, "there is no lead %s", a.lead)
		}
		if done, err := repeated(a, events); done || err != nil {
			return err
		}
		if note == nil && a.note != "" {
			// Who is refused leaves no key behind.
			if err := o.try(ctx, a, events, decide); err != nil {
				return err
			}
			sum := sha256.Sum256([]byte("dispute note\x00" + a.part + "\x00" + a.lead + "\x00" + a.cause))
			if note, err = o.seal(ctx, "note-"+hex.EncodeToString(sum[:16]), []byte(a.note), disputeContext(a.lead)); err != nil {
				return err
			}
		}
		moved := false
		_, err = o.writer.Say(ctx, func(_ *lead.State, last uint64) ([]ledger.Draft, error) {
			if moved = last != events[len(events)-1].Seq; moved {
				return nil, nil
			}
			draft, err := decide(events, note)
			if err != nil {
				return nil, err
			}
			draft.Subject, draft.Cause, draft.Actor, draft.Correlation = lead.SubjectOf(a.lead), a.cause, a.actor, a.lead
			return []ledger.Draft{draft}, nil
		}, a.lead)
		if err != nil {
			// The same call may have been under way twice, or have gone through
			// unanswered: then it has its event.
			if events, look := o.log.History(ctx, lead.SubjectOf(a.lead)); look == nil {
				if done, _ := repeated(a, events); done {
					return nil
				}
			}
			return err
		}
		if !moved {
			return nil
		}
	}
	return fault.New(fault.Unavailable, "lead %s moves too fast; try again", a.lead)
}

// try decides without saying anything.
func (o *Outcomes) try(ctx context.Context, a about, events []*ledger.Event, decide func([]*ledger.Event, *leadv1.Sealed) (ledger.Draft, error)) (err error) {
	_, look := o.writer.Say(ctx, func(*lead.State, uint64) ([]ledger.Draft, error) {
		_, err = decide(events, nil)
		return nil, nil
	}, a.lead)
	if err == nil {
		err = look
	}
	return err
}

// repeated says whether a call was carried out before; a fault where its key was used for
// something else.
func repeated(a about, events []*ledger.Event) (bool, error) {
	for _, e := range events {
		if e.Cause != a.cause {
			continue
		}
		if e.Actor != a.actor || !a.before(e) {
			return false, fault.New(fault.Conflict, "idempotency_key: it was used on lead %s for something else (event %d): take a new one for each call", a.lead, e.Seq)
		}
		return true, nil
	}
	return false, nil
}
