package lead

import (
	"slices"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Ruling is a verdict on a dispute: against whom the finding is, and whether it is about
// a criterion of the handoff.
type Ruling struct {
	Verdict leadv1.DisputeVerdict
	// Finding is "marketing", "sales", "agreement" or "nobody".
	Finding   string
	Criterion bool
	// Text is what it says, in words.
	Text string
}

// Rulings are how a dispute can be decided, in the order in which they are offered.
func Rulings() []Ruling {
	return []Ruling{
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, "marketing", true, "a criterion was not met"},
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION, "marketing", true, "the questionnaire asked the wrong question"},
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_SHOULD_CHANGE, "agreement", true, "the criterion itself should change"},
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, "sales", false, "the definition was met and the lead was not worked"},
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR, "nobody", false, "the data was wrong"},
		{leadv1.DisputeVerdict_DISPUTE_VERDICT_AS_AGREED, "nobody", false, "it was as agreed and was worked"},
	}
}

// RulingOf answers what a verdict means.
func RulingOf(v leadv1.DisputeVerdict) (Ruling, bool) {
	all := Rulings()
	i := slices.IndexFunc(all, func(r Ruling) bool { return r.Verdict == v })
	if i < 0 {
		return Ruling{}, false
	}
	return all[i], true
}

// VerdictWord is a verdict as people write it, such as criterion-missing.
func VerdictWord(v leadv1.DisputeVerdict) string { return word(v.String(), "DISPUTE_VERDICT_") }

// ClaimWord is a claim as people write it, such as not-as-agreed.
func ClaimWord(c leadv1.DisputeClaim) string { return word(c.String(), "DISPUTE_CLAIM_") }

func word(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", "-")
}
