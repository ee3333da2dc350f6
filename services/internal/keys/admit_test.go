package keys

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/leadbaton/baton/services/internal/fault"
)

func itoa(n int) string { return strconv.Itoa(n) }

// admission number n, of a person of its own.
func admission(n int) Admission {
	id := "lead" + itoa(n)
	return Admission{
		LeadID: id, KeyID: "key" + itoa(n), SourceID: "web", Plain: []byte("data of " + id), AAD: []byte("lead." + id),
		Email: "someone" + itoa(n) + "@example.com",
	}
}

func admit(t *testing.T, s *Store, batch ...Admission) []Grant {
	t.Helper()
	grants, err := s.Admit(t.Context(), batch)
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	if len(grants) != len(batch) {
		t.Fatalf("%d grants for %d admissions", len(grants), len(batch))
	}
	return grants
}

// who is an admission with nothing but its match values.
func who(lead, email, phone string) Admission {
	return Admission{LeadID: lead, KeyID: lead, SourceID: "web", Email: email, Phone: phone}
}

func TestAdmitSealsUnderTheSubmissionsKey(t *testing.T) {
	s := fresh(t)
	batch := []Admission{admission(1), admission(2)}
	grants := admit(t, s, batch...)
	for i, g := range grants {
		if g.Sealed.GetKeyId() != batch[i].KeyID {
			t.Errorf("sealed under %s, want %s", g.Sealed.GetKeyId(), batch[i].KeyID)
		}
		mustOpen(t, s, g.Sealed, string(batch[i].AAD), string(batch[i].Plain))
	}
	// A key that Seal made before is used as it is.
	sealed, err := s.Seal(t.Context(), "key3", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g := admit(t, s, admission(3))[0]; !bytes.Equal(g.Sealed.Commitment, sealed.Commitment) {
		t.Error("a second key was made for one name")
	}
	if got := admit(t, s); len(got) != 0 {
		t.Errorf("nothing admitted gave %v", got)
	}
}

func TestPersonIDsAreRandom(t *testing.T) {
	form := regexp.MustCompile(`^p[a-z2-7]{26}$`)
	a := admit(t, fresh(t), who("l", "a@b.example", ""))[0].PersonID
	b := admit(t, fresh(t), who("l", "a@b.example", ""))[0].PersonID
	for _, id := range []string{a, b} {
		if !form.MatchString(id) {
			t.Errorf("person id %q", id)
		}
	}
	if a == b {
		t.Error("the same address gives the same id in another store")
	}
}

func TestAdmitMatchesPersons(t *testing.T) {
	type want struct {
		person int // number of the admission that first had this person
		by     string
	}
	for name, c := range map[string]struct {
		admissions []Admission
		want       []want
	}{
		"nothing to match on": {
			[]Admission{who("a", "", ""), who("b", "", "")},
			[]want{{0, "new"}, {1, "new"}},
		},
		"e-mail": {
			[]Admission{who("a", "x@e", ""), who("b", "x@e", ""), who("c", "y@e", "")},
			[]want{{0, "new"}, {0, "email"}, {2, "new"}},
		},
		"telephone": {
			[]Admission{who("a", "", "+1"), who("b", "", "+1"), who("c", "", "+2")},
			[]want{{0, "new"}, {0, "phone"}, {2, "new"}},
		},
		"an address is no number": {
			[]Admission{who("a", "+1", ""), who("b", "", "+1")},
			[]want{{0, "new"}, {1, "new"}},
		},
		"the missing number is added": {
			[]Admission{who("a", "x@e", ""), who("b", "x@e", "+1"), who("c", "", "+1")},
			[]want{{0, "new"}, {0, "email"}, {0, "phone"}},
		},
		"the missing address is added": {
			[]Admission{who("a", "", "+1"), who("b", "x@e", "+1"), who("c", "x@e", "")},
			[]want{{0, "new"}, {0, "phone"}, {0, "email"}},
		},
		"both new": {
			[]Admission{who("a", "x@e", "+1"), who("b", "", "+1"), who("c", "x@e", "")},
			[]want{{0, "new"}, {0, "phone"}, {0, "email"}},
		},
		"the address wins, and the number stays where it was": {
			[]Admission{who("a", "x@e", ""), who("b", "", "+1"), who("c", "x@e", "+1"), who("d", "", "+1"), who("e", "x@e", "")},
			[]want{{0, "new"}, {1, "new"}, {0, "email"}, {1, "phone"}, {0, "email"}},
		},
		"another address of the same number": {
			[]Admission{who("a", "x@e", "+1"), who("b", "y@e", "+1"), who("c", "y@e", "")},
			[]want{{0, "new"}, {0, "phone"}, {0, "email"}},
		},
	} {
		for _, way := range []string{"in one batch", "one by one"} {
			t.Run(name+" "+way, func(t *testing.T) {
				s := fresh(t)
				var grants []Grant
				if way == "in one batch" {
					grants = admit(t, s, c.admissions...)
				} else {
					for _, a := range c.admissions {
						grants = append(grants, admit(t, s, a)...)
					}
				}
				first := map[string]int{}
				var got []want
				for i, g := range grants {
					if _, ok := first[g.PersonID]; !ok {
						first[g.PersonID] = i
					}
					got = append(got, want{first[g.PersonID], g.MatchedBy})
				}
				if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(want{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				// All once more: the same answers.
				again := admit(t, s, c.admissions...)
				if diff := cmp.Diff(grants, again, cmpopts.IgnoreFields(Grant{}, "Sealed")); diff != "" {
					t.Errorf("asked again (-first +second):\n%s", diff)
				}
			})
		}
	}
}

func TestAdmitRecentBodies(t *testing.T) {
	s := fresh(t)
	body := func(lead, source, text string, at time.Time) Admission {
		return Admission{LeadID: lead, KeyID: lead, SourceID: source, BodyMAC: s.MAC("body", []byte(text)), ReceivedAt: at}
	}
	named := func(lead string) Admission { return Admission{LeadID: lead, KeyID: lead, SourceID: "web"} }
	steps := []struct {
		admission Admission
		want      string
	}{
		{body("l1", "web", "x", morning), "l1"},
		{body("l2", "web", "x", morning), "l1"},                                   // same instant
		{body("l3", "web", "x", morning.Add(24*time.Hour-time.Nanosecond)), "l1"}, // last instant
		{body("l4", "web", "x", morning.Add(24*time.Hour)), "l4"},                 // a touch does not lengthen it
		{body("l5", "web", "x", morning.Add(24*time.Hour+time.Nanosecond)), "l4"}, //
		{body("l6", "crm", "x", morning.Add(time.Hour)), "l6"},                    // another source
		{body("l7", "web", "y", morning.Add(time.Hour)), "l7"},                    // another body
		{body("l8", "web", "x", morning.Add(-time.Nanosecond)), "l8"},             // before the first
		{body("l9", "web", "x", morning.Add(time.Hour)), "l8"},                    // the earliest of two
		{body("l2", "web", "x", morning), "l1"},                                   // asked again: as it was, though l8 came before
		{body("l1", "web", "x", morning), "l1"},                                   //
		{body("l4", "web", "x", morning.Add(24*time.Hour)), "l4"},                 //
		{named("n1"), "n1"}, // named by its sender
		{body("l10", "web", "x", morning.Add(72*time.Hour).In(time.FixedZone("", 1))), "l10"}, // long after
	}
	for i, step := range steps {
		if got := admit(t, s, step.admission)[0].FirstLead; got != step.want {
			t.Errorf("step %d: lead %s joins %s, want %s", i, step.admission.LeadID, got, step.want)
		}
	}
	var batch []Admission
	for _, step := range steps {
		batch = append(batch, step.admission)
	}
	for i, g := range admit(t, fresh(t), batch...) {
		if g.FirstLead != steps[i].want {
			t.Errorf("in one batch, step %d: %s, want %s", i, g.FirstLead, steps[i].want)
		}
	}
}

// A key keeps its person, whatever a second mapping of its submission says.
func TestAdmitKeepsTheOwnerOfAKey(t *testing.T) {
	s := fresh(t)
	grants := admit(t, s, who("a", "x@e", ""), who("b", "y@e", ""), who("a", "y@e", "+1"), who("c", "", "+1"))
	if grants[2].PersonID != grants[0].PersonID || grants[2].MatchedBy != "new" {
		t.Errorf("the key moved: %v, was %v", grants[2], grants[0])
	}
	if grants[3].PersonID != grants[0].PersonID {
		t.Error("the number that came later is not the owner's")
	}
}

func TestAdmitRefusesAndKeepsNothing(t *testing.T) {
	s := fresh(t)
	for name, change := range map[string]func(*Admission){
		"no lead":         func(a *Admission) { a.LeadID = "" },
		"long lead":       func(a *Admission) { a.LeadID = strings.Repeat("x", 65) },
		"no key":          func(a *Admission) { a.KeyID = "" },
		"name of a day":   func(a *Admission) { a.KeyID = "day-2026-03-02" },
		"no source":       func(a *Admission) { a.SourceID = "" },
		"broken text":     func(a *Admission) { a.KeyID = "\xff" },
		"short body MAC":  func(a *Admission) { a.BodyMAC, a.ReceivedAt = []byte{1}, morning },
		"empty body MAC":  func(a *Admission) { a.BodyMAC, a.ReceivedAt = []byte{}, morning },
		"no time":         func(a *Admission) { a.BodyMAC = make([]byte, 32) },
		"far future":      func(a *Admission) { a.BodyMAC, a.ReceivedAt = make([]byte, 32), time.Unix(0, math.MaxInt64).Add(1) },
		"beyond the year": func(a *Admission) { a.BodyMAC, a.ReceivedAt = make([]byte, 32), time.Unix(0, math.MinInt64) },
	} {
		t.Run(name, func(t *testing.T) {
			bad := admission(2)
			change(&bad)
			_, err := s.Admit(t.Context(), []Admission{admission(1), bad})
			wantFault(t, err, fault.Invalid)
			if !strings.Contains(err.Error(), "admission 1") {
				t.Errorf("%q does not say which", err)
			}
		})
	}
	var n int
	if err := s.read.QueryRow("SELECT count(*) FROM data_keys").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestAdmitUnderADestroyedKeyIsNotFound(t *testing.T) {
	s := fresh(t)
	g := admit(t, s, admission(1))[0]
	if _, err := s.write.Exec("UPDATE data_keys SET wrapped = zeroblob(length(wrapped)), destroyed = 1"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Open(t.Context(), g.Sealed, []byte("lead.lead1"))
	wantFault(t, err, fault.NotFound)
	_, err = s.Seal(t.Context(), "key1", nil, nil)
	wantFault(t, err, fault.NotFound)
	_, err = s.Admit(t.Context(), []Admission{admission(2), admission(1)})
	wantFault(t, err, fault.NotFound)
}

// Stores of their own on one file stand for processes: they share nothing but
// the file.
func TestOneAddressIsOnePersonWhoeverAsks(t *testing.T) {
	a := fresh(t)
	stores := []*Store{a, reopen(t, a.path)}
	const rounds, people = 20, 10
	persons := make([][]string, 4)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for w := range persons {
		wg.Go(func() {
			<-start
			for r := range rounds {
				batch := make([]Admission, people)
				for p := range batch {
					batch[p] = who(fmt.Sprintf("l-%d-%d-%d", w, r, p), fmt.Sprintf("%d-%d@e", r, p), fmt.Sprintf("+%d-%d", r, p))
				}
				grants, err := stores[w%2].Admit(t.Context(), batch)
				if err != nil {
					t.Error(err)
					return
				}
				for _, g := range grants {
					persons[w] = append(persons[w], g.PersonID)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	distinct := map[string]bool{}
	for _, id := range persons[0] {
		distinct[id] = true
	}
	if len(distinct) != rounds*people {
		t.Errorf("%d persons, want %d", len(distinct), rounds*people)
	}
	for w := 1; w < len(persons); w++ {
		if diff := cmp.Diff(persons[0], persons[w]); diff != "" {
			t.Errorf("two askers, two persons (-first +other):\n%s", diff)
		}
	}
}

// model is the promise of Admit, the plain way.
type model struct {
	owner  map[string]Grant // by key
	match  map[string]string
	answer map[string]string // first lead by lead
	firsts []Admission
	next   int
}

func (m *model) admit(a Admission) Grant {
	email, phone := "e"+a.Email, "p"+a.Phone
	g, ok := m.owner[a.KeyID]
	if !ok {
		switch {
		case a.Email != "" && m.match[email] != "":
			g = Grant{PersonID: m.match[email], MatchedBy: "email"}
		case a.Phone != "" && m.match[phone] != "":
			g = Grant{PersonID: m.match[phone], MatchedBy: "phone"}
		default:
			m.next++
			g = Grant{PersonID: itoa(m.next), MatchedBy: "new"}
		}
		m.owner[a.KeyID] = g
	}
	if a.Email != "" && m.match[email] == "" {
		m.match[email] = g.PersonID
	}
	if a.Phone != "" && m.match[phone] == "" {
		m.match[phone] = g.PersonID
	}
	g.FirstLead = a.LeadID
	if a.BodyMAC == nil {
		return g
	}
	if m.answer[a.LeadID] == "" {
		best := -1
		for i, f := range m.firsts {
			age := a.ReceivedAt.Sub(f.ReceivedAt)
			if f.SourceID == a.SourceID && bytes.Equal(f.BodyMAC, a.BodyMAC) && age >= 0 && age < 24*time.Hour &&
				(best < 0 || f.ReceivedAt.Before(m.firsts[best].ReceivedAt)) {
				best = i
			}
		}
		m.answer[a.LeadID] = a.LeadID
		if best >= 0 {
			m.answer[a.LeadID] = m.firsts[best].LeadID
		} else {
			m.firsts = append(m.firsts, a)
		}
	}
	g.FirstLead = m.answer[a.LeadID]
	return g
}

func TestAdmitFollowsItsModel(t *testing.T) {
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		s, err := Open(t.Context(), filepath.Join(dir, itoa(n), "keys.db"))
		if err != nil {
			r.Fatal(err)
		}
		defer s.Close()
		m := &model{owner: map[string]Grant{}, match: map[string]string{}, answer: map[string]string{}}
		names := map[string]string{} // person of the store → person of the model
		for range rapid.IntRange(1, 6).Draw(r, "batches") {
			batch := make([]Admission, rapid.IntRange(1, 5).Draw(r, "size"))
			for i := range batch {
				id := "l" + itoa(rapid.IntRange(0, 12).Draw(r, "lead"))
				a := Admission{
					LeadID: id, KeyID: id, SourceID: rapid.SampledFrom([]string{"web", "crm"}).Draw(r, "source"),
					Email: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "email"),
					Phone: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "phone"),
				}
				if rapid.Bool().Draw(r, "nameless") {
					a.BodyMAC = s.MAC("body", []byte{byte(rapid.IntRange(0, 1).Draw(r, "body"))})
					a.ReceivedAt = morning.Add(time.Duration(rapid.IntRange(0, 8).Draw(r, "hours")) * 8 * time.Hour)
				}
				batch[i] = a
			}
			grants, err := s.Admit(t.Context(), batch)
			if err != nil {
				r.Fatal(err)
			}
			for i, g := range grants {
				want := m.admit(batch[i])
				if name, ok := names[g.PersonID]; !ok {
					names[g.PersonID] = want.PersonID
				} else if name != want.PersonID {
					r.Fatalf("%+v: a person of another admission", batch[i])
				}
				if len(names) != m.next || g.MatchedBy != want.MatchedBy || g.FirstLead != want.FirstLead {
					r.Fatalf("%+v: got %s, %s, %d persons; want %s, %s, %d", batch[i], g.MatchedBy, g.FirstLead, len(names), want.MatchedBy, want.FirstLead, m.next)
				}
			}
		}
	})
}

func TestFilesAndFaultsHoldNothingPersonal(t *testing.T) {
	s := fresh(t)
	canaries := []string{"canary.person@example.com", "+491701234567", "Canary Plaintext"}
	a := Admission{LeadID: "l1", KeyID: "l1", SourceID: "web", Plain: []byte(canaries[2]), AAD: []byte("lead.l1"), Email: canaries[0], Phone: canaries[1]}
	g := admit(t, s, a)[0]
	for name, content := range contents(t, filepath.Dir(s.path)) {
		for _, canary := range canaries {
			if bytes.Contains(content, []byte(canary)) || bytes.Contains(content, []byte(hex.EncodeToString([]byte(canary)))) {
				t.Errorf("%s holds %q", name, canary)
			}
		}
	}
	// Each way a call with personal data can fail.
	var faults []error
	note := func(err error) {
		if err == nil {
			t.Error("no fault")
		}
		faults = append(faults, err)
	}
	_, err := s.Open(t.Context(), g.Sealed, []byte("other"))
	note(err)
	bad := a
	bad.LeadID = ""
	_, err = s.Admit(t.Context(), []Admission{bad})
	note(err)
	bad = a
	bad.LeadID, bad.KeyID, bad.Email = "l2", "l2", canaries[0]+".au"
	for _, change := range []string{"DROP TABLE recent_bodies", "CREATE TRIGGER no BEFORE INSERT ON match_keys BEGIN SELECT RAISE(ABORT, 'no'); END", "DROP TABLE key_persons", "DROP TABLE data_keys"} {
		if _, err := s.write.Exec("PRAGMA foreign_keys = OFF"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.write.Exec(change); err != nil {
			t.Fatal(err)
		}
		bad.BodyMAC, bad.ReceivedAt = s.MAC("body"), morning
		_, err = s.Admit(t.Context(), []Admission{bad})
		note(err)
	}
	for _, err := range faults {
		for _, canary := range canaries {
			if strings.Contains(err.Error(), canary) {
				t.Errorf("fault %q holds %q", err, canary)
			}
		}
	}
}
