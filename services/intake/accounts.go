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

// Accounts is the fold of the companies that are known, each under its key: its
// registrable domain, or where none is known its name.
type Accounts struct {
	byKey map[string]*knownAccount
	// byBeginning are the keys of those whose names begin alike.
	byBeginning map[string][]string
	get         func(fn func())
}

// NewAccounts is the fold of nothing.
func NewAccounts() *Accounts {
	return &Accounts{byKey: map[string]*knownAccount{}, byBeginning: map[string][]string{}, get: func(fn func()) { fn() }}
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
	key := keyOf(body)
	if before := a.byKey[key]; before != nil {
		for _, b := range beginnings(before.like) {
			a.byBeginning[b] = slices.DeleteFunc(a.byBeginning[b], func(other string) bool { return other == key })
		}
	}
	now := knownOf(body)
	a.byKey[key] = now
	for _, b := range beginnings(now.like) {
		a.byBeginning[b] = append(a.byBeginning[b], key)
	}
}

// ByDomain answers the company of a registrable domain; nil = none is known.
func (a *Accounts) ByDomain(domain string) (found *personv1.AccountDeclared) {
	a.get(func() { found = a.of(domain) })
	return found
}

// keyOf names a company.
func keyOf(a *personv1.AccountDeclared) string { return lead.AccountKey(a.GetDomain(), a.GetName()) }

// of answers the company of a key, to who has the fold already; nil = none is known.
func (a *Accounts) of(key string) *personv1.AccountDeclared {
	if known := a.byKey[key]; known != nil {
		return known.AccountDeclared
	}
	return nil
}

// list answers at most n companies behind a key, in the order of keys.
func (a *Accounts) list(after string, n int) (out []*personv1.AccountDeclared, next string) {
	a.get(func() {
		for _, key := range slices.Sorted(maps.Keys(a.byKey)) {
			switch {
			case key <= after:
			case len(out) == n:
				next = keyOf(out[n-1])
				return
			default:
				out = append(out, a.of(key))
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
			if !ok && row.GetDomain() != "" {
				result.Outcome, result.Text = "refused", "the domain is none that a company can have, such as firm.example"
				continue
			}
			key := lead.AccountKey(domain, row.GetName())
			if key == "" {
				result.Outcome, result.Text = "refused", "neither a domain nor a name says which company it is"
				continue
			}
			body := &personv1.AccountDeclared{
				AccountId: lead.ID("a", s.Keys.MAC("account", []byte(key))), Domain: domain, Name: row.GetName(), Owner: row.GetOwner(), Segment: row.GetSegment(),
				Industry: row.GetIndustry(), Employees: row.GetEmployees(), Country: row.GetCountry(),
			}
			known := said[key]
			if known == nil {
				known = s.Accounts.of(key)
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
			said[key] = body
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

// ListAccounts lists the companies that are known, by domain, or where none is known
// by name.
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
