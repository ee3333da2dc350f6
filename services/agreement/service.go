package agreement

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
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
}

// Propose checks a document and puts it on the table. The same document twice
// in a row is one proposal.
func (s *Server) Propose(ctx context.Context, req *agreementv1.ProposeRequest) (*agreementv1.Agreement, error) {
	if _, err := Compile(req.GetDocument()); err != nil {
		var problems *Problems
		if errors.As(err, &problems) {
			return nil, fault.New(fault.Invalid, "%s", problems.Error())
		}
		return nil, err
	}
	digest := sha256.Sum256(req.GetDocument())
	actor, _ := access.From(ctx)
	var number int64
	_, err := s.Log.Write(ctx, Name, func(*ledger.View) ([]ledger.Draft, error) {
		if last := s.Register.last(); last != nil && bytes.Equal(last.Digest, digest[:]) {
			number = last.Number
			return nil, nil
		}
		number = int64(len(s.Register.versions)) + 1
		return []ledger.Draft{{
			Subject: Subject, Actor: actor.Handle, Cause: fmt.Sprintf("propose:%d:%x", number, digest[:8]), Correlation: "agreement", Agreement: number,
			Body: &agreementv1.AgreementProposed{Version: number, Document: req.GetDocument(), Digest: digest[:]},
		}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.show(number)
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
	if req.GetVersion() != 0 {
		return s.show(req.GetVersion())
	}
	var out *agreementv1.Agreement
	s.Log.Follower().View(func(v *ledger.View) {
		if version := s.Register.InForce(v.Now); version != nil {
			out = shown(version, version, true)
		}
	})
	if out == nil {
		return nil, fault.New(fault.NotFound, "no agreement is in force; propose one and let both parties sign it")
	}
	return out, nil
}

func (s *Server) show(number int64) (out *agreementv1.Agreement, err error) {
	s.Log.Follower().View(func(v *ledger.View) {
		version := s.Register.Version(number)
		if version == nil {
			err = fault.New(fault.NotFound, "there is no version %d of the agreement", number)
			return
		}
		out = shown(version, s.Register.InForce(v.Now), true)
	})
	return out, err
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
		current := s.Register.InForce(v.Now)
		for _, version := range slices.Backward(s.Register.Versions()) {
			if before != 0 && version.Number >= before {
				continue
			}
			if len(out.Agreements) == size {
				out.NextPageToken = strconv.FormatInt(version.Number+1, 10)
				return
			}
			out.Agreements = append(out.Agreements, shown(version, current, false))
		}
	})
	return out, nil
}

func shown(v, current *Version, document bool) *agreementv1.Agreement {
	out := &agreementv1.Agreement{
		Version: v.Number, Digest: v.Digest, ProposedAt: timestamppb.New(v.ProposedAt), ProposedBy: v.ProposedBy, InForce: v == current,
	}
	if v.Agreement != nil {
		out.Name = v.Agreement.Name()
	}
	if document {
		out.Document = v.Document
	}
	if !v.InForceFrom.IsZero() {
		out.InForceFrom = timestamppb.New(v.InForceFrom)
	}
	for _, sig := range v.Signatures {
		out.Signatures = append(out.Signatures, &agreementv1.Signature{Party: sig.Party, SignedAt: timestamppb.New(sig.At), Actor: sig.Actor, PublicKey: sig.PublicKey})
	}
	return out
}
