package agreement

import (
	"os"
	"strings"
	"testing"
)

// good is the test agreement with one condition replaced.
func goodWith(t *testing.T, condition string) *Agreement {
	t.Helper()
	doc, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(doc), "lead.has_email || lead.has_phone", "'"+condition+"'", 1)
	text = strings.Replace(text, "profile:", "touches: {prices: Looked at prices., reply: Answered.}\nprofile:", 1)
	a, err := Restore([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	return a
}

func TestConditionsInPlainWords(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]string{
		`lead.employees >= 20`:                        "at least 20 employees",
		`20 <= lead.employees`:                        "at least 20 employees",
		`lead.employees < 20`:                         "fewer than 20 employees",
		`!(lead.employees < 20)`:                      "at least 20 employees",
		`lead.employees > 1`:                          "more than one employee",
		`lead.employees <= 1`:                         "at most one employee",
		`lead.employees == 7`:                         "exactly 7 employees",
		`lead.country == "DE"`:                        "the country is Germany",
		`lead.country != "DE"`:                        "the country is not Germany",
		`lead.country in ["DE", "AT", "CH"]`:          "the country is Germany, Austria or Switzerland",
		`!(lead.country in ["DE", "AT"])`:             "the country is none of Germany and Austria",
		`lead.language == "de"`:                       "the language is German",
		`lead.role in ["buyer", "executive"]`:         "the role of the person is buyer or executive",
		`lead.source == "ads"`:                        "the campaign source (utm_source) is “ads”",
		`lead.source.startsWith("ad")`:                "the campaign source (utm_source) begins with “ad”",
		`!lead.source.contains("ad")`:                 "not (the campaign source (utm_source) contains “ad”)",
		`lead.contact_wish == "contact"`:              "the person asked to be contacted",
		`lead.contact_wish != "content-only"`:         "the person did not ask for content only",
		`lead.contact_wish in ["contact", "unknown"]`: "the wish for contact is “contact” or “unknown”",
		`lead.has_email`:                              "an e-mail address is given",
		`!lead.free_email`:                            "the e-mail address is not of a free-mail provider",
		`lead.has_company == false`:                   "no company is named",
		`lead.has_company != false`:                   "a company is named",
		`has(lead.country)`:                           "the country is known",
		`!has(lead.role)`:                             "the role of the person is not known",
		`lead.has_email && (lead.has_phone || lead.has_company) && lead.employees > 5`: "an e-mail address is given and (a telephone number is given or a company is named) and more than 5 employees",
		`lead.has_email || lead.has_phone && lead.has_company`:                         "an e-mail address is given or (a telephone number is given and a company is named)",
		`!(lead.has_email || lead.has_phone)`:                                          "not (an e-mail address is given or a telephone number is given)",
		`answers.budget >= 100000`:                                                     "the answer to “budget” is at least 1000.00 EUR",
		`answers.newsletter`:                                                           "the answer to “newsletter” is yes",
		`!answers.newsletter`:                                                          "the answer to “newsletter” is no",
		`answers.timeframe in ["now"]`:                                                 "the answer to “timeframe” is “now”",
		`call.fit_confirmed && call.horizon_months <= 6`:                               "the call confirmed the fit and at most 6 months until the person wants to buy",
		`call.answers.need == "replace"`:                                               "the answer in the call to “need” is “replace”",
		`touches.count("prices", days:14) >= 3`:                                        "at least 3 touches “prices” within 14 days",
		`touches.count("reply") > 0`:                                                   "at least one touch “reply”",
		`touches.count("reply", days:1) == 0`:                                          "no touches “reply” within a day",
		`touches.count("prices", days:9) + touches.count("reply", days:9) > 0`:         "at least one touch “prices” or “reply” within 9 days",
		`touches.count("prices", days:9) + touches.count("reply") > 2`:                 "the number of touches “prices” within 9 days plus the number of touches “reply” is more than 2",
		`lead.employees * 2 > 10`:                                                      "the number of employees times 2 is more than 10",
		`lead.employees > 10 ? lead.has_email : lead.has_phone`:                        "if more than 10 employees, then an e-mail address is given, otherwise a telephone number is given",
		`true`: "always",
	} {
		if got, ok := goodWith(t, condition).Plain(condition); !ok || got != want {
			t.Errorf("%s reads\n%q, not\n%q", condition, got, want)
		}
	}
}

// Two conditions that decide otherwise never read alike.
func TestPlainWordsTellConditionsApart(t *testing.T) {
	t.Parallel()
	said := map[string]string{}
	for _, condition := range []string{
		`lead.employees >= 20`, `lead.employees > 20`, `lead.employees <= 20`, `lead.employees < 20`, `lead.employees == 20`, `lead.employees != 20`,
		`lead.employees > 1`, `lead.employees >= 1`, `lead.employees < 1`, `lead.employees <= 1`, `lead.employees == 1`, `lead.employees != 1`,
		`lead.country == "DE"`, `lead.country != "DE"`, `has(lead.country)`, `!has(lead.country)`,
		`lead.has_email && lead.has_phone || lead.has_company`, `lead.has_email && (lead.has_phone || lead.has_company)`,
		`!lead.has_email && lead.has_phone`, `!(lead.has_email && lead.has_phone)`,
		`lead.employees - 5 - 2 > 0`, `lead.employees - (5 - 2) > 0`, `lead.employees + 2 * 3 > 0`, `(lead.employees + 2) * 3 > 0`,
		`touches.count("reply", days:1) > 0`, `touches.count("reply", days:2) > 0`, `touches.count("reply") > 0`,
	} {
		got, ok := goodWith(t, condition).Plain(condition)
		if other, taken := said[got]; !ok || taken {
			t.Errorf("%s and %s both read %q", condition, other, got)
		}
		said[got] = condition
	}
}
