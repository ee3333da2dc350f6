package qualification

import (
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// The tables say what the starter agreement means, as both departments would
// write it down. They were written by hand and share nothing with the code.

// mustHaves: can the person be reached, and did they ask for more than content?
var mustHaves = []struct {
	email, phone bool
	wish         leadv1.ContactWish
	verdict      bool
}{
	{false, false, leadv1.ContactWish_CONTACT_WISH_UNSPECIFIED, false},
	{false, false, leadv1.ContactWish_CONTACT_WISH_CONTACT, false},
	{false, false, leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY, false},
	{false, true, leadv1.ContactWish_CONTACT_WISH_UNSPECIFIED, true},
	{false, true, leadv1.ContactWish_CONTACT_WISH_CONTACT, true},
	{false, true, leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY, false},
	{true, false, leadv1.ContactWish_CONTACT_WISH_UNSPECIFIED, true},
	{true, false, leadv1.ContactWish_CONTACT_WISH_CONTACT, true},
	{true, false, leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY, false},
	{true, true, leadv1.ContactWish_CONTACT_WISH_UNSPECIFIED, true},
	{true, true, leadv1.ContactWish_CONTACT_WISH_CONTACT, true},
	{true, true, leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY, false},
}

// points: region 2, size 2, business 1, soon 1; three are needed.
var points = []struct {
	region, size, business, soon bool
	points                       int64
	verdict                      bool
}{
	{false, false, false, false, 0, false},
	{false, false, false, true, 1, false},
	{false, false, true, false, 1, false},
	{false, false, true, true, 2, false},
	{false, true, false, false, 2, false},
	{false, true, false, true, 3, true},
	{false, true, true, false, 3, true},
	{false, true, true, true, 4, true},
	{true, false, false, false, 2, false},
	{true, false, false, true, 3, true},
	{true, false, true, false, 3, true},
	{true, false, true, true, 4, true},
	{true, true, false, false, 4, true},
	{true, true, false, true, 5, true},
	{true, true, true, false, 5, true},
	{true, true, true, true, 6, true},
}

// What each fact counts as. Unknown counts as nothing.
var (
	regions = map[string]bool{"": false, "US": false, "AT": true}
	sizes   = map[int64]bool{0: false, 19: false, 20: true}
	starts  = map[string]bool{"": false, "later": false, "this-quarter": true, "now": true}
)

// businesses: a company, or an address that is no free-mail address.
var businesses = []struct{ company, email, free, verdict bool }{
	{false, false, false, false},
	{false, true, false, true},
	{false, true, true, false},
	{true, false, false, true},
	{true, true, false, true},
	{true, true, true, true},
}

// personas by role, with and without a company; empty = none matches.
var personas = map[string][2]string{
	"executive":  {"decider", "decider"},
	"head":       {"champion", "champion"},
	"manager":    {"champion", "champion"},
	"purchasing": {"buyer", "buyer"},
	"specialist": {"initiator", "initiator"},
	"assistant":  {"initiator", "initiator"},
	"student":    {"", ""},
	"":           {"", "somebody"},
}

// TestTruthTableOfMQL decides every combination of what the starter agreement
// distinguishes.
func TestTruthTableOfMQL(t *testing.T) {
	t.Parallel()
	if len(mustHaves) != 12 || len(points) != 16 || len(businesses) != 6 {
		t.Fatal("a table is not complete")
	}
	decided := map[string]int{}
	for _, must := range mustHaves {
		for _, business := range businesses {
			if business.email != must.email {
				continue
			}
			for country, region := range regions {
				for employees, size := range sizes {
					for timeframe, soon := range starts {
						sum, enough := int64(-1), false
						for _, row := range points {
							if row.region == region && row.size == size && row.business == business.verdict && row.soon == soon {
								sum, enough = row.points, row.verdict
							}
						}
						for role, persona := range personas {
							f := &leadv1.Features{
								HasEmail: must.email, HasPhone: must.phone, ContactWish: must.wish, HasCompany: business.company, FreeEmail: business.free,
								Country: country, Employees: employees, Role: role,
							}
							if timeframe != "" {
								f.Answers = map[string]*leadv1.Value{"timeframe": {Kind: &leadv1.Value_Text{Text: timeframe}}}
							}
							who := persona[0]
							if business.company {
								who = persona[1]
							}
							want := "mql"
							switch {
							case must.wish == leadv1.ContactWish_CONTACT_WISH_CONTENT_ONLY:
								want = lead.ReasonContentOnly
							case !must.verdict || !enough:
								want = lead.ReasonProfile
							case who == "":
								want = lead.ReasonPersona
							}
							got, found, gave := "", "", int64(0)
							switch said := Decide(input(in(leadv1.State_STATE_RECEIVED, f))).(type) {
							case *leadv1.LeadQualified:
								got, found, gave = "mql", said.GetPersona(), said.GetExplanation().GetPoints()
								if said.GetStage() != leadv1.Stage_STAGE_MQL || said.GetProfileVersion() == "" || said.GetPersonaVersion() == "" {
									t.Errorf("%v: stage %v by profile %q and personas %q", f, said.GetStage(), said.GetProfileVersion(), said.GetPersonaVersion())
								}
							case *leadv1.LeadNurtured:
								got, gave = said.GetReason(), said.GetExplanation().GetPoints()
							}
							if want != "mql" {
								who = ""
							}
							if got != want || found != who || gave != sum {
								t.Fatalf("%v: %s as %q with %d points, agreed is %s as %q with %d", f, got, found, gave, want, who, sum)
							}
							decided[got]++
						}
					}
				}
			}
		}
	}
	if len(decided) != 4 {
		t.Errorf("not every verdict came up: %v", decided)
	}
}

// afterACall: was the fit confirmed, and within how many months would the person
// buy (-1 = not stated)? Six are agreed.
var afterACall = []struct {
	fit     bool
	horizon int64
	verdict string
}{
	{false, unstated, "nurturing"},
	{false, 0, "nurturing"},
	{false, 6, "nurturing"},
	{false, 7, "nurturing"},
	{true, unstated, "SAL"},
	{true, 0, "SQL"},
	{true, 5, "SQL"},
	{true, 6, "SQL"},
	{true, 7, "SAL"},
	{true, 240, "SAL"},
}

// TestTruthTableOfCalls decides SAL and SQL, which rest on the call alone: what
// the lead looks like does not matter.
func TestTruthTableOfCalls(t *testing.T) {
	t.Parallel()
	for _, row := range afterACall {
		for _, f := range []*leadv1.Features{good(), {}, without(func(f *leadv1.Features) { f.Country = "NZ" })} {
			got := "nothing"
			switch said := Decide(input(in(leadv1.State_STATE_ACCEPTED, f, call("c1", row.fit, row.horizon)))).(type) {
			case *leadv1.LeadQualified:
				got = said.GetStage().String()[len("STAGE_"):]
			case *leadv1.LeadNurtured:
				got = "nurturing"
			}
			if got != row.verdict {
				t.Errorf("fit %v, %d months, %v: %s, agreed is %s", row.fit, row.horizon, f, got, row.verdict)
			}
		}
	}
	// Without a call there is neither.
	if said := Decide(input(in(leadv1.State_STATE_ACCEPTED, good()))); said != nil {
		t.Errorf("without a call: %v", said)
	}
}

// Whoever is no qualifier, or reached nobody, decides nothing, whatever they say
// they heard.
func TestOnlyAQualifierWhoReachedThePersonDecides(t *testing.T) {
	t.Parallel()
	for _, row := range afterACall {
		for _, by := range []struct{ qualifier, reached bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
			c := call("c1", row.fit, row.horizon)
			c.Qualifier, c.Reached = by.qualifier, by.reached
			said := Decide(input(in(leadv1.State_STATE_ACCEPTED, good(), c)))
			if (said != nil) != (by.qualifier && by.reached) {
				t.Errorf("qualifier %t, reached %t, fit %t, %d months: %v", by.qualifier, by.reached, row.fit, row.horizon, said)
			}
			if qualified, ok := said.(*leadv1.LeadQualified); ok && qualified.GetCallId() != "c1" {
				t.Errorf("it rests on no call: %v", qualified)
			}
		}
	}
}
