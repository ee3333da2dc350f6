package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/access"
	"github.com/leadbaton/baton/services/lead"
)

// disputesShown is how many cases one page lists.
const disputesShown = 50

type disputesView struct {
	Decided, Review bool
	Cases           []disputeRow
	// Next leads to the next page; empty = there is none.
	Next string
}

type disputeRow struct {
	ID, Lead, State, Claim, By, Arbiter, Verdict, Finding string
	Opened, Due                                           time.Time
	Review                                                bool
}

func disputePath(id string) string { return "/disputes/" + url.PathEscape(id) }

func (c *console) showDisputes(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	view := disputesView{Decided: q.Get("decided") == "yes", Review: q.Get("review") == "yes"}
	got, err := v.feedback.ListDisputes(r.Context(), &feedbackv1.ListDisputesRequest{PageSize: disputesShown, PageToken: q.Get("page"), Decided: view.Decided, Review: view.Review})
	if err != nil {
		return err
	}
	for _, d := range got.GetDisputes() {
		o := d.GetOpened()
		row := disputeRow{
			ID: d.GetDisputeId(), Lead: d.GetLeadId(), State: d.GetState(), Claim: claimText(o), By: o.GetParty(), Arbiter: o.GetArbiter(),
			Opened: instant(d.GetOpenedAt()), Finding: d.GetDecided().GetFinding(), Review: o.GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW,
		}
		if d.GetDecided() != nil {
			row.Verdict = verdictText(d.GetDecided().GetVerdict())
		} else {
			row.Due = disputeStep(d)
		}
		view.Cases = append(view.Cases, row)
	}
	if token := got.GetNextPageToken(); token != "" {
		q.Set("page", token)
		view.Next = "/disputes?" + q.Encode()
	}
	c.render(w, r, http.StatusOK, "disputes", v.session, pageData{Title: "Disputes", Nav: "disputes", Body: view})
	return nil
}

// disputeStep is when somebody is told next that a case lies; zero = nobody is.
func disputeStep(d *feedbackv1.Dispute) time.Time {
	if n := len(d.GetEscalated()); n > 0 {
		return instant(d.GetEscalated()[n-1].GetNextAt())
	}
	return instant(d.GetOpened().GetEscalateAt())
}

func claimText(o *leadv1.DisputeOpened) string {
	switch o.GetClaim() {
	case leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED:
		return "not as agreed"
	case leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED:
		return "as agreed and not worked"
	case leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA:
		return "wrong data"
	case leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW:
		return "drawn for review"
	}
	return lead.ClaimWord(o.GetClaim())
}

func verdictText(v leadv1.DisputeVerdict) string {
	if r, ok := lead.RulingOf(v); ok {
		return r.Text
	}
	return lead.VerdictWord(v)
}

type disputeView struct {
	*feedbackv1.Dispute
	Claim, Verdict string
	Opened, Next   time.Time
	Handed, First  time.Time
	Notes          [3]string
	Plain          map[string]string
	Hints          []hintChoice
	Rulings        []rulingChoice
	// Answer and Decide say what the reader may do; Key makes a form that is sent twice
	// harmless.
	Answer, Decide bool
	Key            string
	Problem        string
	// Note is what was typed.
	Note string
}

type hintChoice struct{ Choice, Title, Criterion, Text string }

type rulingChoice struct {
	Word, Title string
	Criterion   bool
}

func (c *console) showDispute(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.renderDispute(w, r, v, http.StatusOK, "", "")
}

func (c *console) renderDispute(w http.ResponseWriter, r *http.Request, v *visit, code int, problem, note string) error {
	d, err := v.feedback.GetDispute(r.Context(), &feedbackv1.GetDisputeRequest{DisputeId: r.PathValue("case")})
	if err != nil {
		return err
	}
	view := disputeView{
		Dispute: d, Claim: claimText(d.GetOpened()), Opened: instant(d.GetOpenedAt()), Handed: instant(d.GetEvidence().GetHandedAt()),
		First: instant(d.GetEvidence().GetFirstTouchAt()), Key: rand.Text(), Problem: problem, Note: note,
		Answer: mayAnswer(v.reader, d), Decide: mayDecide(v.reader, d),
	}
	copy(view.Notes[:], d.GetNotes())
	if d.GetDecided() == nil {
		view.Next = disputeStep(d)
	} else {
		view.Verdict = verdictText(d.GetDecided().GetVerdict())
	}
	for _, h := range d.GetEvidence().GetHints() {
		view.Hints = append(view.Hints, hintChoice{Choice: lead.VerdictWord(h.GetVerdict()) + " " + h.GetCriterion(), Title: verdictText(h.GetVerdict()), Criterion: h.GetCriterion(), Text: h.GetText()})
	}
	for _, ruling := range lead.Rulings() {
		view.Rulings = append(view.Rulings, rulingChoice{lead.VerdictWord(ruling.Verdict), ruling.Text, ruling.Criterion})
	}
	c.render(w, r, code, "dispute", v.session, pageData{Title: "Case " + d.GetDisputeId(), Nav: "disputes", Body: view})
	return nil
}

// mayAnswer says whether a case is offered to a reader to answer, and mayDecide to decide.
// Who may in truth is for the services to say; where it is not known who reads, the forms
// are there.
func mayAnswer(reader access.Actor, d *feedbackv1.Dispute) bool {
	if d.GetDecided() != nil || d.GetAnswered() != nil || reader.Handle != "" && (reader.Handle == d.GetOpenedBy() || reader.Handle == d.GetOpened().GetArbiter()) {
		return false
	}
	switch d.GetOpened().GetParty() {
	case "marketing":
		return reader.Handle == "" || reader.Has(access.Sales, access.Qualifier)
	case "sales":
		return reader.Handle == "" || reader.Has(access.Marketing)
	}
	return false
}

func mayDecide(reader access.Actor, d *feedbackv1.Dispute) bool {
	review := d.GetOpened().GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW
	switch {
	case d.GetDecided() != nil:
		return false
	case reader.Handle == "" || reader.Handle == d.GetOpened().GetArbiter() || reader.Has(access.Arbiter):
		return true
	case d.GetAnswered().GetAgrees() && reader.Has(access.Marketing, access.Sales):
		return true
	}
	return review && reader.Has(access.Manager)
}

// answerDispute says as the other side whether it is so.
func (c *console) answerDispute(w http.ResponseWriter, r *http.Request, v *visit) error {
	said := r.PostFormValue("agrees")
	err := status.Error(codes.InvalidArgument, "An answer says whether it is so or not.")
	if said == "yes" || said == "no" {
		_, err = v.feedback.AnswerDispute(r.Context(), &feedbackv1.AnswerDisputeRequest{
			DisputeId: r.PathValue("case"), Agrees: said == "yes", Note: strings.TrimSpace(r.PostFormValue("note")), IdempotencyKey: r.PostFormValue("key"),
		})
	}
	return c.settled(w, r, v, err, "Your answer is recorded.", disputePath(r.PathValue("case")))
}

// decideDispute closes a case with a verdict: one that suggests itself by one button, or
// any. After one that was drawn for review comes the next.
func (c *console) decideDispute(w http.ResponseWriter, r *http.Request, v *visit) error {
	word, criterion := r.PostFormValue("verdict"), r.PostFormValue("criterion")
	if choice := r.PostFormValue("choice"); choice != "" {
		word, criterion, _ = strings.Cut(choice, " ")
	}
	req := &feedbackv1.DecideDisputeRequest{DisputeId: r.PathValue("case"), Note: strings.TrimSpace(r.PostFormValue("note")), IdempotencyKey: r.PostFormValue("key")}
	for _, ruling := range lead.Rulings() {
		if lead.VerdictWord(ruling.Verdict) == word {
			req.Verdict = ruling.Verdict
			if ruling.Criterion {
				req.Criterion = criterion
			}
		}
	}
	err := status.Error(codes.InvalidArgument, "A case is closed by one of the verdicts.")
	var done *feedbackv1.Dispute
	if req.GetVerdict() != leadv1.DisputeVerdict_DISPUTE_VERDICT_UNSPECIFIED {
		done, err = v.feedback.DecideDispute(r.Context(), req)
	}
	to := disputePath(r.PathValue("case"))
	said := "Case " + done.GetDisputeId() + " is decided: a finding against " + done.GetDecided().GetFinding() + "."
	if err == nil && done.GetOpened().GetClaim() == leadv1.DisputeClaim_DISPUTE_CLAIM_REVIEW {
		to = "/disputes"
		next, err := v.feedback.ListDisputes(r.Context(), &feedbackv1.ListDisputesRequest{Review: true, PageSize: 1})
		if err == nil && len(next.GetDisputes()) > 0 {
			to = disputePath(next.GetDisputes()[0].GetDisputeId())
			said += " This is the next one."
		}
	}
	return c.settled(w, r, v, err, said, to)
}

// settled leads on after success, and otherwise back to the case with what stood against
// it.
func (c *console) settled(w http.ResponseWriter, r *http.Request, v *visit, err error, said, to string) error {
	if err == nil {
		c.sessions.say(v.session, said)
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderDispute(w, r, v, code, strings.TrimSpace(title+". "+text), r.PostFormValue("note"))
}

type newDisputeView struct {
	Lead, Key string
	// Claims are what the reader's department can claim; Criteria those of the lead as it
	// stands.
	Claims   []claimChoice
	Criteria []*leadv1.Criterion
	Problem  string
	Note     string
}

type claimChoice struct{ Word, Title string }

func (c *console) showNewDispute(w http.ResponseWriter, r *http.Request, v *visit) error {
	return c.renderNewDispute(w, r, v, http.StatusOK, "")
}

func (c *console) renderNewDispute(w http.ResponseWriter, r *http.Request, v *visit, code int, problem string) error {
	l, err := v.leads.GetLead(r.Context(), &leadv1.GetLeadRequest{LeadId: r.PathValue("id")})
	if err != nil {
		return err
	}
	view := newDisputeView{Lead: l.GetLeadId(), Key: rand.Text(), Criteria: l.GetExplanation().GetCriteria(), Problem: problem, Note: r.PostFormValue("note")}
	for _, claim := range claimsFor(v.reader) {
		view.Claims = append(view.Claims, claimChoice{lead.ClaimWord(claim), claimText(&leadv1.DisputeOpened{Claim: claim})})
	}
	c.render(w, r, code, "newdispute", v.session, pageData{Title: "Dispute a handoff", Nav: "disputes", Body: view})
	return nil
}

// claimsFor are the claims of a reader's department.
func claimsFor(reader access.Actor) (out []leadv1.DisputeClaim) {
	if reader.Handle == "" || reader.Has(access.Sales, access.Qualifier) {
		out = append(out, leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_AS_AGREED)
	}
	if reader.Handle == "" || reader.Has(access.Marketing) {
		out = append(out, leadv1.DisputeClaim_DISPUTE_CLAIM_NOT_WORKED)
	}
	if len(out) > 0 {
		out = append(out, leadv1.DisputeClaim_DISPUTE_CLAIM_WRONG_DATA)
	}
	return out
}

// openDispute opens a case on a lead's last handoff.
func (c *console) openDispute(w http.ResponseWriter, r *http.Request, v *visit) error {
	if err := r.ParseForm(); err != nil {
		return status.Error(codes.InvalidArgument, "The form cannot be read.")
	}
	req := &feedbackv1.OpenDisputeRequest{LeadId: r.PathValue("id"), Criteria: r.PostForm["criterion"], Note: strings.TrimSpace(r.PostFormValue("note")), IdempotencyKey: r.PostFormValue("key")}
	for _, claim := range claimsFor(access.Actor{}) {
		if lead.ClaimWord(claim) == r.PostFormValue("claim") {
			req.Claim = claim
		}
	}
	d, err := v.feedback.OpenDispute(r.Context(), req)
	if err == nil {
		c.sessions.say(v.session, "Case "+d.GetDisputeId()+" is open.")
		http.Redirect(w, r, disputePath(d.GetDisputeId()), http.StatusSeeOther)
		return nil
	}
	if c := status.Code(err); c == codes.Unauthenticated || c == codes.NotFound {
		return err
	}
	code, title, text := explain(err)
	return c.renderNewDispute(w, r, v, code, strings.TrimSpace(title+". "+text))
}
