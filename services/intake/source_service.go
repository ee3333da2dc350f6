package intake

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// ListSources lists the sources.
func (s *Server) ListSources(context.Context, *intakev1.ListSourcesRequest) (*intakev1.ListSourcesResponse, error) {
	out := &intakev1.ListSourcesResponse{}
	for _, src := range s.Sources.All() {
		out.Sources = append(out.Sources, &intakev1.Source{
			SourceId: src.GetSourceId(), Name: src.GetName(), Signed: src.GetVerification() != nil, Token: len(src.GetTokenHash()) > 0,
			State: src.GetState(), Preset: src.GetPreset(),
		})
	}
	return out, nil
}

// GetSource answers one source in full, by its name or a former one.
func (s *Server) GetSource(_ context.Context, req *intakev1.GetSourceRequest) (*intakev1.GetSourceResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	return &intakev1.GetSourceResponse{Source: src, Path: addressOf(src, ""), Url: s.urlOf(src, "")}, nil
}

// urlOf is a source's address as senders know it; empty = nobody said how the
// internet reaches this door.
func (s *Server) urlOf(src *intakev1.SourceDeclared, token string) string {
	if s.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(s.PublicURL, "/") + addressOf(src, token)
}

// addressOf is a source's address below the door.
func addressOf(src *intakev1.SourceDeclared, token string) string {
	if token != "" {
		token = "/" + token
	}
	return "/hooks/" + src.GetName() + token
}

// newToken is a token of 130 random bits.
func newToken() string { return strings.ToLower(rand.Text()) }

// AddSource makes a source known. Its token is answered here and nowhere else.
func (s *Server) AddSource(ctx context.Context, req *intakev1.AddSourceRequest) (*intakev1.AddSourceResponse, error) {
	token := ""
	if req.GetToken() {
		token = newToken()
	}
	ids := Ids{s.Keys}
	cause := ""
	if key := req.GetIdempotencyKey(); key != "" {
		cause = lead.CommandPrefix + lead.ID("", s.Keys.MAC("add source", []byte(key)))
		if again, err := s.added(ctx, ids.Source(req.GetSource().GetName()), cause); again != nil || err != nil {
			return again, err
		}
	}
	src, err := s.declare(ctx, cause, func(c *SourceChange, _ *ledger.View) (*intakev1.SourceDeclared, error) {
		c.Want, c.Reason = req.GetSource(), req.GetSource().GetReason()
		out, err := DecideSource(*c)
		if err != nil {
			return nil, err
		}
		out.SourceId = ids.Source(out.GetName())
		if token != "" {
			out.TokenHash = TokenHash(token)
		}
		return out, nil
	})
	if err != nil {
		return nil, err
	}
	return &intakev1.AddSourceResponse{Source: src, Path: addressOf(src, token), Url: s.urlOf(src, token)}, nil
}

// added answers a request that was carried out before.
func (s *Server) added(ctx context.Context, id, cause string) (*intakev1.AddSourceResponse, error) {
	src := s.Sources.ByID(id)
	if src == nil {
		return nil, nil
	}
	events, err := s.Log.History(ctx, sourceSubject(src))
	if err != nil || len(events) == 0 || events[0].Cause != cause {
		return nil, err
	}
	if len(src.GetTokenHash()) > 0 {
		return nil, fault.New(fault.State, "the source %s was added by this very request, and its token was answered then: baton source rotate %s gives it a new one", src.GetName(), src.GetName())
	}
	return &intakev1.AddSourceResponse{Source: src, Path: addressOf(src, ""), Url: s.urlOf(src, "")}, nil
}

// ChangeSource changes what the request names; what is as it is to be is not said
// again.
func (s *Server) ChangeSource(ctx context.Context, req *intakev1.ChangeSourceRequest) (*intakev1.ChangeSourceResponse, error) {
	src, err := s.declare(ctx, "", func(c *SourceChange, _ *ledger.View) (*intakev1.SourceDeclared, error) {
		if c.Old = s.Sources.named(req.GetName()); c.Old == nil {
			return nil, unknown(req.GetName())
		}
		c.Want, c.Fields, c.Version, c.Reason = req.GetSource(), req.GetFields(), req.GetVersion(), req.GetReason()
		return DecideSource(*c)
	})
	if err != nil {
		return nil, err
	}
	return &intakev1.ChangeSourceResponse{Source: src, Url: s.urlOf(src, "")}, nil
}

// RotateSource gives a source's address a new token.
func (s *Server) RotateSource(ctx context.Context, req *intakev1.RotateSourceRequest) (*intakev1.RotateSourceResponse, error) {
	token := newToken()
	var ends *timestamppb.Timestamp
	src, err := s.declare(ctx, "", func(c *SourceChange, v *ledger.View) (*intakev1.SourceDeclared, error) {
		if c.Old = s.Sources.named(req.GetSource()); c.Old == nil {
			return nil, unknown(req.GetSource())
		}
		if ends = req.GetFormerEndsAt(); ends == nil {
			ends = timestamppb.New(v.Now.Add(formerTokens))
		}
		return DecideRotation(c.Old, TokenHash(token), ends.AsTime(), v.Now), nil
	})
	if err != nil {
		return nil, err
	}
	return &intakev1.RotateSourceResponse{Path: addressOf(src, token), Url: s.urlOf(src, token), FormerEndsAt: ends}, nil
}

// declare says a source as decide wants it, on top of the sources as they stand,
// and answers it. What decide leaves as it is is not said.
func (s *Server) declare(ctx context.Context, cause string, decide func(*SourceChange, *ledger.View) (*intakev1.SourceDeclared, error)) (src *intakev1.SourceDeclared, err error) {
	if err := s.Log.Fresh(ctx); err != nil {
		return nil, err
	}
	actor, _ := access.From(ctx)
	_, err = s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		c := &SourceChange{Now: v.Now, Preset: PresetOf, Owner: func(name string) string { return s.Sources.owner[name] }}
		var err error
		if src, err = decide(c, v); err != nil || src == c.Old {
			return nil, err
		}
		if err := access.Validate(src); err != nil {
			return nil, err
		}
		if v := src.GetVerification(); v != nil {
			if err := CheckVerification(v); err != nil {
				return nil, err
			}
		}
		said := cause
		if said == "" {
			said = lead.CommandPrefix + newToken()
		}
		return []ledger.Draft{{Subject: sourceSubject(src), Body: src, Cause: said, Actor: actor.Handle}}, nil
	})
	return src, err
}

// TestSource says what a source would make of a body, and keeps nothing.
func (s *Server) TestSource(_ context.Context, req *intakev1.TestSourceRequest) (*intakev1.TestSourceResponse, error) {
	src, err := s.source(req.GetSource())
	if err != nil {
		return nil, err
	}
	if req.GetMapping() != nil {
		src = proto.Clone(src).(*intakev1.SourceDeclared)
		src.Mapping = req.GetMapping()
	}
	header := http.Header{}
	for name, value := range req.GetHeaders() {
		header.Set(name, value)
	}
	out := &intakev1.TestSourceResponse{}
	address := src.GetVerification().GetPublicUrl()
	if address == "" {
		address = strings.TrimSuffix(s.PublicURL, "/") + "/hooks/" + src.GetName()
	}
	if out.Signature, err = s.signature(src, Request{Method: http.MethodPost, URL: address, Header: header, Query: req.GetQuery(), Body: req.GetBody(), Now: s.Clock.Now()}); err != nil {
		return nil, err
	}
	delivery := &intakev1.Delivery{SourceId: src.GetSourceId(), ContentType: req.GetContentType(), Signed: out.GetSignature() == "valid"}
	fields, err := ParseDelivery(delivery, &intakev1.DeliveryBody{Raw: req.GetBody(), Query: keptQuery(src, req.GetQuery()), Headers: keptHeaders(src, header)}, src)
	if err != nil {
		out.Fault = err.Error()
		return out, nil
	}
	if len(fields.Items) == 0 {
		out.Fault = "the body holds no submission"
	}
	rules := s.rules()
	for _, item := range fields.Items {
		out.Items = append(out.Items, mappedItem(item, understood(item, rules, src, s.Domains, s.Clock.Now())))
	}
	return out, nil
}

// signature is what checking a body's signature would say.
func (s *Server) signature(src *intakev1.SourceDeclared, r Request) (string, error) {
	v := src.GetVerification()
	if v == nil {
		return "unsigned", nil
	}
	secrets, err := ResolveAll(s.Secrets, v, r.Now)
	if len(secrets) == 0 {
		return "", err
	}
	if !Verify(v, secrets, r) {
		return "invalid", nil
	}
	return "valid", nil
}

// rules are the words of the agreement in force; nil = none is.
func (s *Server) rules() (rules Vocabulary) {
	s.Log.Follower().View(func(v *ledger.View) {
		if version := s.Register.InForce(v.Now); version != nil {
			rules = version.Agreement
		}
	})
	return rules
}

// ListPresets lists the tools that have a name here.
func (s *Server) ListPresets(context.Context, *intakev1.ListPresetsRequest) (*intakev1.ListPresetsResponse, error) {
	return &intakev1.ListPresetsResponse{Presets: Presets()}, nil
}
