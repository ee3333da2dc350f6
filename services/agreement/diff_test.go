package agreement

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func starterDocument(t *testing.T) string {
	t.Helper()
	key := func(last byte) []byte { return append(make([]byte, 31), last) }
	return string(Starter(StarterParams{MarketingKey: key(1), SalesKey: key(2), Zone: "Europe/Berlin"}))
}

func mustCompile(t *testing.T, doc string) *Agreement {
	t.Helper()
	a, err := Restore([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// diffs are the changes from the starter to the starter with edits.
func diffs(t *testing.T, edits ...string) []Change {
	t.Helper()
	before := starterDocument(t)
	after := strings.NewReplacer(edits...).Replace(before)
	if before == after {
		t.Fatalf("%q changed nothing", edits)
	}
	return Diff(mustCompile(t, before), mustCompile(t, after))
}

func TestChangesInPlainWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edits []string
		want  string
	}{
		"a threshold":       {[]string{"lead.employees >= 20", "lead.employees >= 50"}, "Customer profile | The company has at least 20 employees. | at least 50 instead of 20 employees | marketing, sales"},
		"points":            {[]string{"points_needed: 3", "points_needed: 4"}, "Customer profile | The whole profile | points: 4 instead of 3 points are needed | marketing, sales"},
		"a country":         {[]string{`"PT", "SE"]`, `"PT", "SE", "SK"]`}, "Customer profile | The company is in a country that we serve. | the country is now also Slovakia | marketing, sales"},
		"a country less":    {[]string{`"PT", "SE"]`, `"SE"]`}, "Customer profile | The company is in a country that we serve. | the country is no longer Portugal | marketing, sales"},
		"a time":            {[]string{"take_within: 2h", "take_within: 90m"}, "Pools and times | Inside sales | take a lead within: 1 hour 30 minutes instead of 2 hours of working time | ana, ben, chloe"},
		"a member":          {[]string{"- member: dan", "- member: eva"}, "Pools and times | Large companies | dan: no longer there (was: 1 share, at most 25 open leads) | chloe, eva, dan\nPools and times | Large companies | eva: new: 1 share, at most 25 open leads | chloe, eva, dan"},
		"a consequence":     {[]string{"leads_to: disqualify", "leads_to: nurture"}, "Reasons for rejecting a lead | Not a genuine inquiry (competitor, job seeker, wrong data) | the lead goes: back to marketing instead of out | marketing, sales"},
		"the horizon":       {[]string{"horizon_months: 6", "horizon_months: 9"}, "Stages | Sales qualified lead (SQL) | horizon: wants to buy within 9 instead of 6 months | Head of sales, The salesperson who took it"},
		"a holiday":         {[]string{"2027-01-01, 2027-12-25", "2027-12-25"}, "Calendars | Office | holidays: no longer 1 January 2027 | ana, ben, chloe, dan"},
		"a working day":     {[]string{"      fri: [\"09:00-17:00\"]\n", "      fri: [\"09:00-17:00\"]\n      sun: [\"10:00-12:00\"]\n"}, "Calendars | Office | Sunday: 10:00–12:00 instead of no work | ana, ben, chloe, dan"},
		"a whole weekend":   {[]string{"      mon: [\"09:00-17:00\"]\n      tue", "      mon: [\"09:00-17:00\"]\n      sat: [\"08:00-09:00\"]\n      sun: [\"08:00-09:00\"]\n      tue"}, "Calendars | Office | Saturday to Sunday: 08:00–09:00 instead of no work | ana, ben, chloe, dan"},
		"a reason":          {[]string{"  - id: no-time\n    title: No time to call within the agreed time\n    leads_to: next-person\n", ""}, "Reasons for rejecting a lead | No time to call within the agreed time | no longer there (was: the lead goes: to the next person; written as: no-time) | marketing, sales"},
		"an exception":      {[]string{"# Which department", "overlays:\n  - id: new-market\n    text: Hospitals are new to us.\n    when: lead.industry == \"health\"\n    until: 2027-07-01T00:00:00Z\n    points_needed: 2\n#"}, "Exceptions | Hospitals are new to us. | new: time: until 1 July 2027, 00:00 UTC; the industry is health; points: 2 points are needed | marketing, sales"},
		"a priority":        {[]string{"# Which department", "priorities:\n  - id: new\n    leads: marketing\n    text: Marketing chooses.\n#"}, "Priorities | Everything | new: takes precedence: marketing; means: Marketing chooses; time: as long as this version is in force | marketing, sales"},
		"the first to fit":  {[]string{"id: champion\n", "id: buyer\n", "id: buyer\n", "id: champion\n"}, "Personas | Compares offers"},
		"only the comments": {[]string{"# The same word must mean", "# One word must mean"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range diffs(t, test.edits...) {
				got = append(got, strings.Join([]string{c.Part, c.About, c.Text, strings.Join(c.Concerns, ", ")}, " | "))
			}
			text := strings.Join(got, "\n")
			if text != test.want && (test.want == "" || name != "the first to fit" || !strings.Contains(text, test.want)) {
				t.Errorf("reads\n%s\nnot\n%s", text, test.want)
			}
		})
	}
}

func TestTheOrderOfRulesIsAChange(t *testing.T) {
	t.Parallel()
	text := starterDocument(t)
	// The two handoffs change places.
	first, second := strings.Index(text, "  - id: large-companies\n    stage"), strings.Index(text, "  - id: everything-else")
	end := strings.Index(text, "# Who takes turns.")
	swapped := text[:first] + text[second:end] + text[first:second] + text[end:]
	got := Diff(mustCompile(t, text), mustCompile(t, swapped))
	if len(got) != 1 || got[0].About != "Order" || !strings.HasPrefix(got[0].Text, "now tried in this order: “All other qualified leads") || !slices.Equal(got[0].Concerns, []string{"ana", "ben", "chloe", "dan"}) {
		t.Errorf("the change is %+v", got)
	}
}

var (
	scalarLine = regexp.MustCompile(`^(\s*(?:- )?(?:[a-zA-Z_-]+|[a-z]+: \{[^}]*)): (.+)$`)
	firstWhole = regexp.MustCompile(`\d+`)
)

// Whatever can be changed in the document and still compiles shows in the
// comparison: nothing that was signed changes unseen.
func TestNoChangeIsInvisible(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"starter": starterDocument(t), "example": exampleText} {
		t.Run(name, func(t *testing.T) { noChangeIsInvisible(t, text) })
	}
}

func noChangeIsInvisible(t *testing.T, text string) {
	t.Helper()
	before := mustCompile(t, text)
	lines := strings.Split(text, "\n")
	tried := 0
	for i, line := range lines {
		m := scalarLine.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(strings.TrimSpace(line), "#") || strings.HasPrefix(line, "baton:") {
			continue
		}
		value := m[2]
		var edits []string
		if number := firstWhole.FindString(value); number != "" {
			n, _ := strconv.Atoi(number)
			edits = append(edits, strings.Replace(value, number, fmt.Sprintf("%0*d", len(number), n+1), 1))
		}
		if !strings.ContainsAny(value[:1], `["|>`) {
			edits = append(edits, value+"x")
		}
		for old, other := range map[string]string{"true": "false", "flag": "number", "marketing": "sales", "nurture": "disqualify", "disqualify": "nurture", "next-person": "nurture", "champion": "user", "decider": "user", "brake": "user", "user": "decider", "||": "&&", "&&": "||", "\"head\"": "\"student\"", "inside-sales": "large-companies", "rotation": "claim", "capped": "full", "least-loaded": "strict-order", "mornings": "office", "carla": "dora"} {
			if strings.Contains(value, old) {
				edits = append(edits, strings.Replace(value, old, other, 1))
			}
		}
		if list, ok := strings.CutSuffix(value, "]"); ok && strings.HasPrefix(value, "[") && len(list) > 1 {
			edits = append(edits, list+", something-else]")
		}
		for _, edit := range edits {
			lines[i] = m[1] + ": " + edit
			after, err := Restore([]byte(strings.Join(lines, "\n")))
			lines[i] = line
			if err != nil {
				continue
			}
			tried++
			if len(Diff(before, after)) == 0 {
				t.Errorf("line %d, %q, became %q, and the comparison is empty", i+1, line, edit)
			}
		}
	}
	if tried < 150 {
		t.Errorf("only %d changes were tried", tried)
	}
	if same := Diff(before, before); len(same) != 0 {
		t.Errorf("nothing changed, and the comparison says %+v", same)
	}
}

// Changes of pools, people and calendars read well.
func TestChangesOfRoutingInPlainWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want string }{
		"the way to give":       {"gives_by: rotation", "gives_by: least-loaded", "Pools and times | Inside sales | next person: now “who has the fewest open leads for their share”, before “in turn, by shares”"},
		"what counts":           {"counts: [rotation, ownership, credit]", "counts: [rotation, override]", "Pools and times | Inside sales | counts as a turn: now also leads given by hand; no longer leads that came to their owner or credits for bad leads"},
		"after leave":           {"catch_up_at_most: 3", "catch_up_at_most: 5", "Pools and times | Inside sales | somebody back from leave: gets the leads that they missed first, at most 5 instead of 3 leads"},
		"a limit":               {"      - member: ben\n        calendar: mornings\n", "      - member: ben\n        at_most: {day: 4, week: 20, month: 60}\n        calendar: mornings\n", "Pools and times | Inside sales | ben: 1 share, at most 50 open leads, at most 4 instead of 5 leads a day, 20 a week and 60 a month, works by the calendar mornings"},
		"a limit of the pool":   {"    at_most:\n      day: 5\n      week: 20\n      month: 60\n", "", "Pools and times | Inside sales | ben: now “1 share, at most 50 open leads, works by the calendar mornings”, before “1 share, at most 50 open leads, at most 5 leads a day, 20 a week and 60 a month, works by the calendar mornings”"},
		"what somebody knows":   {"calendar: mornings\n        knows: [de, en, hospitals]", "calendar: mornings\n        knows: [de, fr, hospitals]", "Pools and times | Inside sales | ben knows: now also fr; no longer en"},
		"the quiet end":         {"quiet_before_end: 15m", "quiet_before_end: 20m", "Pools and times | Inside sales | before the end of a shift: no lead is handed out in the last 20 instead of 15 minutes"},
		"no reminder":           {"    remind_before: 30m\n", "", "Pools and times | Inside sales | reminded: no longer there (was: 30 minutes of working time before that ends)"},
		"the previous owner":    {"      wait: 4h\n", "", "Pools and times | Inside sales | a person who comes back: now “goes to whoever had them within the last 90 days; somebody else covers at once where they cannot take it”, before “goes to whoever had them within the last 90 days; the lead waits 4 hours of working time for them, then somebody else covers”"},
		"the fallback":          {"after: 8h\n      pool: large-companies", "after: 8h\n      member: dora", "Pools and times | Inside sales | where nobody can take it: after 8 hours of working time it goes to dora, whatever they hold already instead of pool Large companies"},
		"who watches":           {"look_every: 3d", "look_every: 5d", "Pools and times | Inside sales | watched by: ana, every 5 instead of 3 days; where they do not look while leads run out, carla hears of it"},
		"signing in":            {"    signed_in: true\n", "", "Pools and times | Inside sales | signing in: no longer there (was: only those who are signed in for the day get leads)"},
		"what a rule asks for":  {"skills: [hospitals]", "skills: [hospitals, law]", "Who gets a lead | Companies from 500 employees go to the people who know them. | whoever gets it knows: now also law"},
		"what a lead must find": {"    needs: [lead.language]\n", "", "Who gets a lead | Companies from 500 employees go to the people who know them. | whoever gets it knows also what the lead states as: no longer there (was: language)"},
		"a credit":              {"    credit: true\n", "", "Reasons for rejecting a lead | The lead was never there, or gave wrong data | the person: no longer there (was: gets another lead for it)"},
		"a reason to move":      {"  customer-wish: The customer asked for somebody else.\n", "", "Reasons for moving a lead by hand | customer-wish | no longer there (was: The customer asked for somebody else)"},
		"one owner":             {"window: 14d", "window: 7d", "One person speaks with one person | Collisions | reported: where somebody acts on a person within 7 instead of 14 days after somebody else did"},
		"a day of a set":        {"2027-05-17]", "2027-05-17, 2027-10-03]", "Holidays | de | now also 3 October 2027"},
		"no set":                {"    holidays_of: [de]\n", "", "Calendars | Office | holidays of: no longer there (was: de)"},
		"a day that is none":    {"not_holidays: [2027-05-06]", "not_holidays: [2027-05-17]", "Calendars | Office | no holidays: now also 17 May 2027; no longer 6 May 2027"},
		"a day of its own":      {`2026-12-24: ["09:00-12:00"]`, `2026-12-24: ["09:00-13:00"]`, "Calendars | Office | on 24 December 2026: 09:00–13:00 instead of 09:00–12:00"},
	} {
		t.Run(name, func(t *testing.T) {
			before := mustCompile(t, exampleText)
			after := mustCompile(t, string(edited(t, []byte(exampleText), test.from, test.to)))
			var got []string
			for _, c := range Diff(before, after) {
				got = append(got, strings.Join([]string{c.Part, c.About, c.Text}, " | "))
			}
			if text := strings.Join(got, "\n"); text != test.want {
				t.Errorf("reads\n%s\nnot\n%s", text, test.want)
			}
		})
	}
}
