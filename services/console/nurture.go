package console

import (
	"net/http"
	"net/url"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

type nurtureView struct {
	Overdue, Soon, Later int64
	// Only says that what is not overdue is left out.
	Only  bool
	Empty bool
	Leads []nurtureRow
	// Next and First lead to other pages; empty where there is none.
	Next, First string
}

type nurtureRow struct {
	ID, Why, Text, Touch     string
	Since, TouchDue, Recheck time.Time
	// Late is by how much it is overdue; empty = it is not.
	Late string
	// Due is how long until it is; empty = it is overdue.
	Due string
}

func (c *console) showNurture(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	only := q.Get("overdue") == "yes"
	got, err := v.leads.ListNurturing(r.Context(), &leadv1.ListNurturingRequest{PageSize: leadsShown, PageToken: q.Get("page"), Overdue: only})
	if err != nil {
		return err
	}
	view := nurtureView{Overdue: got.GetOverdue(), Soon: got.GetDueThisWeek(), Later: got.GetDueLater(), Only: only}
	view.Empty = view.Overdue+view.Soon+view.Later == 0
	now := instant(got.GetNow())
	for _, l := range got.GetLeads() {
		n := l.GetNurture()
		row := nurtureRow{
			ID: l.GetLeadId(), Why: nurtureWhy(n.GetReason()), Text: n.GetText(), Touch: n.GetNextTouch(),
			Since: instant(n.GetSince()), TouchDue: instant(n.GetNextTouchDue()), Recheck: instant(n.GetRecheckAt()),
		}
		if due := instant(n.GetDue()); due.After(now) {
			row.Due = away(due, now)
		} else {
			row.Late = span(now.Sub(due))
		}
		view.Leads = append(view.Leads, row)
	}
	if token := got.GetNextPageToken(); token != "" {
		view.Next = nurtureLink(only, token)
	}
	if q.Get("page") != "" {
		view.First = nurtureLink(only, "")
	}
	c.render(w, r, http.StatusOK, "nurture", v.session, pageData{Title: "Nurture", Nav: "nurture", Body: view})
	return nil
}

func nurtureLink(only bool, page string) string {
	q := url.Values{}
	if only {
		q.Set("overdue", "yes")
	}
	if page != "" {
		q.Set("page", page)
	}
	if len(q) == 0 {
		return "/nurture"
	}
	return "/nurture?" + q.Encode()
}

// nurtureWhy is why a lead is with marketing, in a word or two.
func nurtureWhy(reason string) string {
	switch reason {
	case lead.ReasonProfile:
		return "profile not met"
	case lead.ReasonPersona:
		return "no persona"
	case lead.ReasonContentOnly:
		return "content only"
	case lead.ReasonCall:
		return "after a call"
	case lead.ReasonRejected:
		return "sent back by sales"
	}
	return reason
}
