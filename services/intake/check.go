package intake

import (
	"context"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/keys"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// checkedKnownPerson is what would become of a submission that opens a lead of
// somebody who is known; every other word is that of the outcome.
const checkedKnownPerson = "known-person"

// ResolveLeads answers which leads a source's own ids stand for. An id follows
// from the source and the sender's own id, so a lead has one before it is here.
func (s *Server) ResolveLeads(ctx context.Context, req *intakev1.ResolveLeadsRequest) (*intakev1.ResolveLeadsResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	ids := Ids{s.Keys}
	out := &intakev1.ResolveLeadsResponse{}
	for _, external := range req.GetExternalIds() {
		out.Leads = append(out.Leads, &intakev1.ResolvedLead{ExternalId: external, LeadId: ids.Lead(ids.Submission(src.GetSourceId(), external, ""))})
	}
	s.Log.Follower().View(func(v *ledger.View) {
		for _, l := range out.GetLeads() {
			if other := s.Names.leadOf(ids.Submission(src.GetSourceId(), l.GetExternalId(), "")); other != "" {
				l.LeadId = other
			}
			l.Exists = v.Place(lead.SubjectOf(l.GetLeadId())).Seq != 0
		}
	})
	return out, nil
}

// CheckSubmissions says what would become of submissions, each for itself as
// the log stands now. It goes the door's own way and keeps nothing: no delivery,
// no key, no person.
func (s *Server) CheckSubmissions(ctx context.Context, req *intakev1.CheckSubmissionsRequest) (*intakev1.CheckSubmissionsResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	ids, rules := Ids{s.Keys}, s.rules()
	out := &intakev1.CheckSubmissionsResponse{}
	var found []Mapped
	var macs [][]byte
	var contacts []keys.Contact
	for _, sub := range req.GetSubmissions() {
		m := s.Accounts.completed(worded(sub, rules, src, s.Domains, s.Clock.Now()), s.Domains, rules)
		result := &intakev1.CheckedSubmission{Features: m.Submission.GetFeatures()}
		if key := sub.GetExternalId(); key != "" {
			result.LeadId = ids.Lead(ids.Submission(src.GetSourceId(), key, ""))
		}
		out.Results = append(out.Results, result)
		found, contacts = append(found, m), append(contacts, keys.Contact{Email: EmailKey(m.Email), Phone: m.Phone})
		macs = append(macs, s.Keys.MAC("body", []byte(src.GetSourceId()), canonical(sub)))
	}
	persons, err := s.Keys.Find(ctx, contacts)
	if err != nil {
		return nil, err
	}
	s.Log.Follower().View(func(v *ledger.View) {
		for i, result := range out.GetResults() {
			state := &lead.State{}
			if result.GetLeadId() != "" {
				if state, err = v.Lead(result.GetLeadId()); err != nil {
					return
				}
			}
			result.Outcome = wouldBe(state, &found[i], macs[i], persons[i])
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// wouldBe is the outcome that the door would come to. What is here already
// comes before what the submission holds: a repeat of a test is a repeat.
func wouldBe(s *lead.State, m *Mapped, mac []byte, person string) string {
	switch {
	case s.ID != "" && (s.Historical || string(s.BodyMAC) == string(mac)):
		return OutcomeRepeat
	case s.ID != "":
		return OutcomeRevision
	case m.Spam != "":
		return OutcomeSpam
	case m.Submission.GetTest():
		return OutcomeTest
	case m.NeedsMapping:
		return OutcomeNeedsMapping
	case person != "":
		return checkedKnownPerson
	}
	return OutcomeLead
}
