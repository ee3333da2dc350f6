package agreement

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// afterIn writes a part before the last line of the good document.
func afterIn(name, part string, line, column int, sentence string) broke {
	return broke{name, "meetings:", part + "meetings:", line, column, sentence}
}

// brokenAfter are faults in what is said about what comes after the handoff.
var brokenAfter = []broke{
	{"attempts that are none", "{id: not-mine, title: Not mine, leads_to: next-person}", "{id: not-mine, title: Not mine, leads_to: next-person, attempts: 0}", 125, 70, "0 is out of bounds; write a number from 1 to 100"},
	afterIn("an end of giving back that is no time", "accepted_by_default: {calendar: office}\n", 128, 1, "accepted_by_default has no within; add `within:` with a working time, such as 24h"),
	afterIn("an end of giving back by no calendar", "accepted_by_default: {within: 24h, calendar: ofice}\n", 128, 46, "there is no calendar \"ofice\" (did you mean \"office\"?); add it under `calendars`"),
	afterIn("no disposition", "dispositions: []\n", 128, 1, "nothing can come of a touch; add at least one disposition, or remove `dispositions`"),
	afterIn("a disposition without a name", "dispositions: [{title: Spoke}]\n", 128, 16, "the disposition has no id; add `id:` to name it"),
	afterIn("a disposition without a title", "dispositions: [{id: spoke}]\n", 128, 16, "the disposition has no title; add `title:` that people read"),
	afterIn("a disposition twice", "dispositions: [{id: spoke, title: Spoke}, {id: spoke, title: Met}]\n", 128, 48, `the disposition "spoke" is there twice, first in line 128; keep one, or give one another name`),
	afterIn("a disposition that reaches somebody perhaps", "dispositions: [{id: spoke, title: Spoke, reached: perhaps}]\n", 128, 51, `the text "perhaps" is written here; true or false is expected`),
	afterIn("a stage of a deal that is a sentence", "deal_stages: {Offer sent: Offer sent}\n", 128, 15, `"Offer sent" is not a word to choose: lower-case letters, digits and hyphens, at most 64; put what people read behind it`),
	afterIn("a stage of a deal that says nothing", "deal_stages: {offer: \"\"}\n", 128, 22, "the text is empty; write it or remove the key"),
	afterIn("an answer that is a sentence", "feedback: {why: {No need: There is none.}}\n", 128, 18, `"No need" is not a word to choose: lower-case letters, digits and hyphens, at most 64; put what people read behind it`),
	afterIn("a question that nobody asks", "feedback: {required: [weather]}\n", 128, 23, `"weather" is not known here; write interest, why, talk, missing, vertical, persona, ease or phrases`),
	afterIn("a question without answers", "feedback: {required: [interest, talk]}\n", 128, 1, "talk is required and has no answers to choose from; add `talk`, or take it out of `required`"),
	afterIn("feedback by no time", "feedback: {within: soon}\n", 128, 20, `"soon" is not a duration; write a whole number with m, h or d, such as 30m, 2h or 3d`),
	afterIn("feedback by no calendar", "feedback: {required: interest, within: 8h, calendar: ofice}\n", 128, 54, "there is no calendar \"ofice\" (did you mean \"office\"?); add it under `calendars`"),
	afterIn("disputes that nobody decides", "disputes: {within: 16h, calendar: office}\n", 128, 1, "disputes has no arbiter; add `arbiter:` with the handle of who decides"),
	afterIn("disputes decided by a sentence", "disputes: {arbiter: The board, within: 16h, calendar: office}\n", 128, 21, `"The board" is not a handle: lower-case letters, digits, dot, hyphen and underscore, at most 64`),
	afterIn("disputes that may stay open", "disputes: {arbiter: petra, calendar: office}\n", 128, 1, "disputes has no within; add `within:` with the working time after which an open case goes to the arbiter, such as 16h"),
	afterIn("disputes of no working time", "disputes: {arbiter: petra, within: 16h}\n", 128, 1, "disputes has no calendar; add `calendar:` with whose working time counts; one of `calendars`"),
	afterIn("disputes by no calendar", "disputes: {arbiter: petra, within: 16h, calendar: ofice}\n", 128, 51, "there is no calendar \"ofice\" (did you mean \"office\"?); add it under `calendars`"),
	afterIn("disputes that go to a sentence", "disputes: {arbiter: petra, within: 16h, calendar: office, then: [The board]}\n", 128, 66, `"The board" is not a handle: lower-case letters, digits, dot, hyphen and underscore, at most 64`),
	afterIn("a review of nothing", "disputes: {arbiter: petra, within: 16h, calendar: office, sample: 0}\n", 128, 67, "0 is out of bounds; write a number from 1 to 100"),
	afterIn("no purpose", "purposes: []\n", 128, 1, "leads have no purpose; add at least one, or remove `purposes`"),
	afterIn("a purpose without a name", "purposes: [{title: New}]\n", 128, 12, "the purpose has no id; add `id:` to name it"),
	afterIn("a purpose without a title", "purposes: [{id: new}]\n", 128, 12, "the purpose has no title; add `title:` that people read"),
	afterIn("a purpose twice", "purposes: [{id: new, title: New, when: lead.has_phone}, {id: new, title: New}]\n", 128, 62, `the purpose "new" is there twice, first in line 128; keep one, or give one another name`),
	afterIn("leads without a purpose", "purposes: [{id: new, title: New, when: lead.has_phone}]\n", 128, 12, "the last purpose takes the leads that are left, so that each lead has one; remove its `when`, or add one without"),
	afterIn("a purpose of every lead before others", "purposes: [{id: new, title: New}, {id: old, title: Old}]\n", 128, 12, "this purpose takes every lead, and those after it get none; give it a `when`, or put it last"),
	afterIn("a purpose that no lead has", "purposes: [{id: old, title: Old, when: lead.employees > 5 && lead.employees < 3}, {id: new, title: New}]\n", 128, 40, `the condition of the purpose "old" never holds; change it or remove the purpose`),
	afterIn("a purpose that another one takes", "purposes: [{id: old, title: Old, when: lead.employees > 3}, {id: large, title: Large, when: lead.employees > 5}, {id: new, title: New}]\n", 128, 93, `no lead ever gets as far as the purpose "large": "old" (line 128) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`),
	afterIn("a last purpose that nothing is left for", "purposes: [{id: old, title: Old, when: lead.has_phone || !lead.has_phone}, {id: new, title: New}]\n", 128, 76, `no lead ever gets as far as the purpose "new": "old" (line 128) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`),
	afterIn("a year of no zone", "year: {starts: April}\n", 128, 1, "the year has no zone; add `zone:` with a time zone, such as Europe/Berlin"),
	afterIn("a year of a zone that does not exist", "year: {zone: Europe/Berln}\n", 128, 14, `there is no time zone "Europe/Berln" (did you mean "Europe/Berlin"?); write a name of the IANA database, such as Europe/Berlin`),
	afterIn("a year that starts in no month", "year: {starts: Apryl, zone: UTC}\n", 128, 16, `"Apryl" is not known here (did you mean "April"?); write January, February, March, April, May, June, July, August, September, October, November or December`),
}

// TestNoticesOfAfter holds what is worth knowing about what comes after the handoff.
func TestNoticesOfAfter(t *testing.T) {
	const reason = "{id: not-mine, title: Not mine, leads_to: next-person}"
	for _, c := range []struct{ name, from, to, want string }{
		{"nothing to say", "meetings:", "disputes: {arbiter: petra, within: 16h, calendar: office, then: [sam]}\nfeedback: {required: interest, within: 8h, calendar: office}\ndispositions: [{id: spoke, title: Spoke, reached: true}, {id: none, title: None}]\nmeetings:", ""},
		{"out of reach without a try", reason, "{id: gone, title: Could not be reached, leads_to: next-person}", "125:5 the reason \"gone\" can be given without an attempt to reach the person; if that is not meant, say how many there must be with `attempts:`\n"},
		{"out of reach after some tries", reason, "{id: unreachable, title: Gone, leads_to: next-person, attempts: 3}", ""},
		{"dispositions that reach nobody", "meetings:", "dispositions: [{id: spoke, title: Spoke}]\nmeetings:", "128:1 no disposition has `reached: true`, so that by these words nobody is ever reached\n"},
		{"feedback that is never late", "meetings:", "feedback: {within: 8h}\nmeetings:", "128:12 no question is `required`, so that nothing is ever answered too late\n"},
		{"a calendar without a time", "meetings:", "feedback: {required: interest, calendar: office}\nmeetings:", "128:32 \"calendar\" says nothing without `within`; add it, or remove this line\n"},
		{"an arbiter who manages", "meetings:", "disputes: {arbiter: sam, within: 16h, calendar: office}\nmeetings:", "128:21 \"sam\" decides disputes and manages the pool \"inside\", and so decides about their own people; somebody of neither department is trusted by both\n"},
		{"an arbiter who gets leads", "meetings:", "disputes: {arbiter: chloe, within: 16h, calendar: office}\nmeetings:", "128:21 \"chloe\" decides disputes and gets leads of the pool \"key-accounts\", and so decides about their own leads; somebody of neither department is trusted by both\n"},
		{"somebody who hears of it twice", "meetings:", "disputes: {arbiter: petra, within: 16h, calendar: office, then: [carla, petra]}\nmeetings:", "128:73 \"petra\" is told of the case before already; name somebody else, or nobody\n"},
		{"purposes that overlap", "meetings:", "purposes: [{id: old, title: Old, when: lead.has_phone}, {id: large, title: Large, when: lead.employees > 5}, {id: new, title: New}]\nmeetings:", ""},
		{"a purpose of a call", "meetings:", "purposes: [{id: old, title: Old, when: 'call.answers.need == \"replace\"'}, {id: new, title: New}]\nmeetings:", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, noticesOf(t, edited(t, goodSource(t), c.from, c.to))); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPurpose holds that each lead has one purpose, the first that holds; and none where
// none is agreed.
func TestPurpose(t *testing.T) {
	a, err := Compile(edited(t, goodSource(t), "meetings:", "purposes: [{id: old, title: Old, when: lead.has_phone}, {id: large, title: Large, when: lead.employees > 5}, {id: new, title: New}]\nmeetings:"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    *leadv1.Features
		want string
	}{
		{nil, "new"},
		{&leadv1.Features{Employees: 6}, "large"},
		{&leadv1.Features{Employees: 6, HasPhone: true}, "old"},
	} {
		if got := a.Purpose(Facts{Features: c.f}); got != c.want {
			t.Errorf("%v is for %q, want %q", c.f, got, c.want)
		}
	}
	if got := good(t).Purpose(Facts{}); got != "" {
		t.Errorf("without an agreed purpose it is for %q", got)
	}
	if said, ok := a.Plain("lead.has_phone"); !ok || said == "" {
		t.Error("the condition of a purpose is not in words")
	}
	for _, f := range a.Fields() {
		if f.Name == "lead.has_phone" && !strings.Contains(strings.Join(f.UsedBy, ", "), "purpose old") {
			t.Errorf("lead.has_phone is used by %v", f.UsedBy)
		}
	}
}

// Changes of what comes after the handoff read well.
func TestChangesOfAfterInPlainWords(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, want string }{
		"giving back":           {"within: 24h\n  calendar: office\ndisp", "within: 16h\ndisp", "Accepted for good | Giving an accepted lead back | possible for: now “16 hours of working time of the lead's pool; after that it counts as accepted for good”, before “1 day of working time, by the calendar office; after that it counts as accepted for good”"},
		"who is reached":        {"title: Left a message\n", "title: Left a message\n    reached: true\n", "What can come of a touch | Left a message | the person: now “was reached”, before “was not reached”"},
		"a disposition":         {"  - id: voicemail\n    title: Left a message\n", "", "What can come of a touch | Left a message | no longer there (was: the person: was not reached; written as: voicemail)"},
		"a stage of a deal":     {"  offer: Offer sent\n", "  demo: Showed it\n  offer: Offer sent\n", "Stages of a deal | The way of a deal, until it is won or lost | in this order: now also demo\nStages of a deal | The way of a deal, until it is won or lost | demo: new: Showed it"},
		"the order of a deal":   {"  first-meeting: First meeting\n  offer: Offer sent\n", "  offer: Offer sent\n  first-meeting: First meeting\n", "Stages of a deal | The way of a deal, until it is won or lost | in this order: in another order: offer and first-meeting"},
		"what must be answered": {"required: [interest, why, talk]", "required: [interest, why, ease]", "What marketing asks about a lead | The form | must be answered: now also how easy it was to get on with them, from 1 to 5; no longer how the talk went"},
		"by when":               {"within: 3d\n  calendar: office\ndisp", "within: 5d\n  calendar: office\ndisp", "What marketing asks about a lead | The form | answered within: 5 instead of 3 days of working time, by the calendar office after the lead was accepted"},
		"an answer":             {"    no-need: There is no need.\n", "    no-need: There is no need.\n    dear: It was too dear.\n", "What marketing asks about a lead | Answers to “why it was interesting, or not” | dear: new: It was too dear."},
		"no answers":            {"  missing:\n    budget: Whether there is a budget.\n    system: Which system they use today.\n", "", "What marketing asks about a lead | Answers to “which information is missing for the next campaign” | no longer there (was: budget: Whether there is a budget; system: Which system they use today)"},
		"the arbiter":           {"arbiter: petra", "arbiter: paula", "Where the departments disagree about a lead | Cases | decided by: paula instead of petra"},
		"when it goes there":    {"within: 16h\n  calendar: office\n  then", "within: 8h\n  calendar: office\n  then", "Where the departments disagree about a lead | Cases | put before them: where nobody has settled it after 8 instead of 16 hours of working time, by the calendar office\nWhere the departments disagree about a lead | Cases | after that: carla, each 8 instead of 16 hours after the one before"},
		"who hears of it then":  {"then: [carla]", "then: [carla, dora]", "Where the departments disagree about a lead | Cases | after that: now “carla, then dora, each 16 hours after the one before”, before “carla, each 16 hours after the one before”"},
		"a review":              {"  sample: 20\n", "  sample: 30\n", "Where the departments disagree about a lead | Cases | a review looks at: 30 instead of 20 handoffs"},
		"which leads":           {`when: lead.campaign == "customers"`, `when: lead.campaign == "loyalty"`, "What leads are for | Keep a customer | the campaign campaign (utm_campaign) is “loyalty” instead of “customers”"},
		"a purpose":             {"  - id: new-business\n", "  - id: support\n    title: Support\n    when: lead.medium == \"sales\"\n  - id: new-business\n", "What leads are for | Support | new: the campaign medium (utm_medium) is “sales”; written as: support"},
		"the year":              {"starts: April", "starts: July", "When it counts |  | a year of reports starts: in July instead of April"},
		"the zone of the year":  {"  zone: Europe/Berlin\noverlays", "  zone: UTC\noverlays", "When it counts |  | days, weeks, months and quarters of reports: begin by the time zone UTC instead of Europe/Berlin"},
		"attempts":              {"attempts: 5", "attempts: 3", "Reasons for rejecting a lead | Could not be reached | before it is given: 3 instead of 5 attempts to reach the person"},
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
