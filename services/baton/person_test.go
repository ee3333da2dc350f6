package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/internal/ledger"
)

func (h *house) persons() personv1.PersonServiceClient {
	return personv1.NewPersonServiceClient(h.conn)
}

func (h *house) person(id string) *personv1.GetPersonResponse {
	h.t.Helper()
	return must[*personv1.GetPersonResponse](h.t)(h.persons().GetPerson(h.as(""), &personv1.GetPersonRequest{PersonId: id}))
}

func (h *house) matches() (out []string) {
	h.t.Helper()
	for _, m := range must[*personv1.ListMatchesResponse](h.t)(h.persons().ListMatches(h.as(""), &personv1.ListMatchesRequest{})).GetMatches() {
		out = append(out, fmt.Sprintf("%s %s %d %s", m.GetPersonId(), m.GetOtherId(), m.GetConfidence(), strings.Join(m.GetAlike(), "+")))
	}
	return out
}

// timeline is all that was said of a person and their leads, in the order of
// the log.
func (h *house) timeline(id string) []string {
	h.t.Helper()
	p := h.person(id)
	subjects := []string{"person." + p.GetPersonId()}
	for _, merged := range p.GetMergedIds() {
		subjects = append(subjects, "person."+merged)
	}
	for _, l := range p.GetLeadIds() {
		subjects = append(subjects, "lead."+l)
	}
	type said struct {
		seq  uint64
		line string
	}
	var all []said
	for _, subject := range subjects {
		for _, e := range must[[]*ledger.Event](h.t)(h.App.log.History(h.t.Context(), subject)) {
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Body)
			if err != nil {
				h.t.Fatal(err)
			}
			all = append(all, said{e.Seq, fmt.Sprintf("%s %s %s %x", subject, e.Type, e.Occurred, raw)})
		}
	}
	slices.SortFunc(all, func(a, b said) int { return int(a.seq) - int(b.seq) })
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].line
	}
	return out
}

func ofPerson(first, last, email, company string) url.Values {
	return url.Values{"first_name": {first}, "last_name": {last}, "email": {email}, "company": {company}, "country": {"DE"}, "job_title": {"Head of Marketing"}, "employees": {"80"}}
}

func TestPersonsAreFoundMergedAndParted(t *testing.T) {
	h := start(t, Config{})
	h.typed()
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	ids := map[string]string{}
	send := func(key, first, last, email, company string) {
		ids[key] = h.submit(key, ofPerson(first, last, email, company))
		h.settle()
	}
	who := func(key string) string { return h.lead(ids[key]).GetPersonId() }

	send("one", "Jane", "Smith", "jane.smith@acme.example", "Acme GmbH")
	send("tagged", "Jane", "Smith", "Jane.Smith+news@Acme.example", "Acme")
	send("alike", "Jane", "Smith", "jsmith@acme.example", "Acme")
	// Each has an owner in sales: Jane's is away when Jayne comes.
	accept := func(key string) string {
		l := h.lead(ids[key])
		must[*routingv1.AcceptResponse](t)(routingv1.NewRoutingServiceClient(h.conn).Accept(h.as(l.GetOfferedTo()), &routingv1.AcceptRequest{LeadId: l.GetLeadId()}))
		h.settle()
		return l.GetOfferedTo()
	}
	first := accept("one")
	must[*routingv1.Member](t)(routingv1.NewRoutingServiceClient(h.conn).SetAvailability(h.as(first), &routingv1.SetAvailabilityRequest{Member: first, Away: true, IdempotencyKey: "away"}))
	send("other", "John", "Brown", "jb@globex.example", "Globex")
	send("asked", "Jayne", "Smith", "jayne.smith@acme.example", "Acme")
	same(t, "who is Jane", []string{who("tagged"), who("alike")}, []string{who("one"), who("one")})
	if who("asked") == who("one") || who("other") == who("one") {
		t.Fatal("two are one person")
	}
	sentences := h.sentences(ids["alike"])
	if !strings.Contains(sentences, "Belongs to a known person, found by name and company (alike, 97 % sure).") {
		t.Errorf("how Jane was found:\n%s", sentences)
	}
	jane, jayne, john := who("one"), who("asked"), who("other")
	same(t, "who may be one", h.matches(), []string{jayne + " " + jane + " 94 name+company"})

	second := accept("asked")
	ofJane := h.person(jane).GetOwner()
	same(t, "the owners", []string{ofJane, h.person(jayne).GetOwner()}, []string{first, second})
	if first == second {
		t.Fatalf("%s owns both; this test needs two owners", first)
	}
	type look struct {
		Jane, Jayne                []string
		OfJane, OfJayne, LeadOf    string
		Matches, JaneIDs, JayneIDs []string
	}
	now := func() look {
		return look{
			h.timeline(jane), h.timeline(jayne), h.person(jane).GetOwner(), h.person(jayne).GetOwner(), who("asked"),
			h.matches(), h.person(jane).GetLeadIds(), h.person(jayne).GetLeadIds(),
		}
	}
	before := now()

	// Who may not, cannot; and nobody is merged with themselves.
	_, err := h.persons().MergePersons(h.as("ana"), &personv1.MergePersonsRequest{IntoId: jane, FromId: jayne, Reason: "one"})
	same(t, "what sales hears", fault.Of(access.FaultOf(err)), fault.Denied)
	_, err = h.persons().MergePersons(h.as(""), &personv1.MergePersonsRequest{IntoId: jane, FromId: jane, Reason: "one"})
	same(t, "what who merges one hears", fault.Of(access.FaultOf(err)), fault.State)
	_, err = h.persons().GetPerson(h.as(""), &personv1.GetPersonRequest{PersonId: "nobody"})
	same(t, "what who asks for nobody hears", fault.Of(access.FaultOf(err)), fault.NotFound)

	must[*personv1.MergePersonsResponse](t)(h.persons().MergePersons(h.as(""), &personv1.MergePersonsRequest{IntoId: jane, FromId: jayne, Reason: "a typing mistake"}))
	h.settle()
	one := h.person(jayne)
	same(t, "who stays", []any{one.GetPersonId(), one.GetMergedIds(), one.GetOwner(), who("asked"), h.matches()}, []any{jane, []string{jayne}, ofJane, jane, []string(nil)})
	same(t, "their leads", one.GetLeadIds(), []string{ids["one"], ids["tagged"], ids["alike"], ids["asked"]})
	collision := first + " has " + ids["one"] + ", " + second + " has " + ids["asked"]
	has(t, ok(t, "person", "show", jane), "collision", collision)
	has(t, ok(t, "person", "matches"), "collision: person "+jane+": "+collision)
	merged := h.timeline(jane)
	for _, line := range slices.Concat(before.Jane, before.Jayne) {
		if !slices.Contains(merged, line) {
			t.Errorf("not reachable after the merge: %s", line)
		}
	}
	// The two events, and one that leaves them one owner.
	same(t, "how much was said", len(merged)-len(before.Jane)-len(before.Jayne), 3)
	same(t, "of Jayne", h.types("person." + jayne)[len(h.types("person."+jayne))-2:], []string{"PersonMerged", "OwnerChanged"})

	must[*personv1.UnmergePersonsResponse](t)(h.persons().UnmergePersons(h.as(""), &personv1.UnmergePersonsRequest{FromId: jayne, Reason: "mother and daughter"}))
	h.settle()
	if got := h.person(jane).GetCollision(); got != nil {
		t.Errorf("parted, and still %v", got)
	}
	after := now()
	// The events of the merge and of taking it back themselves are apart.
	bookkeeping := func(lines []string, from int) []string {
		return append(lines[:from:from], slices.DeleteFunc(slices.Clone(lines[from:]), func(line string) bool {
			return strings.Contains(line, " baton.person.v1.PersonMerged ") || strings.Contains(line, " baton.person.v1.PersonUnmerged ") || strings.Contains(line, " baton.person.v1.OwnerChanged ")
		})...)
	}
	after.Jane, after.Jayne = bookkeeping(after.Jane, len(before.Jane)), bookkeeping(after.Jayne, len(before.Jayne))
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a merge that was taken back left (-before +after)\n%s", diff)
	}
	_, err = h.persons().UnmergePersons(h.as(""), &personv1.UnmergePersonsRequest{FromId: jayne, Reason: "again"})
	same(t, "what who parts two hears", fault.Of(access.FaultOf(err)), fault.State)

	// A chain: what comes by the address of the last is found under the first.
	for _, pair := range [][2]string{{jane, jayne}, {john, jane}} {
		must[*personv1.MergePersonsResponse](t)(h.persons().MergePersons(h.as(""), &personv1.MergePersonsRequest{IntoId: pair[0], FromId: pair[1], Reason: "one"}))
	}
	h.settle()
	send("late", "Jayne", "Smith", "jayne.smith@acme.example", "Acme")
	same(t, "whose the late one is", who("late"), john)
	if !slices.Contains(h.person(jane).GetLeadIds(), ids["late"]) {
		t.Error("the late lead is not found under the chain")
	}
	same(t, "who owns the chain", accept("late"), h.person(jayne).GetOwner())
	same(t, "whose subject says so", h.types("person." + john)[len(h.types("person."+john))-1], "OwnerChanged")
	for _, from := range []string{jane, jayne} {
		must[*personv1.UnmergePersonsResponse](t)(h.persons().UnmergePersons(h.as(""), &personv1.UnmergePersonsRequest{FromId: from, Reason: "three"}))
	}
	h.settle()
	same(t, "whose the late one is after parting", who("late"), jayne)

	must[*personv1.DismissMatchResponse](t)(h.persons().DismissMatch(h.as(""), &personv1.DismissMatchRequest{PersonId: jane, OtherId: jayne, Reason: "two"}))
	h.settle()
	same(t, "who may be one", h.matches(), []string(nil))
	send("again", "Jayne", "Smith", "jayne@acme.example", "Acme")
	same(t, "who may be one after the same came again", h.matches(), []string(nil))
	same(t, "what verifies", h.verified().Whole(), true)
	_ = leadv1.State_STATE_WON
}

// What is marked as a test or as spam is nobody's likeness: it neither joins
// nor is joined.
func TestTestsAndSpamAreLikeNobody(t *testing.T) {
	h := start(t, Config{})
	real := h.submit("real", ofPerson("Jane", "Smith", "jane.smith@acme.example", "Acme"))
	tested := ofPerson("Jane", "Smith", "jsmith@acme.example", "Acme")
	tested.Set("test", "true")
	test := h.submit("test", tested)
	h.settle()
	if h.lead(test).GetState() != leadv1.State_STATE_REFUSED || h.lead(test).GetPersonId() == h.lead(real).GetPersonId() {
		t.Errorf("a test is %s of the person of a real lead", h.lead(test).GetState())
	}
	same(t, "who may be one", h.matches(), []string(nil))
	figures := h.figures("funnel")
	same(t, "what the figures count", figures["received"], 1.0)
}

// What is known of companies shows on the leads of their people: who was looked
// at, how sure it is, and what decided between equals.
func TestLeadsBelongToAccounts(t *testing.T) {
	h := start(t, Config{})
	h.team("ana")
	h.typed()
	tallied(t, "import", writeFile(t, "accounts.csv", "domain,name,owner,segment\nacme.example,Acme GmbH,,\nacme-group.example,Acme,ana,\nglobex.example,Globex,,\n"), "--kind", "accounts")
	domain := h.submit("domain", ofPerson("Jane", "Smith", "jane@mail.acme.example", ""))
	name := h.submit("name", ofPerson("John", "Brown", "john.brown@gmail.com", "ACME"))
	none := h.submit("none", ofPerson("Ada", "Jones", "ada@hooli.example", "Hooli"))
	spam := ofPerson("Eve", "Mallory", "eve@acme.example", "Acme")
	spam.Set("test", "true")
	tested := h.submit("test", spam)
	h.settle()
	same(t, "the events", h.types("lead." + domain)[:3], []string{"LeadReceived", "PersonAttached", "AccountMatched"})
	same(t, "whose they are", []string{h.lead(domain).GetAccount().GetAccountDomain(), h.lead(name).GetAccount().GetAccountDomain()}, []string{"acme.example", "acme-group.example"})
	if h.lead(none).GetAccount() != nil || h.lead(tested).GetAccount() != nil {
		t.Error("a lead of no known company, or a test, has an account")
	}
	has(t, ok(t, "lead", "show", name), "acme-group.example (90 % sure, by name), before its equals because somebody owns it", "acme.example (90 % sure, by name)")
	has(t, ok(t, "lead", "explain", domain), "acme.example (100 % sure, by domain)", "CANDIDATE", "acme-group.example")
	has(t, ok(t, "lead", "explain", domain, "--format", "json"), `"account_domain": "acme.example"`)
	has(t, h.sentences(name), "Belongs to account acme-group.example, found by name (90 % sure); of those who are equally sure it is the one that somebody owns; others are acme.example (90 % sure).")
	// The last reading that counts holds.
	said := func(email string) *leadv1.AccountMatched {
		t.Helper()
		sent := must[*intakev1.SubmitResponse](t)(intakev1.NewIntakeServiceClient(h.conn).Submit(h.as(""), &intakev1.SubmitRequest{
			Source: "web", IdempotencyKey: "revised", Submission: &intakev1.Submission{Personal: &leadv1.PersonalData{Email: email}},
		}))
		h.settle()
		return h.lead(sent.GetLeadId()).GetAccount()
	}
	same(t, "whose it is", said("jo@acme.example").GetAccountDomain(), "acme.example")
	same(t, "whose the revised one is", said("jo@globex.example").GetAccountDomain(), "globex.example")
	if a := said("jo@hooli.example"); a != nil {
		t.Errorf("the lead that is of no known company any more has %v", a)
	}
	whole(t, h)
}

// First, last and handoff touch are of all that a person is, and a merge that is
// taken back gives each their own again.
func TestTouchesSurviveAMerge(t *testing.T) {
	h := start(t, Config{})
	h.typed()
	h.team("ana", "ben", "chloe", "dan")
	h.agree(h.document())
	came := func(key, email, campaign string) string {
		t.Helper()
		form := ofPerson("Jane", "Smith"+key, email, "")
		form.Set("utm_campaign", campaign)
		id := h.submit(key, form)
		h.settle()
		h.time.Set(h.time.Now().Add(time.Minute))
		return id
	}
	early := came("a", "jane@acme.example", "spring")
	late := came("b", "jane@globex.example", "summer")
	tested := ofPerson("Jane", "Smith", "jane@globex.example", "")
	tested.Set("test", "true")
	h.submit("c", tested)
	h.settle()
	of := func(first, last, handoff *leadv1.Touchpoint) string {
		return fmt.Sprintf("%s %s %s", first.GetAttribution().GetCampaign(), last.GetAttribution().GetCampaign(), handoff.GetAttribution().GetCampaign())
	}
	ofPerson := func(id string) string {
		p := h.person(id)
		return of(p.GetFirst(), p.GetLast(), p.GetHandoff())
	}
	ofLead := func(id string) string {
		l := h.lead(id)
		return of(l.GetFirst(), l.GetLast(), l.GetHandoff())
	}
	one, other := h.lead(early).GetPersonId(), h.lead(late).GetPersonId()
	same(t, "before", []string{ofLead(early), ofLead(late), ofPerson(one), ofPerson(other)}, []string{"spring spring spring", "summer summer summer", "spring spring spring", "summer summer summer"})
	// The later one stays, and the first touch is still the first.
	must[*personv1.MergePersonsResponse](t)(h.persons().MergePersons(h.as(""), &personv1.MergePersonsRequest{IntoId: other, FromId: one, Reason: "one"}))
	h.settle()
	same(t, "merged", []string{ofLead(early), ofLead(late), ofPerson(one), ofPerson(other)}, []string{"spring spring spring", "summer summer summer", "spring summer spring", "spring summer spring"})
	same(t, "whose the first is", h.person(other).GetFirst().GetLeadId(), early)
	has(t, ok(t, "lead", "show", early), "came first", "spring", "came before handoff")
	has(t, ok(t, "person", "show", one), "came first", "by spring", "came last", "by summer")
	must[*personv1.UnmergePersonsResponse](t)(h.persons().UnmergePersons(h.as(""), &personv1.UnmergePersonsRequest{FromId: one, Reason: "two"}))
	h.settle()
	same(t, "parted", []string{ofPerson(one), ofPerson(other)}, []string{"spring spring spring", "summer summer summer"})
}
