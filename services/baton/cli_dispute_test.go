package main

import (
	"strings"
	"testing"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

// What is typed in a review: the keys are as many as the verdicts, and what is about a
// criterion wants its letter.
func TestAVerdictIsTyped(t *testing.T) {
	if len(reviewKeys) != len(lead.Rulings()) {
		t.Fatalf("%d keys for %d verdicts", len(reviewKeys), len(lead.Rulings()))
	}
	d := &feedbackv1.Dispute{DisputeId: "c-1", Evidence: &feedbackv1.DisputeEvidence{
		Explanation: &leadv1.Explanation{Criteria: []*leadv1.Criterion{{Id: "region"}, {Id: "size"}}},
		Hints: []*feedbackv1.DisputeHint{
			{Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, Criterion: "size"},
			{Verdict: leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED},
		},
	}}
	for typed, want := range map[string]string{
		"": "criterion-missing size", "1": "criterion-missing size", "2": "met-not-worked", "ma": "criterion-missing region", "cb": "criterion-should-change size", "n": "met-not-worked", "d": "data-error", "o": "as-agreed",
		"s": "!later", "x": "!end", "3": "!There are 2", "0": "!There are 2", "m": "!Say which", "mc": "!Say which", "mA": "!Say which", "na": "!That verdict is about no", "zz": "!That is none", "mab": "!That is none",
	} {
		req, why := verdictTyped(typed, d)
		got := "!" + why
		if why == "" {
			got = strings.TrimSpace(lead.VerdictWord(req.GetVerdict()) + " " + req.GetCriterion())
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q is read as %q; want %q", typed, got, want)
		}
	}
	d.Evidence.Hints = nil
	if _, why := verdictTyped("", d); !strings.HasPrefix(why, "Nothing suggests itself") {
		t.Errorf("Enter without a suggestion: %q", why)
	}
}

func TestDisputeCommandsAreReadStrictly(t *testing.T) {
	for _, line := range []string{
		"dispute open", "dispute open l --claim mood", "dispute open l --offer -1", "dispute answer c", "dispute answer c --agree --contest",
		"dispute decide c", "dispute decide c --verdict mood", "dispute draw", "dispute draw --from yesterdayish", "dispute draw --from 2026-03-02 --size 101", "dispute show",
	} {
		if r := run(t, strings.Fields(line)...); r.status != statusUsage {
			t.Errorf("baton %s ended with %d: %s", line, r.status, r.err)
		}
	}
}
