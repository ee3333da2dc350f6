package feedback

import (
	"fmt"
	"slices"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/internal/ledger"
	"github.com/leadbaton/baton/services/lead"
)

// hints are the verdicts that suggest themselves, the likeliest first: what was not met
// at the handoff, what does not hold any more with what is known now, that nobody worked
// the lead in time, what was met and is contested all the same, and last that all was as
// agreed. Rules is the version that qualified the lead; nil = it is not known here, and
// then nothing is asked again.
func hints(d *dispute, e *feedbackv1.DisputeEvidence, events []*ledger.Event, rules *agreement.Agreement, now time.Time) []*feedbackv1.DisputeHint {
	var of hintList
	unmet := of.unmet(d, e)
	unsaid := of.contradicted(d, e, events, rules)
	unworked := of.unworked(d, e, events, now)
	if d.opened.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED {
		// What marketing asks comes before what it may have to answer for.
		slices.SortStableFunc(of, func(a, b *feedbackv1.DisputeHint) int {
			worked := func(h *feedbackv1.DisputeHint) int {
				if h.GetVerdict() == leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED {
					return 0
				}
				return 1
			}
			return worked(a) - worked(b)
		})
	}
	for _, id := range d.opened.GetCriteria() {
		if c := criterionOf(e, id); c.GetMet() && !of.about(id) {
			of.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_SHOULD_CHANGE, id, "%s held when it was handed over and still does, and sales contests it", named(c))
		}
	}
	if d.opened.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA && !unsaid {
		of.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR, "", "this is what is claimed; nothing in the log speaks for it or against it")
	}
	if !unmet && !unsaid && !unworked {
		of.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_AS_AGREED, "", "every criterion that had to hold did, and it was worked in time")
	}
	return of
}

type hintList []*feedbackv1.DisputeHint

func (l *hintList) add(v leadv1.DisputeVerdict, criterion, text string, args ...any) {
	*l = append(*l, &feedbackv1.DisputeHint{Verdict: v, Criterion: criterion, Text: fmt.Sprintf(text, args...)})
}

func (l *hintList) about(criterion string) bool {
	return slices.ContainsFunc(*l, func(h *feedbackv1.DisputeHint) bool { return h.GetCriterion() == criterion })
}

// unmet are criteria that did not hold and had to, or are contested.
func (l *hintList) unmet(d *dispute, e *feedbackv1.DisputeEvidence) (any bool) {
	for _, c := range e.GetExplanation().GetCriteria() {
		switch {
		case c.GetMet():
		case c.GetMust():
			l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, c.GetId(), "%s had to hold and did not when it was handed over", named(c))
			any = true
		case slices.Contains(d.opened.GetCriteria(), c.GetId()):
			l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, c.GetId(), "%s is contested and did not hold when it was handed over", named(c))
			any = true
		}
	}
	return any
}

// contradicted are criteria that held and do not hold with what is known now: by what a
// later call found out, the question was wrong; by what the sender corrected, the data.
func (l *hintList) contradicted(d *dispute, e *feedbackv1.DisputeEvidence, events []*ledger.Event, rules *agreement.Agreement) (any bool) {
	if rules == nil {
		return false
	}
	later := again(events, d.opened.GetHandoffSequence(), rules)
	for _, c := range e.GetExplanation().GetCriteria() {
		is := later[c.GetId()]
		if is == nil || !c.GetMet() || is.GetMet() {
			continue
		}
		any = true
		if c.GetQuestion() != "" || asked(c) {
			if e.GetQuestionnaireVersion() != "" {
				l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_WRONG_QUESTION, c.GetId(), "%s held by what the call found out, and a later call found %s", named(c), found(is))
				continue
			}
			l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_CRITERION_MISSING, c.GetId(), "%s held by what the call found out, and a later call found %s", named(c), found(is))
			continue
		}
		l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_DATA_ERROR, "", "%s held by what was stated then; now it is %s", named(c), found(is))
	}
	return any
}

// again asks every criterion of the agreement once more, with what is known of the lead
// now. What the person did is counted as it was at the handoff: that time has passed since
// contradicts nothing.
func again(events []*ledger.Event, handoffSeq uint64, rules *agreement.Agreement) map[string]*leadv1.Criterion {
	s, f := &lead.State{}, agreement.Facts{}
	for _, e := range events {
		s.Evolve(e.Body, e.Occurred, e.Recorded)
		if e.Seq == handoffSeq {
			f = agreement.FactsOf(s.Clone(), e.Recorded)
		}
	}
	f.Features = s.Features
	for _, c := range s.Calls {
		if c.GetQualifier() && c.GetReached() {
			f.Call = c
		}
	}
	lines := append(rules.Profile(f).Criteria, rules.Persona(f).Criteria...)
	if f.Call != nil {
		lines = append(lines, &leadv1.Criterion{Id: "fit", Met: f.Call.GetFitConfirmed(), Values: []*leadv1.NamedValue{{Name: "call.fit_confirmed", Value: yes(f.Call.GetFitConfirmed())}}})
		if f.Call.HorizonMonths != nil {
			inside := f.Call.GetHorizonMonths() <= rules.Horizon()
			lines = append(lines, &leadv1.Criterion{Id: "horizon", Met: inside, Values: []*leadv1.NamedValue{{Name: "call.horizon_months", Value: fmt.Sprint(f.Call.GetHorizonMonths())}}})
		}
		for _, stage := range []leadv1.Stage{leadv1.Stage_STAGE_SAL, leadv1.Stage_STAGE_SQL} {
			_, more, _ := rules.CallCriteria(stage, f)
			lines = append(lines, more...)
		}
	}
	out := make(map[string]*leadv1.Criterion, len(lines))
	for _, c := range lines {
		out[c.GetId()] = c
	}
	return out
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}

// unworked says that nobody touched the lead in the time that it had to be taken in.
func (l *hintList) unworked(d *dispute, e *feedbackv1.DisputeEvidence, events []*ledger.Event, now time.Time) bool {
	offer := &leadv1.LeadOffered{}
	for _, ev := range events {
		if b, ok := ev.Body.(*leadv1.LeadOffered); ok && ev.Seq == d.opened.GetHandoffSequence() {
			offer = b
		}
	}
	by := offer.GetTakeBy().AsTime()
	switch {
	case !now.After(by):
		return false
	case e.GetTouches() == 0 && e.GetReason() != "":
		l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, "", "it was rejected (%s), and nobody has touched it since it was handed over", e.GetReason())
	case e.GetTouches() == 0:
		l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, "", "nobody has touched it since; it had to be taken by %s", moment(by))
	case e.GetFirstTouchAt().AsTime().After(by):
		l.add(leadv1.DisputeVerdict_DISPUTE_VERDICT_MET_NOT_WORKED, "", "the first touch was on %s; it had to be taken by %s", moment(e.GetFirstTouchAt().AsTime()), moment(by))
	default:
		return false
	}
	return true
}

func criterionOf(e *feedbackv1.DisputeEvidence, id string) *leadv1.Criterion {
	for _, c := range e.GetExplanation().GetCriteria() {
		if c.GetId() == id {
			return c
		}
	}
	return nil
}

// asked says whether a criterion reads a call.
func asked(c *leadv1.Criterion) bool {
	return slices.ContainsFunc(c.GetValues(), func(v *leadv1.NamedValue) bool { return strings.HasPrefix(v.GetName(), "call.") })
}

// named is a criterion in words.
func named(c *leadv1.Criterion) string {
	if c.GetText() == "" {
		return c.GetId()
	}
	return fmt.Sprintf("%q", c.GetText())
}

// found is what a criterion found, in words.
func found(c *leadv1.Criterion) string {
	var out []string
	for _, v := range c.GetValues() {
		value := v.GetValue()
		if value == "" {
			value = "unknown"
		}
		out = append(out, v.GetName()+" "+value)
	}
	if len(out) == 0 {
		return "otherwise"
	}
	return strings.Join(out, ", ")
}
