package agreement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// Name is the service's one word.
const Name = "agreement"

// Server answers baton.agreement.v1.AgreementService.
type Server struct {
	agreementv1.UnimplementedAgreementServiceServer
	Log      *ledger.Ledger
	Register *Register
	// Supply knows which source states which facts.
	Supply *Supply
	// Members are those of both departments, in order: they are asked to read a
	// version. It is called within a view of the log; nil = nobody is known.
	Members func() []string
	// Verdict says whether there is a dispute of that number, and whether it is decided.
	// It is called within a view of the log; nil = none is known.
	Verdict func(dispute string) (decided, ok bool)
}

// Propose checks a document and puts it on the table. The same document twice
// in a row is one proposal.
func (s *Server) Propose(ctx context.Context, req *agreementv1.ProposeRequest) (*agreementv1.Agreement, error) {
	document, err := compiled(req.GetDocument())
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(req.GetDocument())
	actor, _ := access.From(ctx)
	var number int64
	_, err = s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		if err := s.answers(req.GetDisputes()); err != nil {
			return nil, err
		}
		if last := s.Register.last(); last != nil && bytes.Equal(last.Digest, digest[:]) {
			if i := slices.IndexFunc(req.GetDisputes(), func(id string) bool { return !slices.Contains(last.Disputes, id) }); i >= 0 {
				return nil, fault.New(fault.State, "this document is version %d already, which was proposed without dispute %s: change something, or leave the dispute out", last.Number, req.GetDisputes()[i])
			}
			number = last.Number
			return nil, nil
		}
		number = int64(len(s.Register.versions)) + 1
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("propose:%d:%x", number, digest[:8]), Correlation: "agreement", Agreement: number,
			Body: &agreementv1.AgreementProposed{Version: number, Document: req.GetDocument(), Digest: digest[:], Why: req.GetWhy(), Disputes: req.GetDisputes()},
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	out, err := s.show(number)
	if err == nil {
		out.Notices = s.notices(document)
	}
	return out, err
}

// answers refuses disputes that a proposal cannot answer: those that are not there, and
// those without a verdict.
func (s *Server) answers(disputes []string) error {
	for i, id := range disputes {
		var decided, ok bool
		if s.Verdict != nil {
			decided, ok = s.Verdict(id)
		}
		switch {
		case !ok:
			return fault.New(fault.NotFound, "disputes: there is no dispute %q", id)
		case !decided:
			return fault.New(fault.State, "disputes: %s has no verdict yet that a proposal could answer", id)
		case slices.Contains(disputes[:i], id):
			return fault.New(fault.Invalid, "disputes: %s is named twice", id)
		}
	}
	return nil
}

// RecordRead says that the caller has read a version; again is the same.
func (s *Server) RecordRead(ctx context.Context, req *agreementv1.RecordReadRequest) (*agreementv1.Agreement, error) {
	actor, _ := access.From(ctx)
	_, err := s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		version := s.Register.Version(req.GetVersion())
		if version == nil {
			return nil, fault.New(fault.NotFound, "there is no version %d of the agreement", req.GetVersion())
		}
		if version.ReadBy(actor.Handle) {
			return nil, nil
		}
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("read:%d:%s", version.Number, actor.Handle), Correlation: "agreement", Agreement: version.Number,
			Body: &agreementv1.AgreementRead{Version: version.Number, Digest: version.Digest},
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.show(req.GetVersion())
}

// RenderAgreement makes the document that people sign.
func (s *Server) RenderAgreement(_ context.Context, req *agreementv1.RenderAgreementRequest) (*agreementv1.RenderAgreementResponse, error) {
	version, a, err := s.compiled(req.GetVersion())
	if err != nil {
		return nil, err
	}
	sheet := SheetOf(version)
	page, err := a.HTML(sheet)
	if err != nil {
		return nil, err
	}
	fragment, err := a.Fragment(sheet)
	if err != nil {
		return nil, err
	}
	return &agreementv1.RenderAgreementResponse{Version: version.GetVersion(), Digest: version.GetDigest(), Html: string(page), Fragment: string(fragment), Text: a.Text(sheet)}, nil
}

// CompareAgreements says what changes between two versions.
func (s *Server) CompareAgreements(_ context.Context, req *agreementv1.CompareAgreementsRequest) (*agreementv1.CompareAgreementsResponse, error) {
	after, now, err := s.compiled(req.GetVersion())
	if err != nil {
		return nil, err
	}
	before, old, err := s.compiled(req.GetWith())
	if err != nil {
		return nil, err
	}
	out := &agreementv1.CompareAgreementsResponse{OldVersion: before.GetVersion(), NewVersion: after.GetVersion()}
	for _, c := range Diff(old, now) {
		out.Changes = append(out.Changes, &agreementv1.Change{
			Part: c.Part, About: c.About, Text: c.Text, Concerns: c.Concerns, Kind: c.Kind, Before: c.Before, After: c.After,
		})
	}
	return out, nil
}

// GetGlossary lists the words as one version defines them.
func (s *Server) GetGlossary(_ context.Context, req *agreementv1.GetGlossaryRequest) (*agreementv1.Glossary, error) {
	version, a, err := s.compiled(req.GetVersion())
	if err != nil {
		return nil, err
	}
	return GlossaryOf(version.GetVersion(), a), nil
}

// GlossaryOf lists the words of an agreement, and its stages.
func GlossaryOf(version int64, a *Agreement) *agreementv1.Glossary {
	digest := a.Digest()
	out := &agreementv1.Glossary{Version: version, Digest: digest[:]}
	for _, t := range a.glossary {
		out.Terms = append(out.Terms, &agreementv1.GlossaryTerm{Name: t.Name, Text: t.Text})
	}
	for i := range a.stages {
		rules := a.stages[i].StageRules
		out.Stages = append(out.Stages, &agreementv1.StageTerm{Stage: stageNames[i], Title: rules.Title, Text: rules.Text, Accountable: rules.Owner})
	}
	return out
}

// compiled answers one version, or the one in force, and its rules.
func (s *Server) compiled(number int64) (*agreementv1.Agreement, *Agreement, error) {
	version, err := s.show(number)
	if err != nil {
		return nil, nil, err
	}
	var a *Agreement
	s.Log.Follower().View(func(*ledger.View) { a = s.Register.Version(version.GetVersion()).Agreement })
	if a == nil {
		return nil, nil, fault.New(fault.State, "version %d was proposed by a newer Baton and cannot be read by this one", version.GetVersion())
	}
	return version, a, nil
}

// Sign adds one party's signature. The second one puts the version in force.
func (s *Server) Sign(ctx context.Context, req *agreementv1.SignRequest) (*agreementv1.Agreement, error) {
	actor, _ := access.From(ctx)
	_, err := s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		version := s.Register.Version(req.GetVersion())
		if version == nil {
			return nil, fault.New(fault.NotFound, "there is no version %d of the agreement", req.GetVersion())
		}
		if version.SignedBy(req.GetParty()) {
			return nil, nil
		}
		if err := s.verify(version, req, v.Now); err != nil {
			return nil, err
		}
		body := &agreementv1.AgreementSigned{Version: version.Number, Digest: version.Digest, Party: req.GetParty(), PublicKey: req.GetPublicKey(), Signature: req.GetSignature()}
		if len(version.Signatures) == 1 {
			from := v.Now
			if stated, ok := version.Agreement.InForceFrom(); ok && stated.After(from) {
				from = stated
			}
			body.InForceFrom = timestamppb.New(from)
		}
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("sign:%d:%s", version.Number, req.GetParty()), Correlation: "agreement", Agreement: version.Number, Body: body,
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.show(req.GetVersion())
}

// verify checks that the party named by the version in force, or by the first
// version itself, made this signature. A new key therefore needs the old one.
func (s *Server) verify(version *Version, req *agreementv1.SignRequest, now time.Time) error {
	if version.Agreement == nil {
		return fault.New(fault.State, "version %d was proposed by a newer Baton and cannot be read by this one", version.Number)
	}
	if !bytes.Equal(version.Digest, req.GetDigest()) {
		return fault.New(fault.Conflict, "the document that was signed is not version %d; read it again with baton agreement show %d", version.Number, version.Number)
	}
	names := version.Agreement
	if current := s.Register.InForce(now); current != nil {
		names = current.Agreement
	}
	return names.Verify(req.GetParty(), "agreement", version.Digest, req.GetPublicKey(), req.GetSignature())
}

// GetAgreement shows one version, or the one in force.
func (s *Server) GetAgreement(_ context.Context, req *agreementv1.GetAgreementRequest) (*agreementv1.Agreement, error) {
	return s.show(req.GetVersion())
}

// show answers one version; 0 = the one in force.
func (s *Server) show(number int64) (out *agreementv1.Agreement, err error) {
	s.Log.Follower().View(func(v *ledger.View) {
		version := s.Register.Version(number)
		if number == 0 {
			version = s.Register.InForce(v.Now)
		}
		switch {
		case version != nil:
			out = s.shown(version, v.Now, true)
		case number == 0:
			err = s.nothingInForce()
		default:
			err = fault.New(fault.NotFound, "there is no version %d of the agreement", number)
		}
	})
	return out, err
}

// nothingInForce says what is missing: a proposal, or signatures.
func (s *Server) nothingInForce() error {
	if all := s.Register.Versions(); len(all) > 0 {
		return fault.New(fault.NotFound, "no agreement is in force yet; the newest is version %d: ask for it by its number to see what it waits for", all[len(all)-1].Number)
	}
	return fault.New(fault.NotFound, "no agreement is in force; propose one and let both parties sign it")
}

// ListAgreements lists all versions, newest first.
func (s *Server) ListAgreements(_ context.Context, req *agreementv1.ListAgreementsRequest) (*agreementv1.ListAgreementsResponse, error) {
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	before := int64(0)
	if req.GetPageToken() != "" {
		var err error
		if before, err = strconv.ParseInt(req.GetPageToken(), 10, 64); err != nil {
			return nil, fault.New(fault.Invalid, "the page token is not one of ours")
		}
	}
	out := &agreementv1.ListAgreementsResponse{}
	s.Log.Follower().View(func(v *ledger.View) {
		for _, version := range slices.Backward(s.Register.Versions()) {
			if before != 0 && version.Number >= before {
				continue
			}
			if len(out.Agreements) == size {
				out.NextPageToken = strconv.FormatInt(version.Number+1, 10)
				return
			}
			out.Agreements = append(out.Agreements, s.shown(version, v.Now, false))
		}
	})
	return out, nil
}

func (s *Server) shown(v *Version, now time.Time, document bool) *agreementv1.Agreement {
	out := &agreementv1.Agreement{
		Version: v.Number, Digest: v.Digest, ProposedAt: timestamppb.New(v.ProposedAt), ProposedBy: v.ProposedBy,
		Why: v.Why, Sequence: v.Sequence, Standing: s.Register.Standing(v, now),
		InForceFrom: stampOf(v.InForceFrom), InForceUntil: stampOf(s.Register.InForceUntil(v)),
	}
	out.InForce = out.Standing == agreementv1.Standing_STANDING_IN_FORCE
	if document {
		out.Document = v.Document
	}
	for _, sig := range v.Signatures {
		out.Signatures = append(out.Signatures, &agreementv1.Signature{
			Party: sig.Party, SignedAt: timestamppb.New(sig.At), Actor: sig.Actor, PublicKey: sig.PublicKey, Signature: sig.Signature, Sequence: sig.Sequence,
		})
	}
	for _, r := range v.Receipts {
		out.Receipts = append(out.Receipts, &agreementv1.Receipt{Member: r.Member, At: timestamppb.New(r.At)})
	}
	if s.Members != nil {
		out.Unread = slices.DeleteFunc(slices.Clone(s.Members()), v.ReadBy)
	}
	if v.Agreement == nil {
		return out
	}
	out.Name = v.Agreement.Name()
	for _, p := range v.Agreement.priorities {
		out.Priorities = append(out.Priorities, &agreementv1.Priority{Id: p.ID, Leads: p.Leads, Scope: p.Scope, Text: p.Text, From: stampOf(p.From), Until: stampOf(p.Until)})
	}
	for _, o := range v.Agreement.overlays {
		out.Exceptions = append(out.Exceptions, &agreementv1.Exception{Id: o.ID, Text: o.Text, From: stampOf(o.From), Until: stampOf(o.Until), EndedAt: stampOf(v.EndedAt(o.ID))})
	}
	for _, r := range v.Agreement.reasons {
		out.Reasons = append(out.Reasons, &agreementv1.Reason{Id: r.ID, Title: r.Title, LeadsTo: r.Consequence})
	}
	moves, _ := v.Agreement.Moves()
	for _, r := range moves {
		out.MoveReasons = append(out.MoveReasons, &agreementv1.MoveReason{Id: r.Name, Title: r.Text})
	}
	for _, p := range v.Agreement.pools {
		name := &agreementv1.PoolName{Id: p.ID, Title: p.Title, Claimed: p.GivesBy == ByClaim}
		for _, m := range p.Members {
			name.Members = append(name.Members, m.Member)
		}
		out.Pools = append(out.Pools, name)
	}
	return out
}

// stampOf is an instant as messages carry it; nil where there is none.
func stampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
