package agreement

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// broke is a document with one fault: the good one with one text replaced.
type broke struct {
	name, from, to string
	line, column   int
	sentence       string
}

// broken are documents with one fault each.
var broken = []broke{
	{"another format", "baton: 1\n", "baton: 2\n", 1, 8, "this program reads format 1, not 2; write `baton: 1`"},
	{"no name", "name: Test agreement\n", "", 1, 1, "the agreement has no name; add `name:` with a name for the agreement"},
	{"a part that does not exist", "meetings: Every", "meeting: Every", 128, 1, `the agreement has no "meeting" (did you mean "meetings"?); …`},
	{"a key twice", "    take_within: 4h\n", "    take_within: 4h\n    take_within: 5h\n", 110, 5, `"take_within" is written twice, first in line 109; keep one of them`},
	{"a date without a zone", "2026-03-01T00:00:00+01:00", "2026-03-01", 3, 16, `the text "2026-03-01" is written here; a time with its zone is expected, such as 2026-01-01T00:00:00Z`},
	{"no public key", "ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=", "maria.pub", 7, 17, "this is no public key; write ed25519: and 32 bytes in base64, as `baton agreement init` writes it"},
	{"one key for both", "ed25519:gTl3Dqh9F19Wo1Rmw0x+zMuNioG+2NrJPH3AbmB8tQM=", "ed25519:iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=", 10, 17, "both parties have the same key, so that one could sign for both; each needs its own (`baton agreement init` makes them)"},
	{"a spelling of two words", "buyer: [procurement]", "buyer: [procurement, CEO]", 20, 26, `"CEO" already means "executive"; a spelling can mean one word only`},
	{"a text answer without values", "    values: {now: [asap], later: []}\n", "", 24, 11, "a text answer needs its agreed `values`: free text is always sealed, and no rule can read it"},
	{"an answer that conditions cannot write", "- id: newsletter", "- id: news-letter", 32, 9, `"news-letter" is not the id of an answer: lower-case letters, digits and underscores, at most 64`},
	{"a criterion without weight", "      must: true\n", "", 38, 7, "the criterion has no weight; add `must: true` or `points:` with a number"},
	{"a must-have with points", "      must: true\n", "      must: true\n      points: 1\n", 42, 7, "a criterion is either a must-have or gives points; keep one of `must` and `points`"},
	{"more points needed than there are", "points_needed: 3", "points_needed: 30", 36, 18, `the profile needs 30 points, but its criteria give at most 4; lower points_needed or add criteria with points`},
	{"an influence nobody agreed", "influence: brake", "influence: blocker", 60, 18, `"blocker" is not known here; write initiator, champion, decider, user or brake`},
	{"a stage without owner", "    owner: Sam\n    text: Fits.\n", "    text: Fits.\n", 65, 3, "the stage MQL has no owner; add `owner:` with who answers for its leads"},
	{"a stage without time limit", "    exit: Called.\n    leave_within: 3d\n", "    exit: Called.\n", 65, 3, "the stage MQL has no leave_within; add `leave_within:` with the longest time in it, such as 3d"},
	{"a stage that is missing", "  SAL: {title: Accepted, owner: Sam, text: Fits, enter: Call, exit: Call, leave_within: 90d}\n", "", 63, 1, "stages has no SAL; add `SAL:` with title, owner, text, enter, exit and leave_within"},
	{"a handoff without pool", "    text: Everybody else.\n    pool: inside\n", "    text: Everybody else.\n", 87, 5, "the handoff has no pool; add `pool:` with the pool that gets the leads"},
	{"a pool that does not exist", "    pool: key-accounts\n", "    pool: key-account\n", 86, 11, "there is no pool \"key-account\" (did you mean \"key-accounts\"?); add it under `pools` or hand over to inside or key-accounts"},
	{"a duration without unit", "take_within: 1h30m", "take_within: 90", 97, 18, `"90" is not a duration; write a whole number with m, h or d, such as 30m, 2h or 3d`},
	{"a calendar that does not exist", "    calendar: office\n    take_within: 4h\n", "    calendar: ofice\n    take_within: 4h\n", 108, 15, "there is no calendar \"ofice\" (did you mean \"office\"?); add it under `calendars`"},
	{"pools that share a member", "    group: sales\n    manager: sam\n    calendar: office\n    take_within: 4h\n", "    manager: sam\n    calendar: office\n    take_within: 4h\n", 110, 17, "\"ben\" is a member of pool \"inside\" (group \"sales\") and of pool \"key-accounts\" (group \"key-accounts\"); pools that share a member must be one group, so give both pools the same `group`"},
	{"a zone that does not exist", "zone: Europe/Berlin", "zone: Europe/Berln", 116, 11, `there is no time zone "Europe/Berln" (did you mean "Europe/Berlin"?); write a name of the IANA database, such as Europe/Berlin`},
	{"hours that overlap", `"13:00-17:00"`, `"11:00-17:00"`, 118, 28, `these hours overlap others of the same day; write them apart`},
	{"a reason without consequence", "{id: not-now, title: Not now, leads_to: nurture}", "{id: not-now, title: Not now}", 126, 5, "the reason has no leads_to; add `leads_to:` next-person, nurture or disqualify"},
	{"a word that conditions do not have", `lead.role == "executive"`, `lead.job == "executive"`, 57, 13, `there is no lead.job; …`},
	{"an answer that is not declared", "has(answers.budget) && answers.budget >= 100000", "answers.bugdet >= 100000", 48, 13, "no answer \"bugdet\" is declared (did you mean \"answers.budget\"?); declare it under `answers`"},
	{"a role that is not agreed", `lead.role == "executive"`, `lead.role == "exectuive"`, 57, 26, `"exectuive" is not among the agreed roles (did you mean "executive"?); write one of words.roles, or add it there`},
	{"text against a number", "lead.employees >= 20", `lead.employees >= "20"`, 44, 28, `">=" cannot take a number with text; compare like with like: text in quotes, numbers without quotes`},
	{"a decimal number", "lead.employees >= 20", "lead.employees >= 19.5", 44, 31, `decimal numbers are not allowed, because they do not add up the same everywhere; write whole numbers, in a smaller unit where needed (cents, basis points)`},
	{"a word for a sign", "lead.has_email || lead.has_phone", "lead.has_email or lead.has_phone", 40, 28, `"or" is not a sign of the language; write ||`},
	{"a condition that is no yes or no", `lead.role == "executive"`, "lead.role", 57, 13, `the condition gives text, not yes or no; compare it with something, such as lead.employees >= 20`},
	{"a loop", "lead.employees >= 20", "'[1].all(x, x < lead.employees)'", 44, 18, "the loop all is not allowed: a condition must end after a known number of steps; use `in` with a list, or several criteria"},
	// What the rules mean together.
	{"a must-have that never holds", "lead.has_email || lead.has_phone", "lead.employees > 5 && lead.employees < 3", 40, 13, `no lead can ever meet the must-have "contactable"; change its condition or remove it`},
	{"a must-have that asks for a call", "lead.has_email || lead.has_phone", "call.reached && call.fit_confirmed", 40, 13, `no lead can ever meet the must-have "contactable", because it is decided before anybody has called; change its condition or remove it`},
	{
		"two must-haves that exclude each other", "    - id: size\n",
		"    - id: large\n      text: Large.\n      when: lead.employees >= 20\n      must: true\n    - id: country\n      text: Near.\n      when: lead.country == \"DE\"\n      must: true\n    - id: small\n      text: Small.\n      when: lead.employees < 10\n      must: true\n    - id: size\n", 52, 13, `no lead can meet the must-haves "large" (line 44) and "small" (line 52) together, so that none would ever be qualified; change one of them`,
	},
	{
		"three must-haves that exclude each other", "    - id: size\n",
		"    - id: large\n      text: Large.\n      when: lead.employees >= 20 || lead.has_company\n      must: true\n    - id: anonymous\n      text: Anonymous.\n      when: '!lead.has_company'\n      must: true\n    - id: small\n      text: Small.\n      when: lead.employees < 10\n      must: true\n    - id: size\n", 52, 13, `no lead can meet the must-haves "large" (line 44), "anonymous" (line 48) and "small" (line 52) together, so that none would ever be qualified; change one of them`,
	},
	{
		"points that no lead reaches", "      when: lead.employees >= 20\n      points: 2\n",
		"      when: has(answers.budget) && answers.budget < 5\n      points: 2\n", 36, 18, `no lead can reach the 3 points needed: one that meets the must-haves gets at most 2; lower points_needed or change a criterion`,
	},
	{"a persona that never holds", `lead.role in ["buyer", "assistant"]`, `lead.role == "buyer" && lead.role == "assistant"`, 62, 13, `the condition of the persona "buyer" never holds; change it or remove the persona`},
	{"a persona that others take", `lead.role in ["buyer", "assistant"]`, `lead.role == "executive" && lead.has_email`, 62, 13, `no lead ever gets as far as the persona "buyer": "boss" (line 57) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`},
	{
		"a persona that two others take together", `      when: lead.role in ["buyer", "assistant"]`,
		"      when: lead.role in [\"buyer\", \"assistant\"]\n    - id: known\n      title: Known\n      influence: user\n      text: Has a role.\n      when: has(lead.role)", 67, 13, `no lead ever gets as far as the persona "known": "boss" (line 57) and "buyer" (line 62) take every one first, because the first that holds counts; put it earlier, change a condition or remove it`,
	},
	{"a stage that no lead reaches", "when: lead.has_email || lead.has_phone", "when: '!has(lead.role)'", 65, 3, `no lead can reach the stage MQL: none that meets the customer profile matches a persona; change a must-have, points_needed or a persona`},
	{"a handoff that never holds", "lead.employees >= 500", "lead.employees >= 500 && lead.employees <= 50", 85, 11, `the condition of the handoff "big" never holds; change it or remove the handoff`},
	{"a handoff after one that takes all", "    when: lead.employees >= 500\n    pool: key-accounts\n  - id: rest\n    stage: MQL\n    text: Everybody else.\n    pool: inside\n", "    pool: key-accounts\n  - id: rest\n    stage: MQL\n    text: Everybody else.\n    pool: inside\n", 86, 5, `no lead ever gets as far as the handoff "rest": "big" (line 82) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`},
	{"a handoff that an earlier one takes", "    text: Everybody else.\n", "    text: Everybody else.\n    when: lead.employees > 1000\n", 90, 11, `no lead ever gets as far as the handoff "rest": "big" (line 85) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`},
	{
		"a handoff of free mail after all mail", "    text: Everybody else.\n    pool: inside\n",
		"    text: Everybody else.\n    when: lead.has_email\n    pool: inside\n  - {id: free, stage: MQL, text: Free., when: lead.free_email, pool: inside}\n",
		92, 47, `no lead ever gets as far as the handoff "free": "rest" (line 90) takes every one first, because the first that holds counts; put it earlier, change a condition or remove it`,
	},
	{"a line too far to the left", "    - id: size\n", "   - id: size\n", 42, 4, `this is not valid YAML: value is not allowed in this context; let the line begin as far to the right as its neighbours of the same kind`},
	{"a line that a tab begins", "    - id: size\n", "\t- id: size\n", 42, 1, "this is not valid YAML: found character '\t' that cannot start any token; begin the line with blanks, not with a tab"},
	{"a colon in a text", "title: The boss", "title: The boss: all", 54, 14, `this is not valid YAML: mapping value is not allowed in this context; put a text that holds a colon with a blank behind it into double quotes`},
	{"a handoff of leads that nobody qualified", "    stage: MQL\n    text: Large companies.", "    stage: LEAD\n    text: Large companies.", 85, 11, "leads of the stage LEAD are never handed over, because nothing says yet that they are worth it; write `stage: MQL` in the handoff \"big\", or remove it"},
}

// TestBrokenAgreements holds that each is refused for that fault alone, at its
// place. A sentence that ends with … is compared as far as that.
func TestBrokenAgreements(t *testing.T) {
	if len(broken) < 30 {
		t.Fatalf("%d broken agreements are too few", len(broken))
	}
	for _, b := range slices.Concat(broken, brokenRouting, brokenAfter) {
		t.Run(b.name, func(t *testing.T) {
			_, err := Compile(edited(t, goodSource(t), b.from, b.to))
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want a refusal", err)
			}
			p := problems.List[0]
			start, cut := strings.CutSuffix(b.sentence, "…")
			if p.Line != b.line || p.Column != b.column || (p.Text != b.sentence && (!cut || !strings.HasPrefix(p.Text, start))) {
				t.Errorf("got  %d:%d %s\nwant %d:%d %s", p.Line, p.Column, p.Text, b.line, b.column, b.sentence)
			}
			if len(problems.List)+problems.More != 1 {
				t.Errorf("one fault, %d problems:\n%v", len(problems.List), err)
			}
		})
	}
}
