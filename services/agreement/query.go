package agreement

import (
	"context"
	"errors"
	"slices"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// asked finds the agreement that a request is about: a document, a version, or
// what is in force.
func (s *Server) asked(document []byte, version int64) (a *Agreement, err error) {
	if len(document) > 0 {
		if version != 0 {
			return nil, fault.New(fault.Invalid, "name either a version or a document")
		}
		return compiled(document)
	}
	s.Log.Follower().View(func(v *ledger.View) {
		one := s.Register.InForce(v.Now)
		if version != 0 {
			one = s.Register.Version(version)
		}
		switch {
		case one == nil && version != 0:
			err = fault.New(fault.NotFound, "there is no version %d of the agreement", version)
		case one == nil:
			err = fault.New(fault.NotFound, "no agreement is in force; propose one and let both parties sign it, or name a file")
		case one.Agreement == nil:
			err = fault.New(fault.State, "version %d was proposed by a newer Baton and cannot be read by this one", one.Number)
		default:
			a = one.Agreement
		}
	})
	return a, err
}

// compiled reads a document that somebody sent; the fault lists its problems.
func compiled(document []byte) (*Agreement, error) {
	a, err := Compile(document)
	var problems *Problems
	if errors.As(err, &problems) {
		return nil, fault.New(fault.Invalid, "%s", problems.Error())
	}
	return a, err
}

// ListFields lists what conditions may read, which rules read it, and which
// source supplies it.
func (s *Server) ListFields(_ context.Context, req *agreementv1.ListFieldsRequest) (*agreementv1.ListFieldsResponse, error) {
	a, err := s.asked(req.GetDocument(), req.GetVersion())
	if err != nil {
		return nil, err
	}
	out := &agreementv1.ListFieldsResponse{Days: SupplyDays}
	fields := a.Fields()
	var supply [][]SourceSupply
	s.Log.Follower().View(func(v *ledger.View) {
		supply = s.Supply.Of(fields, v.Now)
		out.Notices = s.Supply.Unsupplied(fields, supply, v.Now)
	})
	for i, f := range fields {
		one := &agreementv1.Field{Name: f.Name, Kind: f.Kind, Unit: f.Unit, Listed: f.Words != nil, Words: f.Words, About: f.About, UsedBy: f.UsedBy, ToldBy: "source"}
		if f.OfCall() {
			one.ToldBy = "call"
		}
		for _, from := range supply[i] {
			one.Supply = append(one.Supply, &agreementv1.Supply{SourceId: from.SourceID, Source: from.Source, Leads: from.Leads, Stated: from.Stated})
		}
		out.Fields = append(out.Fields, one)
	}
	return out, nil
}

// notices says what is worth knowing about a document before it is signed.
func (s *Server) notices(a *Agreement) (notices []string) {
	fields := a.Fields()
	s.Log.Follower().View(func(v *ledger.View) {
		notices = s.Supply.Unsupplied(fields, s.Supply.Of(fields, v.Now), v.Now)
	})
	return notices
}

// CountAudience counts the known leads that match. It reads the whole log and
// keeps what each lead stated meanwhile.
func (s *Server) CountAudience(ctx context.Context, req *agreementv1.CountAudienceRequest) (*agreementv1.CountAudienceResponse, error) {
	a, err := s.asked(req.GetDocument(), req.GetVersion())
	if err != nil {
		return nil, err
	}
	leads := map[string]*lead.State{}
	var basis ledger.View
	s.Log.Follower().View(func(v *ledger.View) { basis = *v })
	if basis.Basis > 0 {
		err = s.Log.Read(ctx, ledger.StreamLedger, 1, basis.Basis, func(r *ledger.Record) error {
			e, err := r.Decode()
			if err != nil {
				return err
			}
			state := leads[e.Subject]
			switch e.Body.(type) {
			case *leadv1.LeadReceived:
				state = &lead.State{}
				leads[e.Subject] = state
			case *leadv1.SubmissionRevised, *leadv1.LeadRemapped, *leadv1.TouchAdded, *leadv1.AccountMatched, *leadv1.LeadRefused:
			default:
				return nil
			}
			if state != nil {
				state.Evolve(e.Body, e.Occurred, e.Recorded)
			}
			return nil
		}, func(seq uint64, why string) error {
			return fault.New(fault.Corrupt, "record %d of LEDGER cannot be read: %s", seq, why)
		})
		if err != nil {
			return nil, err
		}
	}
	out := &agreementv1.CountAudienceResponse{}
	for _, c := range a.profile.criteria {
		out.Criteria = append(out.Criteria, &agreementv1.Matching{Id: c.id})
	}
	for _, p := range a.personas.list {
		out.Personas = append(out.Personas, &agreementv1.Matching{Id: p.id})
	}
	accounts := map[string]bool{}
	for _, state := range leads {
		if state.State == leadv1.State_STATE_REFUSED {
			continue
		}
		out.Leads++
		facts := FactsOf(state, basis.Now)
		fit, persona := a.Profile(facts), a.Persona(facts)
		for i, c := range fit.Criteria {
			if c.GetMet() {
				out.Criteria[i].Leads++
			}
		}
		if i := slices.IndexFunc(out.Personas, func(p *agreementv1.Matching) bool { return p.GetId() == persona.ID }); i >= 0 {
			out.Personas[i].Leads++
		}
		if !fit.Met {
			continue
		}
		out.Profile++
		if !persona.Met {
			continue
		}
		out.Matching++
		if domain := state.Account.GetAccountDomain(); domain != "" {
			accounts[domain] = true
		}
	}
	out.Accounts = int64(len(accounts))
	return out, nil
}
