package lead

import (
	"strconv"
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// StateWord is a state as one lower-case word, the same everywhere.
func StateWord(s leadv1.State) string {
	if s == leadv1.State_STATE_UNSPECIFIED {
		return "unknown"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}

// StageWord is a stage by the field's term.
func StageWord(s leadv1.Stage) string {
	if s == leadv1.Stage_STAGE_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(s.String(), "STAGE_")
}

// WaitsFor is what a held or waiting lead waits for, by the rule that blocks it,
// in words that follow "waits for".
func WaitsFor(rule string) string {
	switch rule {
	case "off-duty":
		return "working hours"
	case "ending":
		return "the next shift"
	case "absent":
		return "somebody to sign in"
	case "full":
		return "free capacity"
	case "capped":
		return "the next day, week or month"
	case "lacks":
		return "somebody who knows what it needs"
	case "owner":
		return "the person whose it is"
	case "claim":
		return "somebody to claim it"
	case "away":
		return "somebody to come back"
	case "declined":
		return "somebody else to take it"
	case "empty-pool":
		return "people in its pool"
	case "no-handoff":
		return "a handoff rule that takes it"
	case "no-agreement":
		return "an agreement in force"
	}
	return rule
}

// NotNamed is the reason of somebody whom a decision on a large pool does not name: it
// is not known whether they could have taken the lead.
const NotNamed = "not-named"

// WhyNot is why a lead went to somebody else, by the reason that a decision recorded, in
// words that follow "because".
func WhyNot(reason string) string {
	switch reason {
	case "not-in-turn":
		return "it was somebody else's turn"
	case "away":
		return "they were away"
	case "deactivated":
		return "they had left every pool"
	case "not-in-group":
		return "no pool of its group is theirs"
	case "off-duty":
		return "they were off duty"
	case "ending":
		return "their shift was about to end"
	case "absent":
		return "they were not signed in"
	case "full":
		return "they held as many leads as agreed"
	case "capped":
		return "they had as many as agreed for the period"
	case "lacks":
		return "they do not know what it needs"
	case "declined":
		return "they had declined it"
	case "timed-out":
		return "they had let it run out"
	case "returned":
		return "they had sent it back to marketing"
	case "excluded":
		return "whoever moved it left them out"
	case "not-known":
		return "they were never added"
	case NotNamed:
		return "the pool is too large to record why for each"
	case "later":
		return "somebody comes first in the agreed order"
	case "owner":
		return "it is somebody else's"
	case "by-hand":
		return "somebody gave it to another by hand"
	case "fallback":
		return "the agreed stand-in got it"
	case "claimed":
		return "somebody else claimed it"
	case "claim":
		return "nobody has claimed it"
	}
	return reason
}

// Unnamed says how many more were considered for a lead than its last decision names:
// of a large pool not each is. Empty = each is named.
func Unnamed(counts *leadv1.CandidateCounts, named []*leadv1.Candidate) string {
	if counts == nil {
		return ""
	}
	able, reasons := counts.GetEligible(), map[string]int64{}
	for _, c := range named {
		if c.GetEligible() {
			able--
		}
		reasons[c.GetReason()]++
	}
	var parts []string
	if able > 0 {
		parts = append(parts, strconv.FormatInt(able, 10)+" more could have taken it")
	}
	for _, r := range counts.GetReasons() {
		if n := r.GetPeople() - reasons[r.GetReason()]; n > 0 {
			parts = append(parts, strconv.FormatInt(n, 10)+" more could not: "+WhyNot(r.GetReason()))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "Of " + strconv.FormatInt(counts.GetPeople(), 10) + " people not each is named: " + strings.Join(parts, "; ") + "."
}
