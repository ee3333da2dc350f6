package intake

import (
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// outcomes collects what becomes of a batch of submissions; each sees the ones
// before it.
type outcomes struct {
	view   *ledger.View
	people *People
	held   *Held
	leads  map[string]*lead.State
	drafts []ledger.Draft
	// accounts and domains say which company somebody belongs to.
	accounts *Accounts
	domains  *Domains
	chain    *chain
	// touches of this batch, by id, and the deliveries that each came in.
	touches map[string][]string
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
	if t.touch != nil {
		return b.touch(t)
	}
	replaced := false
	if len(t.names) > 0 {
		var id string
		if id, replaced = b.chain.lead(t.names, t.leadID); id != t.leadID {
			return fault.New(fault.Unavailable, "another name of the submission came while it was prepared")
		}
	}
	if t.mapped.Ignored != "" {
		b.ignore(t)
		return nil
	}
	s, err := b.lead(t.leadID)
	if err != nil {
		return err
	}
	switch {
	case s.Delivered(t.ref.GetDeliveryId()):
		return nil
	}
	b.name(t)
	switch {
	case s.ID != "" && (replaced || string(s.BodyMAC) == string(t.mac)):
		b.say(t, s, &leadv1.SubmissionRepeated{Delivery: t.ref})
		return nil
	case t.grant == nil:
		// Somebody moved the lead between the two looks; the record comes again.
		return fault.New(fault.Unavailable, "the lead moved while its submission was prepared")
	case s.ID != "":
		b.say(t, s, &leadv1.SubmissionRevised{
			Delivery: t.ref, Features: t.mapped.Submission.GetFeatures(), Personal: t.grant.Sealed, BodyMac: t.mac, Conflict: !t.delivery.GetSigned(),
		})
		if t.delivery.GetSigned() {
			b.account(t, s)
		}
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
			b.say(t, first, &leadv1.TouchAdded{Delivery: t.ref, Kind: lead.SameForm, SubmissionId: t.submissionID})
			return nil
		}
	}
	b.receive(t, s)
	return nil
}

// ignore says that a submission is no lead and was not meant to be one.
func (b *outcomes) ignore(t *task) {
	subject := deliverySubject(t.ref)
	if wait := b.held.waits[t.ref.GetDeliveryId()]; wait != nil {
		if wait.ignored {
			return
		}
	} else if t.from.ref.GetDeliveryId() == t.ref.GetDeliveryId() || b.view.Place(subject).Seq != 0 {
		return
	}
	b.name(t)
	b.drafts = append(b.drafts, ledger.Draft{
		Subject: subject, Cause: t.ref.GetDeliveryId(), Position: 2, Correlation: t.ref.GetDeliveryId(), TraceParent: t.trace,
		Body: &intakev1.DeliveryIgnored{Delivery: t.ref, SourceId: t.source.GetSourceId(), Why: t.mapped.Ignored},
	})
}

// speaks says whether a submission says by which ids it goes: one that is taken,
// or an event that links one to another.
func (t *task) speaks() bool {
	return t.mapped.Ignored == "" || t.mapped.Event == eventLink && len(t.names) > 1
}

// name says by which ids a submission goes, where that is not known yet.
func (b *outcomes) name(t *task) {
	if len(t.names) == 0 || !t.speaks() {
		return
	}
	for i, said := range b.chain.name(t.names, t.source.GetSourceId(), t.leadID) {
		b.drafts = append(b.drafts, ledger.Draft{
			Subject: subjectSubmission + said.GetSubmissionId(), Body: said, Cause: t.ref.GetDeliveryId(), Correlation: t.leadID, Position: 2000 + i, TraceParent: t.trace,
		})
	}
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
		Personal: t.grant.Sealed, BodyMac: t.mac, NeedsMapping: t.mapped.NeedsMapping, Mapping: t.mapped.Used, Found: t.mapped.Found,
	})
	b.attach(t.leadID, t.grant, t.ref.GetDeliveryId(), t.trace, s)
	if no := refusalOf(&t.mapped); no != nil {
		b.say(t, s, no)
	} else {
		b.account(t, s)
	}
}

// refusalOf is why a submission is refused, by what it says; nil = it is not.
func refusalOf(m *Mapped) *leadv1.LeadRefused {
	switch {
	case m.Spam != "":
		return &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_SPAM, Rule: m.Spam}
	case m.Submission.GetTest():
		return &leadv1.LeadRefused{Reason: leadv1.RefusalReason_REFUSAL_REASON_TEST, Rule: "the sender marked it as a test"}
	}
	return nil
}

// account says which declared company the lead belongs to, where that is
// something else than before.
func (b *outcomes) account(t *task, s *lead.State) {
	if found := b.accounts.accountOf(&t.mapped, b.domains, s.Account); found != nil {
		b.say(t, s, found)
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

// attach says whose the lead is, on both subjects, and who else that may be.
func (b *outcomes) attach(leadID string, g *keys.Grant, cause, trace string, s *lead.State) {
	body, more := attached(leadID, g, b.people)
	b.drafts = append(b.drafts, ledger.Draft{Subject: lead.SubjectOf(leadID), Body: body, Cause: cause, Correlation: leadID, Position: 1000, TraceParent: trace})
	for i, said := range more {
		b.drafts = append(b.drafts, ledger.Draft{Subject: lead.SubjectPerson + g.PersonID, Body: said, Cause: cause, Correlation: leadID, Position: 1001 + i, TraceParent: trace})
	}
	s.Evolve(body, b.view.Now, b.view.Now)
}

// canonical is an unambiguous spelling of a submission.
func canonical(sub *intakev1.Submission) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(sub)
	if err != nil {
		return nil
	}
	return raw
}
