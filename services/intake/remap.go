package intake

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// RemapSource reads a source's kept bodies again with its mapping of now. A lead
// that says something else then says so; one that turns out to be spam or a test
// before it was qualified is refused, as it would have been at the door.
// Nothing else of it changes, and a lead of which somebody was forgotten stays as
// it is.
func (s *Server) RemapSource(ctx context.Context, req *intakev1.RemapSourceRequest) (*intakev1.RemapSourceResponse, error) {
	span, err := s.spanOf(req.GetFrom(), nil, req.GetSource())
	if err != nil {
		return nil, err
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	all, sources, _, err := s.Acknowledged.upTo(ctx, s.Log)
	if err != nil {
		return nil, err
	}
	actor, _ := access.From(ctx)
	r := &remapping{Server: s, actor: actor.Handle, dry: req.GetDryRun(), rules: s.rules(), out: &intakev1.RemapSourceResponse{}, gone: map[string]bool{}}
	for _, a := range all {
		if !span.holds(time.Unix(0, a.received), sources[a.source]) {
			continue
		}
		opened := r.opened(a.at, req.GetAll())
		if len(opened) == 0 {
			continue
		}
		if err := r.delivery(ctx, a.at, opened); err != nil {
			return nil, err
		}
	}
	return r.out, nil
}

// remapping is one reading of kept bodies.
type remapping struct {
	*Server
	actor string
	dry   bool
	rules Vocabulary
	out   *intakev1.RemapSourceResponse
	// gone are the day keys that were destroyed: what follows needs no look.
	gone map[string]bool
}

// opened answers the submissions of a delivery that leads rest on.
func (r *remapping) opened(at keptAt, all bool) (out []itemOutcome) {
	r.Log.Follower().View(func(*ledger.View) {
		for _, o := range resolve(r.Tally.of(at)).outcomes {
			if o.outcome == OutcomeNeedsMapping || all && (o.outcome == OutcomeLead || o.outcome == OutcomeRevision) {
				out = append(out, o)
			}
		}
	})
	return out
}

// delivery reads one kept body again.
func (r *remapping) delivery(ctx context.Context, at keptAt, opened []itemOutcome) error {
	record, err := r.Log.KeptAt(ctx, at.seq)
	if err != nil {
		return err
	}
	d := record.GetDeliveries()[at.index]
	lost := func() { r.out.Gone += int64(len(opened)) }
	if r.gone[d.GetBody().GetKeyId()] {
		lost()
		return nil
	}
	body, err := openBody(ctx, r.Keys, d)
	switch {
	case fault.Is(err, fault.NotFound):
		r.gone[d.GetBody().GetKeyId()] = true
		lost()
		return nil
	case fault.Is(err, fault.Unavailable), ctx.Err() != nil:
		return err
	case err != nil || body.GetSubmission() != nil || body.GetTouch() != nil:
		return nil //nolint:nilerr // what cannot be read, or came mapped already, has nothing to map
	}
	fields, err := ParseDelivery(d, body, r.Sources.ByID(d.GetSourceId()))
	if err != nil {
		return nil //nolint:nilerr // it said so when it came
	}
	src := r.Sources.ByID(d.GetSourceId())
	for _, o := range opened {
		if int(o.item) >= len(fields.Items) || src == nil {
			continue
		}
		e, err := r.Log.EventAt(ctx, o.event)
		if err != nil {
			return err
		}
		id, ok := lead.FromSubject(e.Subject)
		if !ok {
			continue
		}
		ref := refOfItem(refOf(at.seq, int(at.index), d), int(o.item))
		m := r.Accounts.completed(understood(fields.Items[o.item], r.rules, src, r.Domains, d.GetReceivedAt().AsTime()), r.Domains, r.rules)
		if err := r.lead(ctx, id, ref, src, m); err != nil {
			return err
		}
	}
	return nil
}

// lead compares what a lead says with what its body says now, and says what is
// different.
func (r *remapping) lead(ctx context.Context, id string, ref *leadv1.DeliveryRef, src *intakev1.SourceDeclared, m Mapped) error {
	for {
		events, err := r.Log.History(ctx, lead.SubjectOf(id))
		if err != nil {
			return err
		}
		s, counts := lastReading(id, events)
		if s.State == leadv1.State_STATE_REFUSED || keptAtOf(counts) != keptAtOf(ref) || counts.GetItem() != ref.GetItem() || m.Ignored != "" {
			return nil // a later body counts, or none does
		}
		plain, err := (&task{mapped: m}).personal()
		if err != nil {
			return err
		}
		have, err := r.Keys.Open(ctx, s.Personal, []byte(id))
		switch {
		case fault.Is(err, fault.NotFound):
			r.out.Gone++ // the person was forgotten, and stays so
			return nil
		case err != nil:
			return err
		}
		same, err := samePersonal(have, m.Submission.GetPersonal())
		if err != nil {
			return err
		}
		features := m.Submission.GetFeatures()
		no := refusedNow(s, &m)
		changed := !same || !proto.Equal(features, s.Features) || m.NeedsMapping != s.NeedsMapping || no != nil
		if changed && !r.dry {
			wrote, err := r.say(ctx, s, events[len(events)-1].Seq, counts, src, m, plain, no)
			if err != nil {
				return err
			}
			if !wrote {
				continue // the lead moved meanwhile: look again
			}
		}
		r.out.Read++
		if changed {
			r.out.Changed++
		}
		open := m.NeedsMapping && no == nil
		if s.NeedsMapping && !open {
			r.out.Settled++
		}
		if open {
			r.out.Open++
		}
		return nil
	}
}

// refusedNow is why a lead is refused, now that its body says more; nil = it is
// not. Once it was qualified, somebody called, or a later body revised it, people
// say what it is.
func refusedNow(s *lead.State, m *Mapped) *leadv1.LeadRefused {
	if s.Revisions > 0 || s.Offers > 0 || len(s.Calls) > 0 {
		return nil
	}
	switch s.State {
	case leadv1.State_STATE_RECEIVED, leadv1.State_STATE_HELD, leadv1.State_STATE_NURTURING:
		return refusalOf(m)
	}
	return nil
}

// lastReading folds a lead whole, and answers which delivery's reading counts.
func lastReading(id string, events []*ledger.Event) (*lead.State, *leadv1.DeliveryRef) {
	s := &lead.State{ID: id}
	var counts *leadv1.DeliveryRef
	for _, e := range events {
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		switch b := e.Body.(type) {
		case *leadv1.LeadReceived:
			counts = b.GetDelivery()
		case *leadv1.SubmissionRevised:
			if !b.GetConflict() {
				counts = b.GetDelivery()
			}
		case *leadv1.LeadRemapped:
			counts = b.GetDelivery()
		}
	}
	return s, counts
}

func samePersonal(have []byte, want *leadv1.PersonalData) (bool, error) {
	stands := &leadv1.PersonalData{}
	if err := proto.Unmarshal(have, stands); err != nil {
		return false, fault.New(fault.Corrupt, "the personal data of a lead cannot be decoded")
	}
	if want == nil {
		want = &leadv1.PersonalData{}
	}
	return proto.Equal(stands, want), nil
}

// say seals the new reading under a key of its own, on disk before the event that
// needs it, and says it; also whose the lead is, where that is somebody else. It
// answers false where the lead has moved since it was looked at.
func (r *remapping) say(ctx context.Context, s *lead.State, at uint64, ref *leadv1.DeliveryRef, src *intakev1.SourceDeclared, m Mapped, plain []byte, no *leadv1.LeadRefused) (wrote bool, err error) {
	// Who could not be reached by anything is still that person when an address
	// is found; who is reached by another address is somebody else.
	person := ""
	if s.NeedsMapping || m.Email == "" && m.Phone == "" {
		person = s.PersonID
	}
	grants, err := r.Keys.Admit(ctx, []keys.Admission{{
		LeadID: s.ID, KeyID: lead.ID("map-", r.Keys.MAC("remap", []byte(s.ID), strconv.AppendUint(nil, at, 10), strconv.AppendInt(nil, src.GetVersion(), 10))), SourceID: src.GetSourceId(), Plain: plain, AAD: []byte(s.ID),
		Email: EmailKey(m.Email), Phone: m.Phone, Likeness: m.likeness(r.Domains), PersonID: person, ReceivedAt: s.ReceivedAt,
	}})
	if err != nil {
		return false, err
	}
	grant := grants[0]
	_, err = r.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		if wrote = v.Place(lead.SubjectOf(s.ID)).Seq == at; !wrote {
			return nil, nil
		}
		cause := "remap:" + ref.GetDeliveryId()
		features := m.Submission.GetFeatures()
		if features == nil {
			features = &leadv1.Features{}
		}
		drafts := []ledger.Draft{{
			Subject: lead.SubjectOf(s.ID), Cause: cause, Correlation: s.ID, Position: int(s.Events), Actor: r.actor,
			Body: &leadv1.LeadRemapped{Delivery: ref, Features: features, Personal: grant.Sealed, NeedsMapping: m.NeedsMapping, Mapping: m.Used, Found: m.Found},
		}}
		also := func(subject string, body proto.Message) {
			drafts = append(drafts, ledger.Draft{Subject: subject, Body: body, Cause: cause, Correlation: s.ID, Position: int(s.Events) + len(drafts), Actor: r.actor})
		}
		if no != nil {
			also(lead.SubjectOf(s.ID), no)
		} else if found := r.Accounts.accountOf(&m, r.Domains, s.Account); found != nil {
			also(lead.SubjectOf(s.ID), found)
		}
		onLead, onPerson := attached(s.ID, &grant, r.People)
		if grant.PersonID == s.PersonID {
			onPerson = onPerson[1:] // the lead is theirs already
		} else {
			onLead.MatchedBy = "remap"
			also(lead.SubjectOf(s.ID), onLead)
			if s.PersonID != "" {
				also(lead.SubjectPerson+s.PersonID, &personv1.LeadDetached{LeadId: s.ID, PersonId: grant.PersonID})
			}
		}
		for _, said := range onPerson {
			also(lead.SubjectPerson+grant.PersonID, said)
		}
		return drafts, nil
	})
	return wrote, err
}
