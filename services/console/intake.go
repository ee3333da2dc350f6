package console

import (
	"net/http"
	"net/url"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// waitingShown is how many deliveries of one kind the page lists.
const waitingShown = 20

// intakeView is what became of everything that the door acknowledged.
type intakeView struct {
	From, To, Source string
	Sources          []choice
	Rows             []intakeRow
	Total            int64

	Acknowledged, Worked, Unworked, Submissions int64
	// Odd says that the sums do not hold; Empty that nothing came in the span.
	Odd, Empty bool
	Filtered   bool
	Waiting    []intakeWaiting
}

type intakeRow struct {
	Source, Outcome string
	Count           int64
	// List leads to those that wait for somebody; empty = none does.
	List string
}

// intakeWaiting is deliveries that wait for somebody or something.
type intakeWaiting struct {
	Outcome, Title, Advice string
	// Command of the operator that helps; empty = none does.
	Command    string
	Deliveries []intakeDelivery
	More       bool
	Problem    string
}

type intakeDelivery struct {
	ID, Source, Text string
	Received         time.Time
	Leads            []string
}

// waitingKinds are the outcomes that are not the end of it.
var waitingKinds = []struct{ outcome, title, advice, command string }{
	{"needs-mapping", "Need mapping", "Nothing to reach the person by was found. Settle where it stands:", "baton source map NAME"},
	{"held", "Held", "Their source is paused or removed. They are worked when it is resumed:", "baton source resume NAME"},
	{"waiting-for-details", "Waiting for details", "The tool sends no answers of its own accord, and is asked for them.", ""},
}

func (c *console) showIntake(w http.ResponseWriter, r *http.Request, v *visit) error {
	q := r.URL.Query()
	view := intakeView{From: q.Get("from"), To: q.Get("to"), Source: q.Get("source")}
	view.Filtered = view.From != "" || view.To != "" || view.Source != ""
	req := &intakev1.GetIntakeLedgerRequest{Source: view.Source}
	var err error
	if req.From, err = midnightOf(view.From); err != nil {
		return err
	}
	if req.To, err = midnightOf(view.To); err != nil {
		return err
	}
	got, err := v.intake.GetIntakeLedger(r.Context(), req)
	if err != nil {
		return err
	}
	sources, err := v.intake.ListSources(r.Context(), &intakev1.ListSourcesRequest{})
	if err := withdrawn(err); err != nil {
		return err
	}
	view.Sources = append(view.Sources, choice{Label: "all sources", Chosen: view.Source == ""})
	for _, s := range sources.GetSources() {
		label := s.GetName()
		if !s.GetSigned() {
			label += " (unsigned)"
		}
		view.Sources = append(view.Sources, choice{Key: s.GetName(), Label: label, Chosen: s.GetName() == view.Source})
	}
	waits := map[string]bool{}
	for _, row := range got.GetRows() {
		one := intakeRow{Source: row.GetSource(), Outcome: row.GetOutcome(), Count: row.GetCount()}
		for _, kind := range waitingKinds {
			if kind.outcome == row.GetOutcome() {
				one.List, waits[kind.outcome] = "#"+kind.outcome, true
			}
		}
		view.Rows, view.Total = append(view.Rows, one), view.Total+row.GetCount()
	}
	view.Acknowledged, view.Worked, view.Unworked, view.Submissions = got.GetAcknowledged(), got.GetWorked(), got.GetUnworked(), got.GetSubmissions()
	view.Odd = view.Acknowledged != view.Worked+view.Unworked || view.Total != view.Submissions
	view.Empty = view.Acknowledged == 0 && len(view.Rows) == 0
	for _, kind := range waitingKinds {
		if !waits[kind.outcome] {
			continue
		}
		list, err := v.intake.ListDeliveries(r.Context(), &intakev1.ListDeliveriesRequest{
			Source: view.Source, From: req.GetFrom(), To: req.GetTo(), Outcome: kind.outcome, PageSize: waitingShown,
		})
		if err := withdrawn(err); err != nil {
			return err
		}
		one := intakeWaiting{Outcome: kind.outcome, Title: kind.title, Advice: kind.advice, Command: kind.command, Problem: missing(err), More: list.GetNextPageToken() != ""}
		for _, d := range list.GetDeliveries() {
			one.Deliveries = append(one.Deliveries, intakeDelivery{
				ID: d.GetDeliveryId(), Source: d.GetSource(), Text: d.GetText(), Received: instant(d.GetReceivedAt()), Leads: d.GetLeadIds(),
			})
		}
		view.Waiting = append(view.Waiting, one)
	}
	c.render(w, r, http.StatusOK, "intake", v.session, pageData{Title: "Intake", Nav: "intake", Body: view})
	return nil
}

// midnightOf reads a day as the page's form sends it: its midnight UTC.
func midnightOf(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "A day is written as 2026-03-31.")
	}
	return timestamppb.New(t), nil
}

// SourceLink is the page of one source in the same span.
func (v intakeView) SourceLink(source string) string {
	q := url.Values{"source": {source}}
	if v.From != "" {
		q.Set("from", v.From)
	}
	if v.To != "" {
		q.Set("to", v.To)
	}
	return "/intake?" + q.Encode()
}
