package console

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// countedView is what a figure of a report counted.
type countedView struct {
	Report, Figure, Key, By string
	// Back leads to the report, Next and First to other pages; empty where there is none.
	Back, Next, First string
	Leads             []countedRow
	// OwnerIs says what the people of the list did, Unit what the values are in.
	OwnerIs, Unit string
}

type countedRow struct {
	ID, State, Owner string
	Value            template.HTML
	Received         time.Time
}

// showCounted lists the leads that a figure of a report counted.
func (c *console) showCounted(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := r.PathValue("name")
	title := reportTitle(name)
	catalogue, err := v.reports.ListMetrics(r.Context(), &feedbackv1.ListMetricsRequest{})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(catalogue.GetReports(), func(one *feedbackv1.ReportInfo) bool { return one.GetReport() == name }) {
		return status.Error(codes.NotFound, "There is no such report. The menu above leads to all there are.")
	}
	q := r.URL.Query()
	ask, err := reportRequest(name, q)
	if err != nil {
		return err
	}
	got, err := v.reports.ListReportLeads(r.Context(), &feedbackv1.ListReportLeadsRequest{
		Report: name, Question: ask, Name: q.Get("figure"), Key: q.Get("key"), PageSize: leadsShown, PageToken: q.Get("page"),
	})
	if err != nil {
		return err
	}
	view := countedView{Report: title, Figure: label(q.Get("figure")), Key: q.Get("key"), By: q.Get("by"), OwnerIs: label(cmp.Or(got.GetOwnerIs(), "with")), Back: withQuery("/reports/"+name, onlyAsked(q))}
	switch got.GetUnit() {
	case unitMoney:
		view.Unit = cmp.Or(got.GetCurrency(), unitMoney)
	case unitSeconds, unitRatio, "": // it stands with the value, or each is a mere one
	default:
		view.Unit = got.GetUnit()
	}
	for _, l := range got.GetLeads() {
		view.Leads = append(view.Leads, countedRow{
			ID: l.GetLeadId(), State: l.GetState(), Owner: l.GetOwner(), Received: instant(l.GetReceivedAt()),
			Value: countedValue(l.GetValue(), got.GetUnit()),
		})
	}
	page := func(token string) string {
		to := onlyAsked(q)
		for _, k := range []string{"figure", "key"} {
			if text := q.Get(k); text != "" {
				to.Set(k, text)
			}
		}
		if token != "" {
			to.Set("page", token)
		}
		return withQuery("/reports/"+name+"/leads", to)
	}
	if token := got.GetNextPageToken(); token != "" {
		view.Next = page(token)
	}
	if q.Get("page") != "" {
		view.First = page("")
	}
	c.render(w, r, http.StatusOK, "counted", v.session, pageData{Title: title, Nav: name, Body: view})
	return nil
}

// countedValue is what a lead adds to a figure: to a rate a mere one.
func countedValue(v float64, unit string) template.HTML {
	if unit == unitRatio {
		unit = unitLeads
	}
	return shown(v, unit)
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
