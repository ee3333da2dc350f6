package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// reportTitles are the titles of reports whose name is not title enough.
var reportTitles = map[string]string{
	response:  "Response times",
	secondTry: "Second chances",
	"sla":     "SLA",
}

func reportTitle(name string) string {
	if title := reportTitles[name]; title != "" {
		return title
	}
	return label(strings.ReplaceAll(name, "-", "_"))
}

// splits are what reports are split by where nobody chooses.
var splits = map[string]string{
	definitions: "version", "quality": "source", "scoreboard": "source", "conversion": "definition", "leak": "pool", "purpose": "purpose", "segments": "industry",
	"reasons": "reason", "phrases": "phrase", "hygiene": "person", "sla": "clock", "padding": "source", "growth": "quarter", effect: "week", "training": "month",
}

// personReports are by person and not split further.
var personReports = []string{fairness, secondTry, load}

type reportView struct {
	Name, Title, Population string
	By, From, To            string
	Definition, Horizon     string
	// Frame, Where, Past and Known are the rest of the question, as it was typed.
	Frame, Where, Past, Known string
	// Campaigned says that the report is of one campaign, by its weeks: Campaign, which was
	// Launched then; Campaigns are those to choose from where none is chosen.
	Campaigned         bool
	Campaign, Launched string
	Campaigns          []link
	// Filters are what Where can name; empty = the report cannot be limited.
	Filters string
	// Awaits says that answers count for so many days only.
	Awaits bool
	// Framed says that the report can be about what happened in its period.
	Framed bool
	// Empty says what brings a report that counts nothing its first figure.
	Empty      string
	Historical bool
	// Baseline is the agreed one; zero = none is. AtBaseline says that the report
	// starts there, Earlier that what came before counts as well, and AllTime leads
	// to that.
	Baseline            time.Time
	AtBaseline, Earlier bool
	AllTime             string
	AsOf                time.Time
	Sequence            uint64
	Dimensions          []choice
	Frames              []link
	Columns             []column
	Rows                []reportRow
	Total               reportRow
	Changes             []changeView
	// Split is what the rows are by; empty = there is a total only.
	Split string
	// Reports are all there are. ByPerson says that this one is by person and by nothing
	// else.
	Reports  []link
	ByPerson bool
	// Log names the log that every figure was made of. Published are figures to
	// hold those here against, Remarks what stands out.
	Log       string
	Published []publishedView
	Remarks   []string
	// Few says that a row rests on few cases.
	Few bool
	// Pool limits the report to one; empty = all. HasPool says that it can be limited.
	Pool     string
	HasPool  bool
	Findings []findingView
	Chances  []chanceView
	// NotListed counts the chances that are not shown.
	NotListed int64
	// listed says which figures lead to what they counted.
	listed map[string]bool
}

// publishedView is a published figure beside the one here.
type publishedView struct {
	Label, Source string
	Here, There   cell
}

// findingView is what a test found in one pool.
type findingView struct {
	Pool, Test, Text string
	// Found says that nothing explains it.
	Found bool
}

// chanceView is a lead that one person declined and another took.
type chanceView struct {
	Lead, Pool, DeclinedBy, Reason, TakenBy, State, Worth string
	DeclinedAt, TakenAt                                   time.Time
}

// testTitles say what each test looks at.
var testTitles = map[string]string{"share": "How many", "good-leads": "Which ones"}

type reportRow struct {
	Key   string
	Cells []cell
	// From and Until bound the time that the row is about; zero = no time.
	From, Until time.Time
	// Few says that it rests on so few cases that a rate of it is mostly chance.
	Few bool
}

// fewCases is from how many cases on a rate says something.
const fewCases = 30

// changeView is a change of the agreement with the figures before and after.
type changeView struct {
	Before, After int64
	At            time.Time
	Window        string
	Lines         []changeLine
}

type changeLine struct {
	Label, Formula string
	Before, After  cell
}

type link struct {
	Label, To string
	Current   bool
	// About says what it leads to; empty = the label does.
	About string
}

func (c *console) showReport(w http.ResponseWriter, r *http.Request, v *visit) error {
	name := r.PathValue("name")
	catalogue, err := v.reports.ListMetrics(r.Context(), &feedbackv1.ListMetricsRequest{})
	if err != nil {
		return err
	}
	var all []link
	for _, one := range catalogue.GetReports() {
		all = append(all, link{Label: reportTitle(one.GetReport()), To: "/reports/" + one.GetReport(), Current: one.GetReport() == name, About: one.GetText()})
	}
	at := slices.IndexFunc(all, func(l link) bool { return l.Current })
	if at < 0 {
		return status.Error(codes.NotFound, "There is no such report. The menu above leads to the funnel, and its page to all others.")
	}
	title := reportTitle(name)
	q := r.URL.Query()
	ask, err := reportRequest(name, q)
	if err != nil {
		return err
	}
	if name == effect && ask.GetCampaign() == "" {
		return c.chooseCampaign(w, r, v, reportView{Name: name, Title: title, Reports: all, Population: catalogue.GetReports()[at].GetText()})
	}
	got, err := v.reports.GetReport(r.Context(), ask)
	if err != nil {
		return err
	}
	// A failed status only costs the time frames their anchor.
	st, _ := v.reports.GetStatus(r.Context(), &feedbackv1.GetStatusRequest{})
	view := reportView{
		Name: name, Title: title, Reports: all, Split: cmp.Or(q.Get("by"), splits[name]), Remarks: got.GetRemarks(), Population: got.GetPopulation(), By: q.Get("by"), From: q.Get("from"), To: q.Get("to"), Pool: q.Get("pool"),
		Frame: q.Get("frame"), Where: q.Get("where"), Past: q.Get("as-of"), Known: q.Get("known-at"),
		Campaigned: name == effect, Campaign: ask.GetCampaign(), Launched: q.Get("launched"),
		Definition: q.Get("definition"), Horizon: q.Get("horizon"), Historical: ask.GetHistorical(),
		AsOf: instant(got.GetAsOf()), Sequence: got.GetSequence(),
		Columns: columnsOf(got), Baseline: instant(got.GetBaseline()), AtBaseline: got.GetAtBaseline(), Earlier: ask.GetEarlier(),
	}
	about := catalogue.GetReports()[at]
	if dims := about.GetDimensions(); len(dims) > 0 {
		view.Filters = strings.Join(slices.DeleteFunc(slices.Clone(dims), func(d string) bool { return d == "week" || d == "month" || d == "quarter" }), ", ")
	}
	view.Awaits = name == "funnel" || name == response || name == "scoreboard" || name == "leak"
	view.Framed = about.GetCases() != ""
	if view.Framed && got.GetTotal().GetCases() == 0 && len(got.GetRemarks()) == 0 {
		view.Empty = firstFigure(name, len(onlyAsked(q)) > 0)
	}
	view.Log, _, _ = strings.Cut(got.GetEventSet(), "@")
	view.listed = map[string]bool{}
	for _, col := range got.GetColumns() {
		view.listed[col.GetName()] = col.GetListed()
	}
	if !view.Campaigned { // whose weeks are those around its launch
		view.Frames = timeFrames(name, q, c.systemTime(st), !view.Baseline.IsZero())
		view.AllTime = view.Frames[len(view.Frames)-1].To
	}
	for _, d := range append([]string{""}, catalogue.GetReports()[at].GetDimensions()...) {
		text := d
		switch {
		case d == "definition" && name == definitions:
			continue // the version that decided first is what it is split by already
		case d == "" && splits[name] != "":
			text = splits[name]
		case d == splits[name] && d != "":
			continue // it is the first one already
		case d == "":
			text = "nothing: one total"
		}
		view.Dimensions = append(view.Dimensions, choice{Key: d, Label: text, Chosen: d == q.Get("by") || d == "" && q.Get("by") == splits[name]})
	}
	for _, row := range got.GetRows() {
		one := cellsOf(row, view.Columns)
		view.linked(one.Cells, q, row.GetKey())
		view.Rows = append(view.Rows, one)
	}
	view.Total = cellsOf(got.GetTotal(), view.Columns)
	view.linked(view.Total.Cells, q, "")
	view.Total.Key = "Total"
	view.Few = view.Total.Few || slices.ContainsFunc(view.Rows, func(r reportRow) bool { return r.Few })
	for _, b := range got.GetBenchmarks() {
		for _, c := range got.GetColumns() {
			if c.GetName() == b.GetName() {
				col := column{Name: c.GetName(), Unit: c.GetUnit()}
				view.Published = append(view.Published, publishedView{
					Label: label(b.GetName()), Source: b.GetSource(), Here: cellOf(got.GetTotal(), col), There: cell{Text: shown(b.GetValue(), c.GetUnit())},
				})
			}
		}
	}
	for _, ch := range got.GetComparisons() {
		one := changeView{Before: ch.GetBeforeVersion(), After: ch.GetAfterVersion(), At: instant(ch.GetAt()), Window: span(time.Duration(ch.GetWindowSeconds()) * time.Second)}
		for _, col := range view.Columns {
			one.Lines = append(one.Lines, changeLine{Label: col.Label, Formula: col.Formula, Before: cellOf(ch.GetBefore(), col), After: cellOf(ch.GetAfter(), col)})
		}
		view.Changes = append(view.Changes, one)
	}
	view.persons(name, got)
	c.render(w, r, http.StatusOK, "report", v.session, pageData{Title: title, Nav: name, Body: view})
	return nil
}

// notStated is the key of a report's row of what is not stated.
const notStated = "(none)"

// chooseCampaign asks whose effect a reader wants to see, and offers those that leads
// came from.
func (c *console) chooseCampaign(w http.ResponseWriter, r *http.Request, v *visit, view reportView) error {
	funnel, err := v.reports.GetReport(r.Context(), &feedbackv1.GetReportRequest{Report: "funnel", By: "campaign"})
	if err != nil {
		return err
	}
	view.Campaigned = true
	for _, row := range funnel.GetRows() {
		if name := row.GetKey(); name != notStated {
			view.Campaigns = append(view.Campaigns, link{Label: name, To: "/reports/" + view.Name + "?" + url.Values{"campaign": {name}}.Encode()})
		}
	}
	view.Empty = "Nothing is known of any campaign: it comes from utm_campaign, or from the field campaign of a file. The launch of one that has no leads yet can be given all the same."
	if len(view.Campaigns) > 0 {
		view.Empty = "Choose a campaign. Its first lead says when it was launched, unless you do."
	}
	c.render(w, r, http.StatusOK, "report", v.session, pageData{Title: view.Title, Nav: view.Name, Body: view})
	return nil
}

// linked makes each figure of a row lead to the leads that it counted.
func (v *reportView) linked(cells []cell, q url.Values, key string) {
	for i, col := range v.Columns {
		if cells[i].Unknown || cells[i].value == 0 || !v.listed[col.Name] {
			continue
		}
		to := onlyAsked(q)
		to.Set("figure", col.Name)
		if key != "" {
			to.Set("key", key)
		}
		cells[i].To = "/reports/" + v.Name + "/leads?" + to.Encode()
	}
}

// questionFields are what a report's address says of its question.
var questionFields = []string{"by", "pool", "definition", "horizon", "historical", "frame", "where", "as-of", "known-at", "from", "to", "earlier", "campaign", "launched"}

// onlyAsked are the fields of a question alone.
func onlyAsked(q url.Values) url.Values {
	out := url.Values{}
	for _, k := range questionFields {
		if v := q.Get(k); v != "" {
			out.Set(k, v)
		}
	}
	return out
}

// persons fills in what the reports by person have besides figures.
func (v *reportView) persons(name string, got *feedbackv1.Report) {
	if !slices.Contains(personReports, name) {
		return
	}
	v.ByPerson, v.HasPool = true, name != load
	for _, f := range got.GetFindings() {
		v.Findings = append(v.Findings, findingView{Pool: f.GetPool(), Test: testTitles[f.GetTest()], Text: f.GetText(), Found: f.GetVerdict() == "not-explained"})
	}
	for _, c := range got.GetSecondChances() {
		one := chanceView{
			Lead: c.GetLeadId(), Pool: c.GetPool(), DeclinedBy: c.GetDeclinedBy(), Reason: c.GetReason(), TakenBy: c.GetTakenBy(), State: c.GetState(),
			DeclinedAt: instant(c.GetDeclinedAt()), TakenAt: instant(c.GetTakenAt()),
		}
		if c.GetValueMinor() != 0 {
			one.Worth = money(c.GetValueMinor(), c.GetCurrency())
		}
		v.Chances = append(v.Chances, one)
	}
	v.NotListed = got.GetNotListed()
}

func cellsOf(row *feedbackv1.ReportRow, cols []column) reportRow {
	out := reportRow{Key: row.GetKey(), From: instant(row.GetFrom()), Until: instant(row.GetTo()), Few: row.GetCases() > 0 && row.GetCases() < fewCases}
	if out.Key == "" {
		out.Key = "not stated"
	}
	for _, col := range cols {
		out.Cells = append(out.Cells, cellOf(row, col))
	}
	return out
}

func reportRequest(name string, q url.Values) (*feedbackv1.GetReportRequest, error) {
	ask := &feedbackv1.GetReportRequest{Report: name, By: q.Get("by"), Historical: q.Get("historical") == "yes", Earlier: q.Get("earlier") == "yes", Pool: q.Get("pool"), Campaign: strings.TrimSpace(q.Get("campaign"))}
	var err error
	if ask.From, err = dayOf(q.Get("from")); err != nil {
		return nil, err
	}
	if ask.To, err = dayOf(q.Get("to")); err != nil {
		return nil, err
	}
	if ask.Launched, err = instantOf(strings.TrimSpace(q.Get("launched"))); err != nil {
		return nil, err
	}
	ask.Frame = q.Get("frame")
	for part := range strings.SplitSeq(q.Get("where"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			ask.Where = append(ask.Where, part)
		}
	}
	if ask.AsOf, err = instantOf(q.Get("as-of")); err != nil {
		return nil, err
	}
	if ask.KnownAt, err = instantOf(q.Get("known-at")); err != nil {
		return nil, err
	}
	if text := q.Get("definition"); text != "" {
		if ask.Definition, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, status.Error(codes.InvalidArgument, "The agreement's version is a whole number, such as 2.")
		}
	}
	if text := q.Get("horizon"); text != "" {
		days, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, status.Error(codes.InvalidArgument, "The days within which an answer counts are a whole number, such as 30.")
		}
		ask.HorizonDays = int32(days)
	}
	return ask, nil
}

// dayOf reads a day, which begins at 00:00 UTC.
func dayOf(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "A day is written like 2026-03-31.")
	}
	return timestamppb.New(t), nil
}

// instantOf reads a day, which begins at 00:00 UTC, or a time with its zone.
func instantOf(text string) (*timestamppb.Timestamp, error) {
	if text == "" {
		return nil, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return timestamppb.New(t), nil
		}
	}
	return nil, status.Error(codes.InvalidArgument, "A time is written like 2026-03-31, which is its midnight UTC, or with its zone, like 2026-03-31T18:00+02:00.")
}

// firstFigures say what brings a report its first figure.
var firstFigures = map[string]string{
	"reasons":  "Nobody has rejected a lead, or given one back. Who has a lead rejects it on its page with a reason of the agreement.",
	"disputes": "Nothing was disputed. A dispute is opened on the page of a lead, or a sample is drawn for review: baton dispute draw --from DAY",
	"phrases":  "Nobody has noted a phrase. Who talked with the person does, under “What you learned” on the lead's page.",
	"hygiene":  "No lead was accepted of which the agreement requires an answer. What is required stands in the agreement, under feedback.",
	"training": "Nobody has asked to listen to a talk. Somebody of marketing does: baton lead ride ask ID",
	"sla":      "No clock has run. The agreement says, under clocks, what has to happen by when.",
}

// firstFigure says why a report counts nothing, and what changes that.
func firstFigure(name string, limited bool) string {
	if limited {
		return "Nothing of this kind is in the leads and the time that were chosen. Choose more of them, or all time."
	}
	if text := firstFigures[name]; text != "" {
		return text
	}
	return "No lead counts yet. Leads come in by the sources that the page Intake lists."
}

// timeFrames offers the frames that the two departments think in, over one
// population: sales looks at the week, marketing at the quarter.
// Where a baseline is agreed, all time is more than what is shown by default.
func timeFrames(name string, q url.Values, now time.Time, baseline bool) []link {
	day := now.UTC().Truncate(24 * time.Hour)
	monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	quarter := time.Date(day.Year(), (day.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
	var out []link
	type frame struct {
		label    string
		from, to time.Time
		earlier  string
	}
	frames := []frame{
		{label: "today", from: day},
		{label: "this week", from: monday},
		{label: "last week", from: monday.AddDate(0, 0, -7), to: monday},
		{label: "this quarter", from: quarter},
		{label: "last quarter", from: quarter.AddDate(0, -3, 0), to: quarter},
	}
	if baseline {
		frames = append(frames, frame{label: "since the baseline"}, frame{label: "all time", earlier: "yes"})
	} else {
		frames = append(frames, frame{label: "all time"})
	}
	for _, f := range frames {
		to := url.Values{}
		for _, k := range slices.DeleteFunc(slices.Clone(questionFields), func(k string) bool { return k == "from" || k == "to" || k == "earlier" }) {
			if v := q.Get(k); v != "" {
				to.Set(k, v)
			}
		}
		from, until := dateOnly(f.from), dateOnly(f.to)
		if from != "" {
			to.Set("from", from)
		}
		if until != "" {
			to.Set("to", until)
		}
		if f.earlier != "" {
			to.Set("earlier", f.earlier)
		}
		address := "/reports/" + name
		if len(to) > 0 {
			address += "?" + to.Encode()
		}
		out = append(out, link{Label: f.label, To: address, Current: from == q.Get("from") && until == q.Get("to") && f.earlier == q.Get("earlier")})
	}
	return out
}

func dateOnly(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}
