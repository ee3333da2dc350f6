package agreement

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	insideEnds = "    capacity: 10\n"
	keyEnds    = "    take_within: 4h\n"
	hoursEnd   = "    holidays: [2026-12-25, 2026-04-06]\n"
	byAna      = "        weight: 2\n"
)

// brokenRouting are faults in what is said about pools, people and calendars.
var brokenRouting = []broke{
	{"a way to give leads that does not exist", insideEnds, insideEnds + "    gives_by: round-robin\n", 99, 15, `"round-robin" is not known here; write rotation, least-loaded, strict-order or claim`},
	{"a turn that does not exist", insideEnds, insideEnds + "    counts: [rotation, offers]\n", 99, 24, `"offers" is not known here; write rotation, ownership, override or credit`},
	{"a rotation in which no turn counts", insideEnds, insideEnds + "    counts: [ownership]\n", 99, 13, "where a turn in the rotation does not count, nobody's turn is ever over; add rotation"},
	{"a rotation in which nothing counts", insideEnds, insideEnds + "    counts: []\n", 99, 13, "where a turn in the rotation does not count, nobody's turn is ever over; add rotation"},
	{"a share that is capped at nothing", insideEnds, insideEnds + "    after_leave: capped\n", 99, 18, "say how many leads somebody can catch up on: add `catch_up_at_most:` with a number"},
	{"a bound of a share that is not capped", insideEnds, insideEnds + "    catch_up_at_most: 3\n", 99, 23, "only `after_leave: capped` has a bound; write it, or remove this line"},
	{"a quiet end longer than every shift", insideEnds, insideEnds + "    quiet_before_end: 8h\n", 99, 23, `no shift of the calendar "office" is longer than 8 hours, so that nobody who works by it would ever get a lead; write a shorter time`},
	{"a reminder before the offer", insideEnds, insideEnds + "    remind_before: 90m\n", 99, 20, "the reminder would come before the offer, which gives 1 hour 30 minutes; write a shorter time"},
	{"a previous owner for no time", insideEnds, insideEnds + "    previous_owner: {wait: 4h}\n", 99, 5, "previous_owner has no for; add `for:` with how long it counts, such as 90d"},
	{"a fallback to nobody", insideEnds, insideEnds + "    fallback: {after: 4h}\n", 99, 5, "a fallback is a pool or a person; write one of `pool` and `member`"},
	{"a fallback to two", insideEnds, insideEnds + "    fallback: {after: 4h, pool: key-accounts, member: sam}\n", 99, 33, "a fallback is a pool or a person; write one of `pool` and `member`"},
	{"a fallback without a time", insideEnds, insideEnds + "    fallback: {member: sam}\n", 99, 5, "the fallback has no after; add `after:` with the working time that a lead waits first, such as 4h"},
	{"a fallback to itself", insideEnds, insideEnds + "    fallback: {after: 4h, pool: inside}\n", 99, 33, "the pool cannot stand in for itself; name another one"},
	{"a fallback to no pool", insideEnds, insideEnds + "    fallback: {after: 4h, pool: insider}\n", 99, 33, "there is no pool \"insider\"; add it under `pools`"},
	{"fallbacks in a circle", insideEnds + "    members:\n      - member: ana\n        weight: 2\n      - member: ben\n        capacity: 0\n  - id: key-accounts\n", insideEnds + "    fallback: {after: 4h, pool: key-accounts}\n    members:\n      - member: ana\n        weight: 2\n      - member: ben\n        capacity: 0\n  - id: key-accounts\n    fallback: {after: 4h, pool: inside}\n", 106, 33, `the pools "key-accounts" and "inside" stand in for each other in a circle, so that a lead that nobody can take would end with nobody; let one of them hand it to a person`},
	{"an oversight of nobody", insideEnds, insideEnds + "    oversight: {look_every: 3d}\n", 99, 5, "the oversight has no next; add `next:` with the handle of who hears of it"},
	{"an oversight of the manager", insideEnds, insideEnds + "    oversight: {look_every: 3d, next: sam}\n", 99, 39, `"sam" is the manager, whose absence this is about; name somebody else`},
	{"more in a day than in a week", insideEnds, insideEnds + "    at_most: {day: 10, week: 5}\n", 99, 20, "10 leads a day are more than 5 a week, so that they bound nothing; lower the one or raise the other"},
	{"more in a week than in a month", byAna, byAna + "        at_most: {day: 1, week: 50, month: 40}\n", 102, 33, "50 leads a week are more than 40 a month, so that they bound nothing; lower the one or raise the other"},
	{"a limit of another time", insideEnds, insideEnds + "    at_most: {year: 10}\n", 99, 15, `at_most has no "year"; it may hold day, week, month`},
	{"a member whose calendar does not exist", byAna, byAna + "        calendar: nights\n", 102, 19, "there is no calendar \"nights\"; add it under `calendars`"},
	{"knowledge that is a sentence", byAna, byAna + "        knows: [speaks German]\n", 102, 17, `"speaks German" is not something that somebody knows: letters, digits and hyphens, at most 64`},
	{"a need of what no lead has", "    text: Everybody else.\n", "    text: Everybody else.\n    needs: [lead.tongue]\n", 90, 13, `there is no "lead.tongue" that somebody could know their way in; …`},
	{"a need of a number", "    text: Everybody else.\n", "    text: Everybody else.\n    needs: [lead.employees]\n", 90, 13, "lead.employees is a number, and what somebody knows is a word; name a fact that is one, such as lead.language"},
	{"a need of a flag", "    text: Everybody else.\n", "    text: Everybody else.\n    needs: [lead.free_email]\n", 90, 13, "lead.free_email is yes or no, and what somebody knows is a word; name a fact that is one, such as lead.language"},
	{"a credit that is no yes or no", "{id: not-mine, title: Not mine, leads_to: next-person}", "{id: not-mine, title: Not mine, leads_to: next-person, credit: 1}", 125, 68, "the number 1 is written here; true or false is expected"},
	{"no reason to move a lead", "meetings:", "reassign_reasons: {}\nmeetings:", 128, 1, "there is no reason for moving a lead by hand; add one, or remove `reassign_reasons` for those that Baton brings"},
	{"one owner for no time", "meetings:", "one_owner: {}\nmeetings:", 128, 1, "one_owner has no window; add `window:` with the time in which two acts collide, such as 14d"},
	{"holidays of no set", hoursEnd, "    holidays_of: [it]\n", 123, 19, "there is no set of holidays \"it\"; add it under `holiday_sets`"},
	{"holidays of a set twice", hoursEnd, "    holidays_of: [it, it]\nholiday_sets: {it: [2026-12-25]}\n", 123, 23, `the set "it" is there twice, first in line 123; keep one, or give one another name`},
	{"a holiday that is none", hoursEnd, hoursEnd + "    not_holidays: [2026-12-25]\n", 124, 20, "2026-12-25 is one of `holidays` as well; keep one of the two"},
	{"a holiday with hours", hoursEnd, hoursEnd + "    days: {2026-12-25: [\"09:00-12:00\"]}\n", 124, 12, "2026-12-25 is one of `holidays` as well; keep one of the two"},
	{"a day of its own without hours", hoursEnd, hoursEnd + "    days: {2026-12-24: []}\n", 124, 12, "the day has no hours; write some, or put it into `holidays`"},
	{"a day of its own that is no date", hoursEnd, hoursEnd + "    days: {2026-02-29: [\"09:00-12:00\"]}\n", 124, 12, `"2026-02-29" is written here; a date is expected, such as 2026-12-24`},
	{"a day of its own twice", hoursEnd, hoursEnd + "    days:\n      2026-12-24: [\"09:00-12:00\"]\n      2026-12-24: [\"09:00-13:00\"]\n", 126, 7, `"2026-12-24" is written twice, first in line 125; keep one of them`},
	{"hours of a day of its own that overlap", hoursEnd, hoursEnd + "    days: {2026-12-24: [\"09:00-12:00\", \"11:00-13:00\"]}\n", 124, 40, "these hours overlap others of the same day; write them apart"},
	{"a holiday of a set twice", "calendars:\n", "holiday_sets: {it: [2026-12-25, 2026-12-25]}\ncalendars:\n", 114, 33, "the holiday 2026-12-25 is there twice; keep one"},
}

// TestNoticesOfRouting holds what is worth knowing about pools, people and calendars.
func TestNoticesOfRouting(t *testing.T) {
	const rest = "    text: Everybody else.\n"
	knows := func(words string) string { return byAna + "        knows: [" + words + "]\n" }
	cases := []struct {
		name  string
		edits []string
		want  string
	}{
		{"nothing to say", []string{insideEnds, insideEnds + "    gives_by: least-loaded\n    quiet_before_end: 15m\n    remind_before: 30m\n"}, ""},
		{"a skill that nobody has", []string{rest, rest + "    skills: [hospitals]\n"}, "90:14 nobody in pool \"inside\" knows \"hospitals\": such leads would wait for ever\n"},
		{"a skill that the fallback has", []string{rest, rest + "    skills: [hospitals]\n", insideEnds, insideEnds + "    fallback: {after: 4h, member: sam}\n"}, "90:14 nobody in pool \"inside\" knows \"hospitals\": such leads would wait until the fallback gets them\n"},
		{"a skill that somebody has", []string{rest, rest + "    skills: [hospitals]\n", byAna, knows("hospitals")}, ""},
		{"skills that nobody has together", []string{rest, rest + "    skills: [hospitals, law]\n", byAna, knows("hospitals"), "        capacity: 0\n", "        capacity: 0\n        knows: [law]\n"}, "90:25 nobody in pool \"inside\" knows all of hospitals, law: such leads would wait for ever\n"},
		{"a language that nobody knows", []string{rest, rest + "    needs: [lead.language]\n", byAna, knows("crm")}, "90:13 nobody in pool \"inside\" knows a language: leads that state one would wait for ever\n"},
		{"a language that somebody knows", []string{rest, rest + "    needs: [lead.language]\n", byAna, knows("de")}, ""},
		{"roles that nobody knows", []string{rest, rest + "    needs: [lead.role]\n", byAna, knows("buyer")}, "90:13 nobody in pool \"inside\" knows executive or assistant: leads that state it as role of the person would wait for ever\n"},
		{"roles that never come", []string{rest + "    pool: inside\n", rest + "    when: lead.employees < 500 && lead.role in [\"buyer\", \"assistant\"]\n    needs: [lead.role]\n    pool: inside\n  - {id: others, stage: MQL, text: Others., pool: inside}\n", byAna, knows("buyer")}, "91:13 nobody in pool \"inside\" knows assistant: leads that state it as role of the person would wait for ever\n"},
		{"a signal that leaves no time to remind", []string{insideEnds, insideEnds + "    remind_before: 30m\n", "profile:\n", "touches: {prices: Looked at prices.}\nsignals: [{id: hot, title: Hot, text: Prices., when: 'touches.count(\"prices\", days:7) > 2', take_within: 20m}]\nprofile:\n"}, "101:20 leads with the signal \"hot\" are to be taken within 20 minutes, so that nobody is reminded of them\n"},
		{"a short shift", []string{insideEnds, insideEnds + "    quiet_before_end: 3h\n"}, "99:23 no lead is handed out in the shift 09:00–12:00 of the calendar \"office\" on Monday, which is not longer than that\n"},
		{"a shift over midnight", []string{insideEnds, insideEnds + "    quiet_before_end: 2h\n", "      fri: [\"09:00-15:00\"]\n", "      fri: [\"09:00-15:00\", \"23:00-24:00\"]\n      sat: [\"00:00-06:00\"]\n"}, ""},
		{"weights in a strict order", []string{insideEnds, insideEnds + "    gives_by: strict-order\n"}, "102:9 \"weight\" says nothing in a pool with `gives_by: strict-order`; remove it\n"},
		{"what a claim does not ask", []string{insideEnds, insideEnds + "    gives_by: claim\n    remind_before: 30m\n    after_leave: full\n", byAna, ""}, "100:5 \"remind_before\" says nothing in a pool with `gives_by: claim`; remove it\n101:5 \"after_leave\" says nothing in a pool with `gives_by: claim`; remove it\n"},
		{"credits that do not count", []string{insideEnds, insideEnds + "    counts: [rotation]\n", "leads_to: disqualify}", "leads_to: disqualify, credit: true}"}, "99:13 the reason \"not-genuine\" gives credits, and this pool does not count them, so that they bring nobody a lead here\n"},
		{"holidays that nobody has", []string{hoursEnd, hoursEnd + "holiday_sets: {it: [2026-12-25]}\n"}, "124:16 no calendar names the holidays \"it\", so that they are none\n"},
		{"a day that is no holiday anyway", []string{hoursEnd, hoursEnd + "    holidays_of: [it]\n    not_holidays: [2026-12-26, 2026-12-27]\nholiday_sets: {it: [2026-12-26]}\n"}, "125:32 2026-12-27 is in none of the calendar's sets, so that it changes nothing\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			source := goodSource(t)
			for i := 0; i < len(c.edits); i += 2 {
				source = edited(t, source, c.edits[i], c.edits[i+1])
			}
			if diff := cmp.Diff(c.want, noticesOf(t, source)); diff != "" {
				t.Errorf("notices (-want +got):\n%s", diff)
			}
		})
	}
}
