package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/lead"
)

// lineShownHere is how many waiting leads the page of the line shows at once.
const lineShownHere = 100

// lineView is every lead that is with nobody, and why.
type lineView struct {
	Now   time.Time
	Pools []choice
	Leads []lineRow
	// Next and First lead to other pages; empty where there is none.
	Next, First string
	Filtered    bool
	Move        *moveForm
	UndoKey     string
}

type lineRow struct {
	ID, Pool, WaitsFor, Text, Key string
	Since, LookAgain, Fallback    time.Time
	Claimable                     bool
}

func (c *console) showLine(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	got, err := v.routing.ListQueue(r.Context(), &routingv1.ListQueueRequest{PageSize: lineShownHere, Pool: q.Get("pool"), PageToken: q.Get("page")})
	if err != nil {
		return err
	}
	st, statusErr := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	agreed, agreedErr := v.agreement.GetAgreement(r.Context(), &agreementv1.GetAgreementRequest{})
	if err := withdrawn(statusErr, agreedErr); err != nil {
		return err
	}
	titles := titlesOf(agreed)
	view := lineView{Now: c.systemTime(st), Filtered: q.Get("pool") != "", UndoKey: rand.Text()}
	view.Pools = append(view.Pools, choice{Label: "any pool", Chosen: q.Get("pool") == ""})
	for _, p := range agreed.GetPools() {
		view.Pools = append(view.Pools, choice{Key: p.GetId(), Label: p.GetTitle(), Chosen: p.GetId() == q.Get("pool")})
	}
	for _, l := range got.GetLeads() {
		view.Leads = append(view.Leads, lineRow{
			ID: l.GetLeadId(), Pool: titles.of(l.GetPool()), WaitsFor: lead.WaitsFor(l.GetBlockedBy()), Text: l.GetText(), Key: rand.Text(),
			Since: instant(l.GetSince()), LookAgain: instant(l.GetLookAgainAt()), Fallback: instant(l.GetFallbackAt()), Claimable: l.GetClaimable(),
		})
	}
	if view.Move, err = v.moveForm(r.Context(), ""); err != nil {
		return err
	}
	if token := got.GetNextPageToken(); token != "" {
		view.Next = lineLink(q.Get("pool"), token)
	}
	if q.Get("page") != "" {
		view.First = lineLink(q.Get("pool"), "")
	}
	c.render(w, r, http.StatusOK, "line", v.session, pageData{Title: "Line", Nav: "line", Body: view})
	return nil
}

func lineLink(pool, page string) string {
	q := url.Values{}
	if pool != "" {
		q.Set("pool", pool)
	}
	if page != "" {
		q.Set("page", page)
	}
	if len(q) == 0 {
		return "/line"
	}
	return "/line?" + q.Encode()
}

// claim takes a waiting lead for whoever is signed in.
func (c *console) claim(w http.ResponseWriter, r *http.Request, v *visit) error {
	got, err := v.routing.Claim(r.Context(), &routingv1.ClaimRequest{LeadId: r.PathValue("id"), IdempotencyKey: r.PostFormValue("key")})
	if err != nil {
		return err
	}
	c.sessions.say(v.session, "Claimed: the lead is yours.")
	http.Redirect(w, r, leadPath(got.GetLeadId()), http.StatusSeeOther)
	return nil
}

// titles are pools as people call them.
type titles map[string]string

func titlesOf(agreed *agreementv1.Agreement) titles {
	t := titles{}
	for _, p := range agreed.GetPools() {
		t[p.GetId()] = p.GetTitle()
	}
	return t
}

// of is a pool's title; its id where the agreement in force has none.
func (t titles) of(pool string) string {
	if title := t[pool]; title != "" {
		return title
	}
	return pool
}
