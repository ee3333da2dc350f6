package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	"github.com/leadbaton/baton/services/internal/access"
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
	// Close, Restate and Recover are forms for a reader who may; Unplanned are the targets
	// that want a plan, Key makes a form that is sent twice harmless.
	Close, Restate, Recover bool
	Unplanned               []string
	Key, Problem            string
	// NextQuarter is the one after the latest, for the command that proposes it.
	NextQuarter string
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
	return c.renderTargets(w, r, v, http.StatusOK, r.URL.Query().Get("quarter"), "")
}

func (c *console) renderTargets(w http.ResponseWriter, r *http.Request, v *visit, code int, wanted, problem string) error {
	list, err := v.feedback.ListQuarters(r.Context(), &feedbackv1.ListQuartersRequest{})
	if err != nil {
		return err
	}
	st, statusErr := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	if err := withdrawn(statusErr); err != nil {
		return err
	}
	view := targetsView{Key: rand.Text(), Problem: problem, NextQuarter: afterThat(list.GetQuarters(), c.systemTime(st))}
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
		view.offer(q, v.reader, c.systemTime(st))
	}
	c.render(w, r, code, "targets", v.session, pageData{Title: "Targets", Nav: "targets", Body: view})
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

// afterThat is the quarter that comes after the latest with targets, or else after that of
// now; the calendar's year is near enough for an example of a command.
func afterThat(list []*feedbackv1.Quarter, now time.Time) string {
	year, quarter := now.UTC().Year(), (int(now.UTC().Month())+2)/3
	if len(list) > 0 {
		if _, err := fmt.Sscanf(list[0].GetQuarter(), "%d-q%d", &year, &quarter); err == nil {
			quarter++
		}
	}
	if quarter > 4 {
		year, quarter = year+1, 1
	}
	return fmt.Sprintf("%d-q%d", year, quarter)
}

// offer shows a reader the forms of what they may do about a quarter. Who may in truth is
// for the services to say; where it is not known who reads, the forms are there.
func (t *targetsView) offer(q *feedbackv1.Quarter, reader access.Actor, now time.Time) {
	closes := reader.Handle == "" || reader.Has(access.Manager, access.Operator)
	t.Close = closes && q.GetAgreed() && q.GetClosed() == nil && !now.Before(t.To)
	t.Restate = closes && q.GetClosed() != nil
	t.Recover = len(t.Unplanned) > 0 && (reader.Handle == "" || reader.Has(access.Manager, access.Marketing, access.Sales))
}

// closeQuarter states what became of a quarter's targets.
func (c *console) closeQuarter(w http.ResponseWriter, r *http.Request, v *visit) error {
	_, err := v.feedback.CloseQuarter(r.Context(), &feedbackv1.CloseQuarterRequest{Quarter: r.PathValue("quarter"), IdempotencyKey: r.PostFormValue("key")})
	return c.stated(w, r, v, err, "The quarter is closed; what is stated stays.")
}

// restateQuarter counts a closed quarter anew.
func (c *console) restateQuarter(w http.ResponseWriter, r *http.Request, v *visit) error {
	_, err := v.feedback.RestateQuarter(r.Context(), &feedbackv1.RestateQuarterRequest{
		Quarter: r.PathValue("quarter"), Why: strings.TrimSpace(r.PostFormValue("why")), IdempotencyKey: r.PostFormValue("key"),
	})
	return c.stated(w, r, v, err, "It is counted anew; both figures stand beside each other.")
}

// planRecovery says who makes good for a target that was missed.
func (c *console) planRecovery(w http.ResponseWriter, r *http.Request, v *visit) error {
	due, err := dayOf(strings.TrimSpace(r.PostFormValue("by")))
	if err == nil {
		_, err = v.feedback.PlanRecovery(r.Context(), &feedbackv1.PlanRecoveryRequest{
			Quarter: r.PathValue("quarter"), TargetId: r.PostFormValue("target"), Member: strings.TrimSpace(r.PostFormValue("owner")),
			DueAt: due, Plan: strings.TrimSpace(r.PostFormValue("plan")), IdempotencyKey: r.PostFormValue("key"),
		})
	}
	return c.stated(w, r, v, err, "The plan is recorded.")
}

// stated leads back to the quarter, with what stood against it.
func (c *console) stated(w http.ResponseWriter, r *http.Request, v *visit, err error, said string) error {
	quarter := r.PathValue("quarter")
	if err == nil {
		c.sessions.say(v.session, said)
		http.Redirect(w, r, "/targets?quarter="+url.QueryEscape(quarter), http.StatusSeeOther)
		return nil
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderTargets(w, r, v, code, quarter, strings.TrimSpace(title+". "+text))
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
	t.Unplanned = q.GetUnplanned()
	for _, id := range t.Unplanned {
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
		return money(n, t.GetCurrency())
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
