package feedback

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/fault"
	"github.com/leadbaton/baton/services/lead"
)

// SignedTargets is what parties sign of a quarter, see agreement.SignedAs.
const SignedTargets = "targets"

// subjectQuarter is where the targets of a quarter stand.
func subjectQuarter(quarter string) string { return "org.target." + quarter }

// TargetOutcomeWord is what a target counts, as people write it.
func TargetOutcomeWord(o feedbackv1.TargetOutcome) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(o.String(), "TARGET_OUTCOME_")), "_", "-")
}

// TargetOutcomes are the outcomes that a target can count, in the order of the funnel.
func TargetOutcomes() (words []string) {
	for n := feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL; n <= feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE; n++ {
		words = append(words, TargetOutcomeWord(n))
	}
	return words
}

// TargetOutcome reads what a target counts. What people do is refused: a target is what
// comes of it.
func TargetOutcome(word string) (feedbackv1.TargetOutcome, error) {
	for n := feedbackv1.TargetOutcome_TARGET_OUTCOME_MQL; n <= feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE; n++ {
		if TargetOutcomeWord(n) == word {
			return n, nil
		}
	}
	return 0, fault.New(fault.Invalid, "%q is not an outcome; a target counts what comes of the work, not the work: %s", word, strings.Join(TargetOutcomes(), ", "))
}

// TargetAmount is a number of what a target counts, as people read it.
func TargetAmount(t *feedbackv1.Target, n int64) string {
	if t.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE {
		return lead.Money(n, t.GetCurrency())
	}
	return strconv.FormatInt(n, 10)
}

// stageOf is the stage whose definition a lead has to meet to count.
func stageOf(o feedbackv1.TargetOutcome) leadv1.Stage {
	switch o {
	case feedbackv1.TargetOutcome_TARGET_OUTCOME_SAL:
		return leadv1.Stage_STAGE_SAL
	case feedbackv1.TargetOutcome_TARGET_OUTCOME_SQL:
		return leadv1.Stage_STAGE_SQL
	}
	return leadv1.Stage_STAGE_MQL
}

// TargetsText is the text that the parties read and sign: all that is agreed, and
// nothing else. The same targets have the same text.
func TargetsText(p *feedbackv1.TargetsProposed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Targets of %s, revision %d\nfrom %s, before %s\n", p.GetQuarter(), p.GetRevision(), p.GetFrom().AsTime().Format(time.RFC3339), p.GetTo().AsTime().Format(time.RFC3339))
	for _, t := range p.GetTargets() {
		fmt.Fprintf(&b, "\n%s: %s of %s\n  as version %d of the agreement defines it\n", t.GetTargetId(), TargetAmount(t, t.GetCount()), TargetOutcomeWord(t.GetOutcome()), t.GetDefinition())
		if t.GetSegment() != "" {
			// Quoted, so that no segment can look like another line.
			fmt.Fprintf(&b, "  of leads with %q\n", t.GetSegment())
		}
		if t.GetParent() != "" {
			fmt.Fprintf(&b, "  part of %s\n", t.GetParent())
		}
		fmt.Fprintf(&b, "  answered for by %s of marketing and %s of sales\n", t.GetMarketing(), t.GetSales())
	}
	return b.String()
}

// TargetsDigest is what the parties sign of the text.
func TargetsDigest(p *feedbackv1.TargetsProposed) []byte {
	sum := sha256.Sum256([]byte(TargetsText(p)))
	return sum[:]
}

// CheckTargets holds proposed targets against what there is to name: versions answers a
// version of the agreement that both parties have signed, nil = there is none; known says
// whether somebody is a member, nil = nobody can say. The fault names everything that is
// wrong.
func CheckTargets(targets []*feedbackv1.Target, versions func(int64) *agreement.Agreement, known func(handle string) bool) error {
	var wrong []string
	byID := map[string]*feedbackv1.Target{}
	for _, t := range targets {
		id := t.GetTargetId()
		add := func(format string, args ...any) {
			wrong = append(wrong, "target "+id+": "+fmt.Sprintf(format, args...))
		}
		if byID[id] != nil {
			add("there are two of this name; name each once")
			continue
		}
		byID[id] = t
		switch value := t.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE; {
		case value && t.GetCurrency() == "":
			add("a value needs its currency, such as EUR")
		case !value && t.GetCurrency() != "":
			add("it counts leads, and only a value (won-value) has a currency")
		}
		if rules := versions(t.GetDefinition()); rules == nil {
			add("there is no version %d of the agreement that both parties have signed", t.GetDefinition())
		} else if _, err := rules.Segment(t.GetSegment()); err != nil {
			add("segment, by version %d of the agreement: %s", t.GetDefinition(), err.Error())
		}
		for _, of := range []struct{ department, handle string }{{agreement.Marketing, t.GetMarketing()}, {agreement.Sales, t.GetSales()}} {
			if known != nil && !known(of.handle) {
				add("%s, who answers for it in %s, is nobody who works here; baton people list shows who does", of.handle, of.department)
			}
		}
	}
	for _, t := range targets {
		if text := misplaced(t, byID); text != "" {
			wrong = append(wrong, "target "+t.GetTargetId()+": "+text)
		}
	}
	if len(wrong) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(wrong, "; "))
	}
	return nil
}

// misplaced says what is wrong with the target that another is a part of; empty =
// nothing is.
func misplaced(t *feedbackv1.Target, byID map[string]*feedbackv1.Target) string {
	if t.GetParent() == "" {
		return ""
	}
	parent := byID[t.GetParent()]
	switch {
	case parent == nil:
		return fmt.Sprintf("it is part of %s, which is no target of this proposal", t.GetParent())
	case parent.GetOutcome() != t.GetOutcome() || parent.GetCurrency() != t.GetCurrency():
		return fmt.Sprintf("it is part of %s, which counts something else (%s)", t.GetParent(), TargetOutcomeWord(parent.GetOutcome()))
	}
	for range byID {
		if parent == t {
			return "it is part of itself"
		}
		if parent = byID[parent.GetParent()]; parent == nil {
			return ""
		}
	}
	// A ring above it, which is told of its own members.
	return ""
}
