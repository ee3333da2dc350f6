package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/lead"
)

// targetsView is one quarter: what both departments want of it, how far it is, and what
// is to be done next.
type targetsView struct {
	Quarters []quarterLink
	// Quarter is the one that is shown; empty = there is none.
	Quarter  string
	From, To time.Time
	ClosedAt time.Time
	// Agreed says that both have signed: only then there are targets.
	Agreed bool
	// Next is what has to be done, each as a sentence with the command that does it.
	Next    []nextStep
	Targets []targetRow
	// Restated are the numbers of the later counts, for the head of the table.
	Restated []int32
	Sequence uint64
	// Waiting is the text that waits for signatures; empty = none does.
	Waiting    string
	Recoveries []recoveryRow
}

type quarterLink struct {
	Name    string
	Current bool
}

type nextStep struct{ Text, Command string }

type targetRow struct {
	ID, Counts, Segment, Part, Marketing, Sales string
	Definition                                  int64
	Agreed, Now, Missing, Stated, MissedBy      string
	Restated                                    []string
	Way                                         *feedbackv1.TargetResult
}

type recoveryRow struct {
	Target, Member, Plan string
	Due                  time.Time
}

func (c *console) showTargets(w http.ResponseWriter, r *http.Request, v *visit) error {
	list, err := v.feedback.ListQuarters(r.Context(), &feedbackv1.ListQuartersRequest{})
	if err != nil {
		return err
	}
	st, statusErr := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	if err := withdrawn(statusErr); err != nil {
		return err
	}
	view := targetsView{}
	wanted := r.URL.Query().Get("quarter")
	if wanted == "" {
		wanted = currentQuarter(list.GetQuarters(), c.systemTime(st))
	}
	for _, q := range list.GetQuarters() {
		view.Quarters = append(view.Quarters, quarterLink{q.GetQuarter(), q.GetQuarter() == wanted})
	}
	if wanted != "" {
		q, err := v.feedback.GetQuarter(r.Context(), &feedbackv1.GetQuarterRequest{Quarter: wanted})
		if err != nil {
			return err
		}
		view.show(q, c.systemTime(st))
	}
	c.render(w, r, http.StatusOK, "targets", v.session, pageData{Title: "Targets", Nav: "targets", Body: view})
	return nil
}

// currentQuarter is the one to begin with: the one that runs now, or the latest.
func currentQuarter(list []*feedbackv1.Quarter, now time.Time) string {
	for _, q := range list {
		if !now.Before(instant(q.GetFrom())) && now.Before(instant(q.GetTo())) {
			return q.GetQuarter()
		}
	}
	if len(list) > 0 {
		return list[0].GetQuarter()
	}
	return ""
}

func (t *targetsView) show(q *feedbackv1.Quarter, now time.Time) {
	t.Quarter, t.Agreed, t.Sequence = q.GetQuarter(), q.GetAgreed(), q.GetSequence()
	t.From, t.To, t.ClosedAt = instant(q.GetFrom()), instant(q.GetTo()), instant(q.GetClosedAt())
	for _, r := range q.GetRestated() {
		t.Restated = append(t.Restated, r.GetNumber())
	}
	for i, target := range q.GetProposed().GetTargets() {
		row := targetRow{
			ID: target.GetTargetId(), Counts: outcomeWord(target.GetOutcome()), Segment: target.GetSegment(), Part: target.GetParent(),
			Marketing: target.GetMarketing(), Sales: target.GetSales(), Definition: target.GetDefinition(), Agreed: amountOf(target, target.GetCount()),
		}
		if i < len(q.GetNow()) {
			row.Way = q.GetNow()[i]
			row.Now, row.Missing = amountOf(target, row.Way.GetResult()), shortfall(target, row.Way)
		}
		if stated := q.GetClosed().GetResults(); i < len(stated) {
			row.Stated, row.MissedBy = amountOf(target, stated[i].GetResult()), shortfall(target, stated[i])
		}
		for _, r := range q.GetRestated() {
			row.Restated = append(row.Restated, amountOf(target, r.GetResults()[i].GetResult()))
		}
		t.Targets = append(t.Targets, row)
	}
	for _, r := range q.GetRecoveries() {
		t.Recoveries = append(t.Recoveries, recoveryRow{r.GetTargetId(), r.GetMember(), r.GetPlan(), instant(r.GetDueAt())})
	}
	signatures := q.GetSignatures()
	switch {
	case q.GetNext() != nil:
		t.Waiting, signatures = q.GetNextText(), q.GetNextSignatures()
	case !q.GetAgreed():
		t.Waiting = q.GetText()
	}
	t.next(q, signatures, now)
}

// next says what has to be done about a quarter.
func (t *targetsView) next(q *feedbackv1.Quarter, signatures []*feedbackv1.TargetsSigned, now time.Time) {
	if t.Waiting != "" && q.GetClosed() == nil {
		for _, party := range []string{"marketing", "sales"} {
			signed := false
			for _, s := range signatures {
				signed = signed || s.GetParty() == party
			}
			if !signed {
				t.Next = append(t.Next, nextStep{"The signature of " + party + " is missing.", "baton target sign " + q.GetQuarter() + " --as " + party + " --key " + party + ".key"})
			}
		}
	}
	if q.GetAgreed() && q.GetClosed() == nil && !now.Before(t.To) {
		t.Next = append(t.Next, nextStep{"The quarter is over and not closed.", "baton quarter close " + q.GetQuarter()})
	}
	for _, id := range q.GetUnplanned() {
		t.Next = append(t.Next, nextStep{"Target " + id + " was missed and has no owner and no plan; until it has, nobody signs for a later quarter.", "baton quarter recover " + q.GetQuarter() + " " + id + " --owner HANDLE --by DATE --plan TEXT"})
	}
}

// outcomeWord is what a target counts.
func outcomeWord(o feedbackv1.TargetOutcome) string {
	switch o {
	case feedbackv1.TargetOutcome_TARGET_OUTCOME_ACCEPTED:
		return "accepted"
	case feedbackv1.TargetOutcome_TARGET_OUTCOME_WON:
		return "won"
	case feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE:
		return "value of deals won"
	}
	return strings.TrimPrefix(o.String(), "TARGET_OUTCOME_")
}

func amountOf(t *feedbackv1.Target, n int64) string {
	if t.GetOutcome() == feedbackv1.TargetOutcome_TARGET_OUTCOME_WON_VALUE {
		return lead.Money(n, t.GetCurrency())
	}
	return strconv.FormatInt(n, 10)
}

// shortfall is what a result lacks; empty = nothing.
func shortfall(t *feedbackv1.Target, r *feedbackv1.TargetResult) string {
	if !r.GetMissed() {
		return ""
	}
	return amountOf(t, r.GetAgreed()-r.GetResult())
}
