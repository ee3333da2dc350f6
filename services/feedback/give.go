package feedback

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// DecideFeedback says what feedback is said of a lead: an event, or a fault that says why
// not, and which repeats nothing that was typed. had says that the actor had the lead at
// some time; own are the words of the lead's person, which no phrase may hold. The note is
// not part of it.
func DecideFeedback(s *lead.State, f *leadv1.FeedbackGiven, actor access.Actor, had bool, rules *agreement.Version, own map[string]bool) (*leadv1.FeedbackGiven, error) {
	switch holder, held := s.Held(); {
	case s.State == leadv1.State_STATE_UNSPECIFIED:
		return nil, fault.New(fault.NotFound, "there is no lead %s", s.ID)
	case !had && (!held || holder != actor.Handle) && !actor.Has(access.Manager):
		return nil, fault.New(fault.Denied, "feedback on lead %s is given by whoever has it or had it, or by a manager", s.ID)
	}
	out := &leadv1.FeedbackGiven{
		Member: actor.Handle, AgreementVersion: rules.Number, Campaign: campaignOf(s),
		Interest: f.GetInterest(), Ease: f.GetEase(),
	}
	for _, n := range []struct {
		name string
		n    int32
	}{{"interest", f.GetInterest()}, {"ease", f.GetEase()}} {
		if n.n < 0 || n.n > 5 {
			return nil, fault.New(fault.Invalid, "%s: a number from 1 to 5, or 0 where nothing is said", n.name)
		}
	}
	var err error
	for _, q := range questions(s, rules.Agreement) {
		switch q.GetName() {
		case "why":
			out.Why, err = chosen(q, f.GetWhy())
		case "missing":
			out.Missing, err = chosen(q, f.GetMissing())
		case "talk":
			out.Talk, err = chosenOne(q, f.GetTalk())
		case "vertical":
			out.Vertical, err = chosenOne(q, f.GetVertical())
		case "persona":
			out.Persona, err = chosenOne(q, f.GetPersona())
		case "phrases":
			out.Phrases, err = phrases(f.GetPhrases(), own)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// chosen holds answers against those that can be chosen; each counts once.
func chosen(q *feedbackv1.FeedbackQuestion, said []string) (out []string, err error) {
	for _, id := range said {
		if id == "" || slices.Contains(out, id) {
			continue
		}
		known := make([]string, len(q.GetChoices()))
		for i, c := range q.GetChoices() {
			known[i] = c.GetId()
		}
		switch {
		case len(known) == 0:
			return nil, fault.New(fault.State, "%s: the agreement in force has no answers to choose from; add them to it, or write a note", q.GetName())
		case !slices.Contains(known, id):
			return nil, fault.New(fault.Invalid, "%s: that is not agreed; use %s", q.GetName(), strings.Join(known, ", "))
		}
		out = append(out, id)
	}
	return out, nil
}

func chosenOne(q *feedbackv1.FeedbackQuestion, said string) (string, error) {
	out, err := chosen(q, []string{said})
	if err != nil || len(out) == 0 {
		return "", err
	}
	return out[0], nil
}

// campaignOf is the campaign of the touch that led to the handoff; of a lead that was never
// handed over, of its last touch.
func campaignOf(s *lead.State) string {
	if s.Handoff.At.IsZero() {
		return s.Last.Attribution.GetCampaign()
	}
	return s.Handoff.Attribution.GetCampaign()
}

// hadIt says whether somebody had a lead at some time: took it, gave it back, or has it by
// what another system states.
func hadIt(events []*ledger.Event, member string) bool {
	return slices.ContainsFunc(events, func(e *ledger.Event) bool {
		switch b := e.Body.(type) {
		case *leadv1.OfferAccepted:
			return b.GetMember() == member
		case *leadv1.OfferRejected:
			return b.GetMember() == member
		case *leadv1.OutcomeRecorded:
			return b.GetHistorical() && b.GetMember() == member
		case *leadv1.LeadReassigned:
			return b.GetTo() == member && (lead.GivenBack(b) || b.GetReason() == lead.ReasonImported)
		}
		return false
	})
}

// GiveFeedback says what sales learned from a lead. A repeat under the same idempotency
// key is answered as the first was.
func (o *Outcomes) GiveFeedback(ctx context.Context, req *feedbackv1.GiveFeedbackRequest) (*feedbackv1.GiveFeedbackResponse, error) {
	actor, ok := access.From(ctx)
	switch {
	case !ok:
		return nil, fault.New(fault.Unauthenticated, "feedback is given by somebody: sign in")
	case req.GetIdempotencyKey() == "":
		return nil, fault.New(fault.Invalid, "idempotency_key: name one, so that a repeat of this call is harmless")
	case !lead.Safe(req.GetLeadId()):
		return nil, fault.New(fault.NotFound, "there is no such lead: an id has lower-case letters, digits and hyphens only")
	}
	events, s, err := o.told(ctx, req.GetLeadId())
	if err != nil {
		return nil, err
	}
	rules := o.rules(o.clock.Now())
	own, err := o.own(ctx, s, req.GetFeedback())
	if err != nil {
		return nil, err
	}
	body, err := DecideFeedback(s, req.GetFeedback(), actor, hadIt(events, actor.Handle), rules, own)
	if err != nil {
		return nil, err
	}
	if done, err := givenBefore(events, req, actor, body); done != 0 || err != nil {
		return o.answered(s, rules, body, done), err
	}
	if empty(body) && req.GetNote() == "" {
		return nil, fault.New(fault.Invalid, "feedback: nothing is said; answer one question, or write a note")
	}
	if req.GetNote() != "" {
		sum := sha256.Sum256([]byte("feedback note\x00" + req.GetLeadId() + "\x00" + actor.Handle + "\x00" + req.GetIdempotencyKey()))
		if body.Note, err = o.seal(ctx, "note-"+hex.EncodeToString(sum[:16]), []byte(req.GetNote()), NoteContext(req.GetLeadId())); err != nil {
			return nil, err
		}
	}
	seq, err := o.writer.Say(ctx, func(now *lead.State, _ uint64) ([]ledger.Draft, error) {
		if cause := causePrefix + req.GetIdempotencyKey(); now.ID != "" {
			if _, done := now.Done(cause); done {
				return nil, fault.New(fault.Conflict, "idempotency_key: it is being used on lead %s; look again", req.GetLeadId())
			}
		}
		return []ledger.Draft{{
			Subject: lead.SubjectOf(req.GetLeadId()), Body: body, Occurred: o.clock.Now(),
			Cause: causePrefix + req.GetIdempotencyKey(), Correlation: req.GetLeadId(), Actor: actor.Handle, Agreement: rules.Number,
		}}, nil
	}, req.GetLeadId())
	if err != nil {
		// The same call may have been under way twice, or have gone through unanswered.
		if events, _, look := o.told(ctx, req.GetLeadId()); look == nil {
			if done, look := givenBefore(events, req, actor, body); done != 0 && look == nil {
				return o.answered(s, rules, body, done), nil
			}
		}
		return nil, err
	}
	return o.answered(s, rules, body, seq), nil
}

func (o *Outcomes) answered(s *lead.State, rules *agreement.Version, body *leadv1.FeedbackGiven, seq uint64) *feedbackv1.GiveFeedbackResponse {
	return &feedbackv1.GiveFeedbackResponse{Sequence: seq, Missing: unanswered(questions(s, rules.Agreement), body)}
}

// givenBefore answers the event of a call that was answered before; 0 for a new one. The
// same key for something else is a mistake worth telling.
func givenBefore(events []*ledger.Event, req *feedbackv1.GiveFeedbackRequest, actor access.Actor, body *leadv1.FeedbackGiven) (uint64, error) {
	for _, e := range events {
		if e.Cause != causePrefix+req.GetIdempotencyKey() {
			continue
		}
		if before, ok := e.Body.(*leadv1.FeedbackGiven); ok && e.Actor == actor.Handle && sameAnswers(before, body) && (before.GetNote() != nil) == (req.GetNote() != "") {
			return e.Seq, nil
		}
		return 0, fault.New(fault.Conflict, "idempotency_key: it was used on lead %s for something else (event %d): take a new one each time", req.GetLeadId(), e.Seq)
	}
	return 0, nil
}

// sameAnswers compares what was said, whatever was agreed and known when.
func sameAnswers(a, b *leadv1.FeedbackGiven) bool {
	a, b = answersOf(a), answersOf(b)
	a.AgreementVersion, a.Campaign, b.AgreementVersion, b.Campaign = 0, "", 0, ""
	return proto.Equal(a, b)
}

func empty(f *leadv1.FeedbackGiven) bool {
	return sameAnswers(f, &leadv1.FeedbackGiven{Member: f.GetMember()})
}

// told is a lead's history and its state.
func (o *Outcomes) told(ctx context.Context, leadID string) ([]*ledger.Event, *lead.State, error) {
	events, err := o.log.History(ctx, lead.SubjectOf(leadID))
	if err != nil {
		return nil, nil, err
	}
	s := &lead.State{ID: leadID}
	for _, e := range events {
		s.Evolve(e.Body, e.Occurred, e.Recorded)
	}
	if len(events) == 0 {
		return nil, nil, fault.New(fault.NotFound, "there is no lead %s", leadID)
	}
	return events, s, nil
}

// own are the words of a lead's person; none once they are erased, or where no phrase is
// said.
func (o *Outcomes) own(ctx context.Context, s *lead.State, f *leadv1.FeedbackGiven) (map[string]bool, error) {
	if len(f.GetPhrases()) == 0 || s.Personal == nil || o.Open == nil {
		return nil, nil
	}
	p, err := o.Open(ctx, s.ID, s.Personal)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return ownWords(p), err
}

// ListFeedback lists what was said of leads, in the order in which it became known.
func (o *Outcomes) ListFeedback(_ context.Context, req *feedbackv1.ListFeedbackRequest) (*feedbackv1.ListFeedbackResponse, error) {
	after, n, err := page(req)
	if err != nil {
		return nil, err
	}
	out := &feedbackv1.ListFeedbackResponse{}
	if o.Given == nil {
		return out, nil
	}
	var next uint64
	out.Feedback, next = o.Given.list(req, after, n)
	out.NextPageToken = pageToken(next)
	return out, nil
}
