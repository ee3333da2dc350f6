package intake

import (
	"context"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// subjectAccount is where a company's facts stand.
func subjectAccount(id string) string { return "org.account." + id }

// Accounts is the fold of the companies that are known, by registrable domain.
type Accounts struct {
	byDomain map[string]*knownAccount
	// byBeginning are the domains of those whose names begin alike.
	byBeginning map[string][]string
	get         func(fn func())
}

// NewAccounts is the fold of nothing.
func NewAccounts() *Accounts {
	return &Accounts{byDomain: map[string]*knownAccount{}, byBeginning: map[string][]string{}, get: func(fn func()) { fn() }}
}

// Guard makes look-ups from outside wait for the fold.
func (a *Accounts) Guard(f *ledger.Follower) {
	a.get = func(fn func()) { f.View(func(*ledger.View) { fn() }) }
}

// Apply implements ledger.Fold.
func (a *Accounts) Apply(e *ledger.Event) {
	if body, ok := e.Body.(*personv1.AccountDeclared); ok {
		a.declared(body)
	}
}

func (a *Accounts) declared(body *personv1.AccountDeclared) {
	domain := body.GetDomain()
	if before := a.byDomain[domain]; before != nil {
		for _, b := range beginnings(before.like) {
			a.byBeginning[b] = slices.DeleteFunc(a.byBeginning[b], func(other string) bool { return other == domain })
		}
	}
	now := knownOf(body)
	a.byDomain[domain] = now
	for _, b := range beginnings(now.like) {
		a.byBeginning[b] = append(a.byBeginning[b], domain)
	}
}

// ByDomain answers the company of a registrable domain; nil = none is known.
func (a *Accounts) ByDomain(domain string) (found *personv1.AccountDeclared) {
	a.get(func() { found = a.of(domain) })
	return found
}

// of is ByDomain for who has the fold already.
func (a *Accounts) of(domain string) *personv1.AccountDeclared {
	if known := a.byDomain[domain]; known != nil {
		return known.AccountDeclared
	}
	return nil
}

// list answers at most n companies behind a domain, in the order of domains.
func (a *Accounts) list(after string, n int) (out []*personv1.AccountDeclared, next string) {
	a.get(func() {
		for _, domain := range slices.Sorted(maps.Keys(a.byDomain)) {
			switch {
			case domain <= after:
			case len(out) == n:
				next = out[n-1].GetDomain()
				return
			default:
				out = append(out, a.of(domain))
			}
		}
	})
	return out, next
}

// accountDomain finds the registrable domain in what people write for one: a
// domain, a host, an address of a page or of a mailbox.
func accountDomain(typed string) (string, bool) {
	s := strings.ToLower(strings.TrimSpace(typed))
	if _, rest, there := strings.Cut(s, "://"); there {
		s = rest
	}
	s, _, _ = strings.Cut(s, "/")
	s, _, _ = strings.Cut(s, "?")
	s = s[strings.LastIndexByte(s, '@')+1:]
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || net.ParseIP(ascii) != nil {
		return "", false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(ascii)
	return domain, err == nil
}

// DeclareAccounts makes companies known, or changes what is known of them. What
// stands just so is not said again.
func (s *Server) DeclareAccounts(ctx context.Context, req *intakev1.DeclareAccountsRequest) (*intakev1.DeclareAccountsResponse, error) {
	if s.Accounts == nil {
		return nil, fault.New(fault.State, "this process keeps no accounts")
	}
	actor, _ := access.From(ctx)
	out := &intakev1.DeclareAccountsResponse{}
	_, err := s.Log.Write(ctx, Name, func(v *ledger.View) ([]ledger.Draft, error) {
		out.Results = nil
		var drafts []ledger.Draft
		said := map[string]*personv1.AccountDeclared{}
		for _, row := range req.GetAccounts() {
			result := &intakev1.AccountResult{Line: row.GetLine()}
			out.Results = append(out.Results, result)
			domain, ok := accountDomain(row.GetDomain())
			if !ok {
				result.Outcome, result.Text = "refused", "the domain is none that a company can have, such as firm.example"
				continue
			}
			body := &personv1.AccountDeclared{
				AccountId: lead.ID("a", s.Keys.MAC("account", []byte(domain))), Domain: domain, Name: row.GetName(), Owner: row.GetOwner(), Segment: row.GetSegment(),
			}
			known := said[domain]
			if known == nil {
				known = s.Accounts.of(domain)
			}
			switch {
			case known == nil:
				result.Outcome = "new"
			case proto.Equal(known, body):
				result.Outcome = "there"
				continue
			default:
				result.Outcome = "changed"
			}
			said[domain] = body
			subject := subjectAccount(body.GetAccountId())
			drafts = append(drafts, ledger.Draft{
				Subject: subject, Body: body, Actor: actor.Handle, Correlation: body.GetAccountId(), Position: len(drafts),
				Cause: "account:" + body.GetAccountId() + ":" + strconv.FormatUint(v.Place(subject).Seq, 10),
			})
		}
		return drafts, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListAccounts lists the companies that are known, by domain.
func (s *Server) ListAccounts(_ context.Context, req *intakev1.ListAccountsRequest) (*intakev1.ListAccountsResponse, error) {
	out := &intakev1.ListAccountsResponse{}
	if s.Accounts == nil {
		return out, nil
	}
	n := int(req.GetPageSize())
	if n == 0 {
		n = 50
	}
	out.Accounts, out.NextPageToken = s.Accounts.list(req.GetPageToken(), n)
	return out, nil
}
