package intake

import (
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// outcomes collects what becomes of a batch of submissions; each sees the ones
// before it.
type outcomes struct {
	view   *ledger.View
	leads  map[string]*lead.State
	drafts []ledger.Draft
}

func (b *outcomes) lead(id string) (*lead.State, error) {
	if s := b.leads[id]; s != nil {
		return s, nil
	}
	folded, err := b.view.Lead(id)
	if err != nil {
		return nil, err
	}
	s := folded.Clone()
	b.leads[id] = s
	return s, nil
}

// add says what becomes of one submission: exactly one outcome, and nothing
// where it has one already.
func (b *outcomes) add(t *task) error {
	s, err := b.lead(t.leadID)
	if err != nil {
		return err
	}
	switch {
	case s.Delivered(t.ref.GetDeliveryId()):
		return nil
	case s.ID != "" && string(s.BodyMAC) == string(t.mac):
		b.say(t, s, &leadv1.SubmissionRepeated{Delivery: t.ref})
		return nil
	case t.grant == nil:
		// Somebody moved the lead between the two looks; the record comes again.
		return fault.New(fault.Unavailable, "the lead moved while its submission was prepared")
	case s.ID != "":
		b.say(t, s, &leadv1.SubmissionRevised{
			Delivery: t.ref, Features: t.mapped.Submission.GetFeatures(), Personal: t.grant.Sealed, BodyMac: t.mac, Conflict: !t.delivery.GetSigned(),
		})
		return nil
	case !t.named && t.grant.FirstLead != t.leadID:
		first, err := b.lead(t.grant.FirstLead)
		if err != nil {
			return err
		}
		if first.Delivered(t.ref.GetDeliveryId()) {
			return nil
		}
		if first.ID != "" {
			b.say(t, first, &leadv1.TouchAdded{Delivery: t.ref, Kind: "same-form", SubmissionId: t.submissionID})
			return nil
		}
	}
	b.receive(t, s)
	return nil
}

// receive opens a lead.
func (b *outcomes) receive(t *task, s *lead.State) {
	s.ID = t.leadID
	features := t.mapped.Submission.GetFeatures()
	if features == nil {
		features = &leadv1.Features{}
	}
	b.say(t, s, &leadv1.LeadReceived{
		SourceId: t.source.GetSourceId(), Source: t.source.GetName(), SubmissionId: t.submissionID, SenderNamed: t.named,
		Signed: t.delivery.GetSigned(), Delivery: t.ref, ReceivedAt: t.delivery.GetReceivedAt(), Features: features,
		Personal: t.grant.Sealed, BodyMac: t.mac, NeedsMapping: t.mapped.NeedsMapping,
	})
	b.attach(t.leadID, t.grant.PersonID, t.grant.MatchedBy, t.ref.GetDeliveryId(), t.trace, s)
	switch {
	case t.mapped.Spam != "":
		b.say(t, s, &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: t.mapped.Spam})
	case t.mapped.Submission.GetTest():
		b.say(t, s, &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_TEST, Rule: "the sender marked it as a test"})
	}
}

func (b *outcomes) say(t *task, s *lead.State, body proto.Message) {
	d := ledger.Draft{
		Subject: lead.SubjectOf(s.ID), Body: body, Cause: t.ref.GetDeliveryId(), Correlation: s.ID, Position: int(s.Events), TraceParent: t.trace,
	}
	if _, ok := body.(*leadv1.LeadReceived); ok {
		d.Occurred = t.delivery.GetReceivedAt().AsTime()
	}
	b.drafts = append(b.drafts, d)
	s.Evolve(body, b.view.Now, b.view.Now)
}

// attach says whose the lead is, on both subjects.
func (b *outcomes) attach(leadID, personID, by, cause, trace string, s *lead.State) {
	body := &leadv1.PersonAttached{PersonId: personID, MatchedBy: by}
	b.drafts = append(b.drafts,
		ledger.Draft{Subject: lead.SubjectOf(leadID), Body: body, Cause: cause, Correlation: leadID, Position: 1000, TraceParent: trace},
		ledger.Draft{Subject: lead.SubjectPerson + personID, Body: &personv1.LeadAttached{LeadId: leadID}, Cause: cause, Correlation: leadID, Position: 1001, TraceParent: trace})
	s.Evolve(body, b.view.Now, b.view.Now)
}

// mapped makes of a submission in Baton's own words what the mapper makes of a
// form.
func mapped(sub *intakev1.Submission) Mapped {
	m := Mapped{Submission: sub}
	m.Email, _ = NormaliseEmail(sub.GetPersonal().GetEmail())
	var country string
	m.Phone, country, _ = NormalisePhone(sub.GetPersonal().GetPhone(), sub.GetFeatures().GetCountry())
	f := sub.GetFeatures()
	if f == nil {
		f = &leadv1.Features{}
		sub.Features = f
	}
	f.HasEmail, f.HasPhone = m.Email != "", m.Phone != ""
	f.HasCompany = sub.GetPersonal().GetCompany() != ""
	f.FreeEmail = m.Email != "" && FreeMail(m.Email)
	if f.GetCountry() == "" {
		f.Country = country
	}
	m.NeedsMapping = m.Email == "" && m.Phone == ""
	return m
}

// canonical is an unambiguous spelling of a submission.
func canonical(sub *intakev1.Submission) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(sub)
	if err != nil {
		return nil
	}
	return raw
}
