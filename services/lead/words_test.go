package lead

import "testing"

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
