package agreement

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func TestFilters(t *testing.T) {
	one := func(p Predicate) Filter { return Filter{{p}} }
	cases := map[string]Filter{
		`lead.employees >= 20`:                   one(Predicate{Field: "lead.employees", Operator: ">=", Values: []any{int64(20)}}),
		`20 <= lead.employees`:                   one(Predicate{Field: "lead.employees", Operator: ">=", Values: []any{int64(20)}}),
		`!(lead.employees < 20)`:                 one(Predicate{Field: "lead.employees", Operator: ">=", Values: []any{int64(20)}}),
		`lead.country in ["DE", "AT"]`:           one(Predicate{Field: "lead.country", Operator: "in", Values: []any{"DE", "AT"}}),
		`!(lead.country in ["DE"])`:              one(Predicate{Field: "lead.country", Operator: "not in", Values: []any{"DE"}}),
		`lead.has_email`:                         one(Predicate{Field: "lead.has_email", Operator: "is", Values: []any{true}}),
		`!lead.free_email`:                       one(Predicate{Field: "lead.free_email", Operator: "is", Values: []any{false}}),
		`has(lead.country)`:                      one(Predicate{Field: "lead.country", Operator: "known"}),
		`!has(answers.budget)`:                   one(Predicate{Field: "answers.budget", Operator: "unknown"}),
		`lead.campaign.startsWith("spring")`:     one(Predicate{Field: "lead.campaign", Operator: "starts with", Values: []any{"spring"}}),
		`call.answers.need != "none"`:            one(Predicate{Field: "call.answers.need", Operator: "is not", Values: []any{"none"}}),
		`answers.budget > -5`:                    one(Predicate{Field: "answers.budget", Operator: ">", Values: []any{int64(-5)}}),
		`answers.budget * 2 > 10`:                one(Predicate{Condition: "answers.budget * 2 > 10"}),
		`!lead.campaign.contains("x")`:           one(Predicate{Condition: `!lead.campaign.contains("x")`}),
		`lead.has_email && lead.employees == 20`: {{{Field: "lead.has_email", Operator: "is", Values: []any{true}}}, {{Field: "lead.employees", Operator: "is", Values: []any{int64(20)}}}},
		`lead.has_email || (lead.has_phone && lead.has_company)`: {{
			{Field: "lead.has_email", Operator: "is", Values: []any{true}}, {Condition: "lead.has_phone && lead.has_company"},
		}},
		`(lead.has_email || lead.has_phone) && (lead.has_company ? lead.employees > 1 : true)`: {
			{{Field: "lead.has_email", Operator: "is", Values: []any{true}}, {Field: "lead.has_phone", Operator: "is", Values: []any{true}}},
			{{Condition: "lead.has_company ? (lead.employees > 1) : true"}},
		},
	}
	a := good(t)
	v, err := newVocabulary(a)
	if err != nil {
		t.Fatal(err)
	}
	for source, want := range cases {
		if _, complaints := v.compile(source); len(complaints) > 0 {
			t.Errorf("%s: %v", source, complaints)
		}
		got, err := filterOf(source)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", source, diff)
		}
	}
	touches := starter(t, StarterParams{}).signals[1].when.source
	got, err := filterOf(touches)
	if want := one(Predicate{Field: `touches.count("pricing-page", days:7)`, Operator: ">=", Values: []any{int64(3)}}); err != nil || !cmp.Equal(got, want) {
		t.Errorf("%s is %v, %v", touches, got, err)
	}
}

// TestAudienceReadAgain holds that an export that was read again asks the same of
// every lead, and is the same when it is exported again.
func TestAudienceReadAgain(t *testing.T) {
	conditions := []string{
		`lead.has_email || lead.has_phone`, `(lead.has_email || lead.has_phone) && lead.employees >= 20`, `lead.country in ["DE", "AT"] && !(lead.role == "executive" || lead.free_email)`,
		`!(lead.country in ["DE"])`, `lead.country != "DE"`, `lead.employees >= 20 && lead.employees < 500`, `!has(lead.role) || lead.role in ["buyer"]`,
		`lead.has_company || (lead.has_email && !lead.free_email)`, `has(answers.budget) && answers.budget * 2 > 100`,
		`(lead.has_email ? lead.employees > 10 : lead.has_phone) && lead.country == "DE"`, `!(answers.timeframe == "now") || answers.newsletter`,
		`lead.contact_wish != "content-only"`, `lead.campaign.contains("a\"b\\c")`,
	}
	for _, source := range conditions {
		a := with(t, source)
		exported, err := a.Audience()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(exported)
		if err != nil {
			t.Fatal(err)
		}
		var read Audience
		if err := json.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		for _, rules := range [][]AudienceRule{read.Criteria, read.Personas} {
			for _, r := range rules {
				for _, group := range r.Filter {
					for _, p := range group {
						for i, v := range p.Values {
							if n, number := v.(float64); number {
								p.Values[i] = int64(n)
							}
						}
					}
				}
			}
		}
		if diff := cmp.Diff(*exported, read); diff != "" {
			t.Errorf("%s is read otherwise than written (-written +read):\n%s", source, diff)
		}
		again := with(t, read.Criteria[0].Filter.String())
		if other, err := again.Audience(); err != nil || !cmp.Equal(exported, other) {
			t.Errorf("%s is exported otherwise once it was read (-first +then):\n%s", source, cmp.Diff(exported, other))
		}
		rapid.Check(t, func(t *rapid.T) {
			f := &leadv1.Features{
				Country: rapid.SampledFrom([]string{"", "DE", "AT", "FR"}).Draw(t, "country"), Employees: rapid.SampledFrom([]int64{0, 5, 11, 20, 499, 500}).Draw(t, "employees"),
				Role: rapid.SampledFrom([]string{"", "buyer", "executive"}).Draw(t, "role"), HasEmail: rapid.Bool().Draw(t, "email"), HasPhone: rapid.Bool().Draw(t, "phone"),
				HasCompany: rapid.Bool().Draw(t, "company"), FreeEmail: rapid.Bool().Draw(t, "free"), ContactWish: leadv1.ContactWish(rapid.Int32Range(0, 2).Draw(t, "wish")),
				Attribution: &leadv1.Attribution{Campaign: rapid.SampledFrom([]string{"", `xa"b\cx`, "spring"}).Draw(t, "campaign")},
			}
			if rapid.Bool().Draw(t, "answered") {
				f.Answers = map[string]*leadv1.Value{
					"budget": number(rapid.Int64Range(40, 60).Draw(t, "budget")), "timeframe": word(rapid.SampledFrom([]string{"now", "later"}).Draw(t, "timeframe")),
					"newsletter": {Kind: &leadv1.Value_Flag{Flag: rapid.Bool().Draw(t, "newsletter")}},
				}
			}
			facts := Facts{Features: f}
			if first, then := a.Profile(facts).Criteria[0].GetMet(), again.Profile(facts).Criteria[0].GetMet(); first != then {
				t.Fatalf("%s is %v, read again as %s it is %v, for %v", source, first, read.Criteria[0].Filter, then, f)
			}
		})
	}
}

func TestVagueRulesAreNoAudience(t *testing.T) {
	_, err := with(t, "1 < 2").Audience()
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("a criterion about nothing was exported: %v", err)
	}
	a, err := starter(t, StarterParams{}).Audience()
	if err != nil || len(a.Criteria) != 7 || len(a.Personas) != 5 || a.PointsNeeded != 3 {
		t.Fatalf("the starter's audience is %+v, %v", a, err)
	}
	if i := slices.IndexFunc(a.Criteria, func(r AudienceRule) bool { return r.ID == "contactable" }); i != 0 || !a.Criteria[0].Must || len(a.Criteria[0].Filter[0]) != 2 {
		t.Errorf("the first criterion is %+v", a.Criteria[0])
	}
}
