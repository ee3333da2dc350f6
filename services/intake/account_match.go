package intake

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
)

const (
	// accountAt is from which percent on a lead belongs to an account unasked:
	// the same domain, or the same name where no other domain speaks against it.
	accountAt = 90
	// accountOther is the most of who writes from another company's domain.
	accountOther = 70
	// accountShown is how many candidates are told.
	accountShown = 5
)

// What matched an account, and what decided between two.
const (
	byDomain   = "domain"
	byName     = "name"
	tieByOwner = "owned"
	tieByOrder = "order"
)

// knownAccount is a declared company and what leads are compared with.
type knownAccount struct {
	*personv1.AccountDeclared
	like *Likeness
}

func knownOf(a *personv1.AccountDeclared) *knownAccount {
	like := &Likeness{Domain: a.GetDomain()}
	if name := accountName(a.GetName()); name != "" {
		like.Companies = append(like.Companies, name)
	}
	label, _, _ := strings.Cut(a.GetDomain(), ".")
	if name := norm(label); name != "" && !slices.Contains(like.Companies, name) {
		like.Companies = append(like.Companies, name)
	}
	return &knownAccount{a, like}
}

// accountName is a company's name as it is compared. Where nothing is left of it but its
// legal form, as of "Y Corporation", it is the whole.
func accountName(name string) string { return cmp.Or(companyOf(name), norm(name)) }

// likenessTo is what accounts are compared with of a submission.
func likenessTo(m *Mapped, domains *Domains) *Likeness {
	personal := m.Submission.GetPersonal()
	like := LikenessOf(personal, m.Email, m.Phone, domains)
	if name := accountName(personal.GetCompany()); name != "" && companyOf(personal.GetCompany()) == "" {
		like.Companies = append(like.Companies, name)
	}
	return like
}

// beginnings are the first letters of a company's names: only who shares one of
// them is compared by name.
func beginnings(l *Likeness) []string {
	var out []string
	for _, name := range l.Companies {
		letters := []rune(name)
		out = append(out, string(letters[:min(4, len(letters))]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// MatchAccount says which of the known companies somebody belongs to, and who
// else was looked at; nil = none is like theirs. The same domain is 100 percent,
// an alike name less. Of those who are equally sure, an account that
// somebody owns comes before one that nobody does, and then the first domain by
// the alphabet. The order of known does not matter.
func MatchAccount(like *Likeness, known []*knownAccount) *leadv1.AccountMatched {
	var found []*leadv1.AccountCandidate
	for _, a := range known {
		if confidence, by := likeAccount(like, a.like); confidence > 0 {
			found = append(found, &leadv1.AccountCandidate{Domain: keyOf(a.AccountDeclared), Confidence: confidence, By: by, Owned: a.GetOwner() != ""})
		}
	}
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b *leadv1.AccountCandidate) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), unowned(a)-unowned(b), strings.Compare(a.Domain, b.Domain))
	})
	out := &leadv1.AccountMatched{Candidates: found[:min(accountShown, len(found))]}
	first := found[0]
	if first.Confidence < accountAt {
		return out
	}
	out.AccountDomain, out.Confidence, out.By = first.Domain, first.Confidence, first.By
	if len(found) > 1 && found[1].Confidence == first.Confidence {
		out.TieBreak = tieByOrder
		if first.Owned && !found[1].Owned {
			out.TieBreak = tieByOwner
		}
	}
	return out
}

func unowned(c *leadv1.AccountCandidate) int {
	if c.Owned {
		return 0
	}
	return 1
}

// likeAccount says how sure it is, in percent, that somebody belongs to a
// company, and by what; 0 = nothing speaks for it.
func likeAccount(like, account *Likeness) (confidence int32, by string) {
	if like.Domain != "" && like.Domain == account.Domain {
		return 100, byDomain
	}
	switch bits, _ := likeCompany(like, account); {
	case bits >= 6:
		confidence = 90
	case bits == 5:
		confidence = 75
	case bits > 0:
		confidence = 60
	default:
		return 0, ""
	}
	if like.Domain != "" && account.Domain != "" {
		confidence = min(confidence, accountOther)
	}
	return confidence, byName
}

// match looks for somebody's company among those that are known. It is called
// while the fold stands still.
func (a *Accounts) match(like *Likeness) *leadv1.AccountMatched {
	if a == nil {
		return nil
	}
	var known []*knownAccount
	seen := map[string]bool{}
	look := func(key string) {
		if account := a.byKey[key]; account != nil && !seen[key] {
			seen[key] = true
			known = append(known, account)
		}
	}
	look(like.Domain)
	for _, beginning := range beginnings(like) {
		for _, key := range a.byBeginning[beginning] {
			look(key)
		}
	}
	return MatchAccount(like, known)
}

// accountOf is what is to be said of the company of a submission's person, where
// something else was said before, or nothing; nil = nothing.
func (a *Accounts) accountOf(m *Mapped, domains *Domains, said *leadv1.AccountMatched) *leadv1.AccountMatched {
	found := a.match(likenessTo(m, domains))
	if found == nil && said.GetCandidates() != nil {
		found = &leadv1.AccountMatched{}
	}
	if found == nil || proto.Equal(found, said) {
		return nil
	}
	return found
}

// completed fills in what a submission leaves open and its company is known to be: the
// industry in the words of rules, the number of employees, the country. Of a company
// that is only a candidate nothing is taken.
func (a *Accounts) completed(m Mapped, domains *Domains, rules Vocabulary) Mapped {
	if a == nil {
		return m
	}
	var found *personv1.AccountDeclared
	a.get(func() {
		if key := a.match(likenessTo(&m, domains)).GetAccountDomain(); key != "" {
			found = a.of(key)
		}
	})
	industry := wordFor(rules, ListIndustry, found.GetIndustry())
	if industry == "" && found.GetEmployees() == 0 && found.GetCountry() == "" {
		return m
	}
	if m.Submission.Features == nil {
		m.Submission.Features = &leadv1.Features{}
	}
	f := m.Submission.Features
	f.Industry, f.Employees, f.Country = cmp.Or(f.GetIndustry(), industry), cmp.Or(f.GetEmployees(), found.GetEmployees()), cmp.Or(f.GetCountry(), found.GetCountry())
	return m
}
