package console

import (
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/lead"
)

const leadsShown = 50

type leadsView struct {
	States []choice
	Member string
	Leads  []leadRow
	// Next and First lead to other pages; empty where there is none.
	Next, First string
	Filtered    bool
}

type choice struct {
	Key, Label string
	Chosen     bool
}

type leadRow struct {
	ID, Source, Holder, Reason string
	State                      leadv1.State
	Stage                      leadv1.Stage
	Received, TakeBy           time.Time
	Historical                 bool
}

func (c *console) showLeads(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	state, ok := stateOf(q.Get("state"))
	if !ok {
		return status.Error(codes.InvalidArgument, "There is no such state. Choose one from the list on the page of all leads.")
	}
	got, err := v.leads.ListLeads(r.Context(), &leadv1.ListLeadsRequest{
		PageSize: leadsShown, PageToken: q.Get("page"), State: state, Member: q.Get("member"),
	})
	if err != nil {
		return err
	}
	view := leadsView{Member: q.Get("member"), Filtered: state != 0 || q.Get("member") != ""}
	view.States = append(view.States, choice{Label: "any state", Chosen: state == 0})
	for n := 1; n < len(leadv1.State_name); n++ {
		s := leadv1.State(n) // #nosec G115 -- the enum's own numbers
		view.States = append(view.States, choice{Key: stateKey(s), Label: lead.StateWord(s), Chosen: s == state})
	}
	for _, l := range got.GetLeads() {
		view.Leads = append(view.Leads, rowOf(l))
	}
	if token := got.GetNextPageToken(); token != "" {
		view.Next = leadsLink(q, token)
	}
	if q.Get("page") != "" {
		view.First = leadsLink(q, "")
	}
	c.render(w, r, http.StatusOK, "leads", v.session, pageData{Title: "Leads", Nav: "leads", Body: view})
	return nil
}

func rowOf(l *leadv1.Lead) leadRow {
	row := leadRow{
		ID: l.GetLeadId(), Source: l.GetSource(), State: l.GetState(), Stage: l.GetStage(),
		Received: instant(l.GetReceivedAt()), TakeBy: instant(l.GetTakeBy()), Historical: l.GetHistorical(),
	}
	switch {
	case l.GetOwner() != "":
		row.Holder = l.GetOwner()
	case l.GetOfferedTo() != "":
		row.Holder = "offered to " + l.GetOfferedTo()
	case l.GetBlockedBy() != "":
		row.Reason = "waits for " + lead.WaitsFor(l.GetBlockedBy())
	case l.GetReason() != "":
		row.Reason = l.GetReason()
	}
	return row
}

// leadsLink is another page of the same choice.
func leadsLink(q url.Values, page string) string {
	out := url.Values{}
	for _, k := range []string{"state", "member"} {
		if v := q.Get(k); v != "" {
			out.Set(k, v)
		}
	}
	if page != "" {
		out.Set("page", page)
	}
	if len(out) == 0 {
		return "/leads"
	}
	return "/leads?" + out.Encode()
}
