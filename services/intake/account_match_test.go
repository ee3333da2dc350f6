package intake

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// accountsOf declares companies, each as "domain|name|owner".
func accountsOf(lines ...string) *Accounts {
	a := NewAccounts()
	for _, line := range lines {
		f := strings.Split(line, "|")
		a.Apply(&ledger.Event{Body: &personv1.AccountDeclared{AccountId: f[0], Domain: f[0], Name: f[1], Owner: f[2]}})
	}
	return a
}

func matched(a *Accounts, email, company string) string {
	m := a.match(LikenessOf(&leadv1.PersonalData{Name: "Ana Lima", Company: company}, email, "", nil))
	if m == nil {
		return "none"
	}
	var out []string
	for _, c := range m.GetCandidates() {
		s := fmt.Sprintf("%s %d %s", c.GetDomain(), c.GetConfidence(), c.GetBy())
		if c.GetOwned() {
			s += " owned"
		}
		out = append(out, s)
	}
	return strings.TrimSpace(m.GetAccountDomain()+" "+m.GetTieBreak()) + ": " + strings.Join(out, ", ")
}

func TestAccountsOfLeads(t *testing.T) {
	t.Parallel()
	declared := []string{
		"acme.com|Acme GmbH|", "acme.de|Acme|ana", "gmail.com|Google|ben", "globex.co.uk|Globex Corporation|ana", "globex-robotics.com|Globex Robotics|",
		"initech.com||", "umbrella.fr|Umbrella|ana", "umbrella.it|Umbrella|ben", "umbrella.com|Umbrella|", "studio54.com|Studio 54|",
	}
	for name, test := range map[string]struct{ email, company, want string }{
		"by the registrable domain":         {"ana@mail.acme.com", "", "acme.com: acme.com 100 domain, acme.de 70 name owned"},
		"by name, whatever the legal form":  {"ana@gmail.com", "GLOBEX Corp.", "globex.co.uk: globex.co.uk 90 name owned, globex-robotics.com 75 name"},
		"by the domain's own name":          {"", "Initech", "initech.com: initech.com 90 name"},
		"a tie that an owner breaks":        {"ana@gmail.com", "Acme", "acme.de owned: acme.de 90 name owned, acme.com 90 name"},
		"a tie that the alphabet breaks":    {"", "Umbrella", "umbrella.fr order: umbrella.fr 90 name owned, umbrella.it 90 name owned, umbrella.com 90 name"},
		"a name from another domain":        {"ana@acme.io", "Acme", ": acme.de 70 name owned, acme.com 70 name"},
		"a name that is only alike":         {"", "Initec", ": initech.com 75 name"},
		"another number is another company": {"", "Studio 55", "none"},
		"a provider's domain says nothing":  {"ana@gmail.com", "", "none"},
		"nothing that is known":             {"ana@hooli.com", "Hooli", "none"},
		"nothing that is said":              {"", "", "none"},
	} {
		backwards := slices.Clone(declared)
		slices.Reverse(backwards)
		for _, known := range [][]string{declared, backwards} {
			if got := matched(accountsOf(known...), test.email, test.company); got != test.want {
				t.Errorf("%s: got %s, want %s", name, got, test.want)
			}
		}
	}
}

func TestAccountsThatWereRenamed(t *testing.T) {
	t.Parallel()
	a := accountsOf("hq.example|Acme|", "hq.example|Globex|ana")
	if got := matched(a, "", "Acme"); got != "none" {
		t.Errorf("the name of before matches: %s", got)
	}
	if got, want := matched(a, "", "Globex"), "hq.example: hq.example 90 name owned"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCandidatesAreFewAndRepeatsAreNotSaid(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprintf("acme.c%d.example|Acme|", i))
	}
	a := accountsOf(many...)
	mapped := func(company string) *Mapped {
		return &Mapped{Submission: &intakev1.Submission{Personal: &leadv1.PersonalData{Company: company}}}
	}
	first := a.accountOf(mapped("Acme"), nil, nil)
	if n := len(first.GetCandidates()); n != accountShown {
		t.Errorf("%d candidates are told, want %d", n, accountShown)
	}
	if again := a.accountOf(mapped("Acme"), nil, first); again != nil {
		t.Errorf("it is said again: %v", again)
	}
	if gone := a.accountOf(mapped("Hooli"), nil, first); gone == nil || len(gone.GetCandidates()) != 0 {
		t.Errorf("that it is none any more is said as %v", gone)
	}
	if none := a.accountOf(mapped("Hooli"), nil, nil); none != nil {
		t.Errorf("nothing is said as %v", none)
	}
	if found := (*Accounts)(nil).accountOf(mapped("Acme"), nil, nil); found != nil {
		t.Errorf("who knows no accounts finds %v", found)
	}
}

// TestAccountsByNameAlone: a company without a domain is named by its name, as it is
// written but for capitals and blanks; a lead of it has what it states none of itself.
func TestAccountsByNameAlone(t *testing.T) {
	t.Parallel()
	a := NewAccounts()
	for _, known := range []*personv1.AccountDeclared{
		{AccountId: "a", Name: "Acme  Corporation", Owner: "ana", Industry: "technolgy", Employees: 80, Country: "NO"},
		{AccountId: "y", Name: "Y-Corporation", Industry: "software"},
		{AccountId: "g", Name: "Globex Robotics", Industry: "software", Employees: 7},
		{AccountId: "a", Name: "ACME Corporation", Owner: "ana", Industry: "technolgy", Employees: 90, Country: "NO"},
	} {
		a.Apply(&ledger.Event{Body: known})
	}
	for company, want := range map[string]string{
		"acme corporation": "acme corporation: acme corporation 90 name owned",
		"Acme Inc.":        "acme corporation: acme corporation 90 name owned",
		"Globex":           ": globex robotics 75 name",
		"Hooli":            "none",
	} {
		for _, email := range []string{"", "jane@mail.example"} {
			if got := matched(a, email, company); got != want {
				t.Errorf("%s of %q: got %s, want %s", company, email, got, want)
			}
		}
	}
	if found, next := a.list("", 2); len(found) != 2 || next != "globex robotics" || found[0].GetEmployees() != 90 {
		t.Errorf("the list begins with %v and goes on behind %q", found, next)
	}

	filled := func(company string, f *leadv1.Features, rules Vocabulary) *leadv1.Features {
		m := Mapped{Submission: &intakev1.Submission{Personal: &leadv1.PersonalData{Company: company}, Features: f}}
		return a.completed(m, nil, rules).Submission.GetFeatures()
	}
	for name, test := range map[string]struct {
		company string
		said    *leadv1.Features
		rules   Vocabulary
		want    *leadv1.Features
	}{
		"all of it":                         {"Acme", nil, AsWritten(nil), &leadv1.Features{Industry: "technolgy", Employees: 90, Country: "NO"}},
		"what the row says stands":          {"Acme", &leadv1.Features{Employees: 3, Industry: "retail", Product: "x"}, AsWritten(nil), &leadv1.Features{Industry: "retail", Employees: 3, Country: "NO", Product: "x"}},
		"no agreed word":                    {"Acme", nil, agreed{}, &leadv1.Features{Employees: 90, Country: "NO"}},
		"a name that is its legal form":     {"Y-corporation", nil, AsWritten(nil), &leadv1.Features{Industry: "software"}},
		"nothing of a candidate":            {"Globex", nil, AsWritten(nil), nil},
		"nothing of a company nobody knows": {"Hooli", nil, AsWritten(nil), nil},
	} {
		if got := filled(test.company, test.said, test.rules); !proto.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
