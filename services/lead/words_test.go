package lead

import (
	"testing"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// What a lead waits for is said in words; a rule that nobody knows stands as it is.
func TestWaitsForSaysEachRuleInWords(t *testing.T) {
	for rule, want := range map[string]string{
		"off-duty": "working hours", "full": "free capacity", "away": "somebody to come back", "declined": "somebody else to take it",
		"empty-pool": "people in its pool", "no-handoff": "a handoff rule that takes it", "no-agreement": "an agreement in force",
		"ending": "the next shift", "absent": "somebody to sign in", "capped": "the next day, week or month", "lacks": "somebody who knows what it needs",
		"owner": "the person whose it is", "claim": "somebody to claim it",
		"other": "other", "": "",
	} {
		if got := WaitsFor(rule); got != want {
			t.Errorf("%q waits for %q, want %q", rule, got, want)
		}
	}
}

// Why somebody did not get a lead is said in words for every reason that the contract
// names.
func TestWhyNotSaysEachReasonInWords(t *testing.T) {
	for _, reason := range []string{
		"away", "deactivated", "off-duty", "ending", "absent", "full", "capped", "lacks", "declined", "timed-out", "returned", "excluded", "not-known", "later",
		"not-in-turn", "not-named", "owner", "by-hand", "fallback", "claimed", "claim",
	} {
		if got := WhyNot(reason); got == reason || got == "" {
			t.Errorf("%q is said as %q", reason, got)
		}
	}
	if got := WhyNot("other"); got != "other" {
		t.Errorf("a reason that nobody knows is said as %q", got)
	}
}

// Of a large pool it is said how many more there were than are named.
func TestUnnamed(t *testing.T) {
	counts := &leadv1.CandidateCounts{People: 100, Eligible: 90, Reasons: []*leadv1.ReasonCount{{Reason: "away", People: 9}, {Reason: "full", People: 1}}}
	named := []*leadv1.Candidate{{Member: "ana", Eligible: true}, {Member: "ben", Reason: "away"}, {Member: "cy", Reason: "full"}}
	if got, want := Unnamed(counts, named), "Of 100 people not each is named: 89 more could have taken it; 8 more could not: they were away."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Unnamed(nil, named); got != "" {
		t.Errorf("where each is named it is said that %q", got)
	}
}
