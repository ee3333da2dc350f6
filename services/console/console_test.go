package console

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	"github.com/leadbaton/baton/services/internal/clock"
)

// stand is a console in front of the fixed system, and a browser.
type stand struct {
	*testing.T
	fixed  *fixed
	clock  *clock.Virtual
	server *httptest.Server
	client *http.Client
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{T: t, fixed: newFixed(), clock: clock.NewVirtual(at)}
	s.open(Config{Conn: s.fixed.serve(t), Directory: s.fixed, Clock: s.clock})
	return s
}

func (s *stand) open(cfg Config) {
	s.Helper()
	h, err := New(cfg)
	if err != nil {
		s.Fatal(err)
	}
	s.server = httptest.NewServer(h)
	s.Cleanup(s.server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.Fatal(err)
	}
	s.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	*http.Response
	text string
}

func (s *stand) do(req *http.Request) answer {
	s.Helper()
	res, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.Fatal(err)
	}
	for token := range tokens {
		if strings.Contains(string(body), token) {
			s.Errorf("%s %s shows a token", req.Method, req.URL.Path)
		}
	}
	return answer{res, string(body)}
}

func (s *stand) get(path string) answer {
	s.Helper()
	req, err := http.NewRequest(http.MethodGet, s.server.URL+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	return s.do(req)
}

func (s *stand) post(path string, form url.Values) answer {
	s.Helper()
	req, err := http.NewRequest(http.MethodPost, s.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", s.server.URL)
	return s.do(req)
}

func (s *stand) signIn(token string) {
	s.Helper()
	if a := s.post("/signin", url.Values{"token": {token}}); a.StatusCode != http.StatusSeeOther {
		s.Fatalf("sign-in answered %d: %s", a.StatusCode, a.text)
	}
}

// words is a page's text as a reader sees it.
func (a answer) words(t *testing.T) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(a.text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode {
			b.WriteString(n.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (a answer) has(t *testing.T, code int, parts ...string) {
	t.Helper()
	if a.StatusCode != code {
		t.Errorf("%s answered %d, want %d: %s", a.Request.URL.Path, a.StatusCode, code, a.text)
	}
	text := a.words(t)
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s does not say %q:\n%s", a.Request.URL.RequestURI(), p, text)
		}
	}
}

func TestPagesHoldTheAnswers(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)

	s.get("/").has(t, 200,
		"Received 214 8,812", "Duplicates 17 702", "MQL 121 4,903", "MQL rate 56.5 % 49.8–63.0 % 55.6 % 54.6–56.7 %",
		"Win rate – 53.1 %", "Up to 1h 58 49.1 % 2,604 53.7 %", "Over 24h 0 407", "Never 37 551", "Mean 45 min 11 s 6 h 5 min", "Median 22 min 1 h 12 min",
		"Unworked deliveries 37", "Oldest of them 12 s", "Reports behind by 5 events", "Before routing 8 events",
		"somebody to come back 2026-03-04 08:40:30 UTC 1 h 35 min ago", "2026-03-05 08:15:30 UTC in 22 h", "All waiting leads",
		"ana Ana Lindqvist on duty 7 of 20 North & East 412, South 33", "12 of 12, full", "away until 2026-03-09 10:15:30 UTC", "dora in no pool – – eli deactivated – –",
		"ben took the lead <b>at once</b>.", "2026-03-04 10:12:30 UTC",
		"Leads received on 2026-03-04 (UTC)", "imported history is left out", "Sign out",
	)
	s.get("/leads").has(t, 200, "offered MQL offered to ana web", "accepted SQL ben", "waits for somebody to come back", "Older leads", "2026-03-04 11:27:30 UTC")
	s.get("/leads/"+offeredLead).has(t, 200,
		"Lead "+offeredLead, "State offered", "Stage Warm MQL Accountable Head of sales by version 2", "Offered to ana offer 2", "take by 2026-03-04 11:27:30 UTC (in 1 h 12 min)",
		"It is offered to ana until 11:27 UTC.", "Zoë O'Neill", "zoe@kettle.example", `Kettle & "Söhne" GmbH`, "<script>alert(1)</script>", "heard_from a colleague",
		"Employees 1,240", "Seats 1,500", "Trial yes", "Campaign spring-2026",
		"The company fits the customer profile 2026-1 with 60 of 50 points", "60 points, 50 needed",
		"At least 50 people work there lead.employees >= 50 lead.employees 240 held must", "answers.budget unknown did not hold –", "Missing: whether a budget is set.",
		"Customer profile 2026-1", "Persona initiator 2026-2", "Logic q1", "Earlier decisions (1)", "too small by the profile of 2025-4",
		"It goes to ana: ben let the clock run out", "ana next in turn 7 of 20 412 2 820–824", "ben let this lead's clock run out 12 of 12 411 2 –", "cem away",
		"Happened 2026-03-04 10:06:30 UTC , became known 2026-03-04 10:11:30 UTC , 5 min later.", "read up to 1186", "trace 4bf92f3577b34da6a3ce929d0e0e4736",
		"Accept this lead", "Reject with a reason",
		"choose one No <budget> yet – back to marketing Not my field – to the next person Not genuine – out",
		"First touch sales ana 8 h of working time 9 h 5 min 2026-03-04 09:15:30 UTC ran out , 2 steps of the escalation taken; runs",
		"Answer marketing – 30 min 1 min – stands still",
	)
	page := s.get("/leads/" + offeredLead)
	for what, name := range map[string]string{
		"what a form sent beside the person":   `<summary>What else the form sent</summary>\s*<dl class="pairs"><dt>heard_from</dt>`,
		"what the log recorded of an event":    `<details class="meta"><summary>In the log</summary>LeadReceived `,
		"a reason to choose, sent by its name": `<option value="no-budget">No &lt;budget&gt; yet`,
	} {
		if !regexp.MustCompile(name).MatchString(page.text) {
			t.Errorf("%s is not folded away or offered as %s:\n%s", what, name, page.text)
		}
	}
	s.get("/leads/"+waitingLead).has(t, 200, "State waiting", "Waits for somebody to come back")
	s.get("/reports/funnel?by=source").has(t, 200, "All leads that were received live", "web 6,100", "autumn-fair-2025 2,712", "Total 8,812", "mql divided by received. (%) Under it: Lower end of the 95 % interval.", "made of log up to event 1184")
	s.get("/reports/definitions").has(t, 200, "1 in force from 2026-01-23 10:15:30 UTC to 2026-02-22 10:15:30 UTC 1,310 6.25 1 h 12 min", "Version 1 to version 2",
		"Both windows are 10 d long", "Handoffs per SQL 6.50 4.50", "Median take 1 h 13 min 22 min")
	s.get("/reports/response").has(t, 200, "Total 2,604 53.7 % 1,288 407 551 6 h 5 min 1 h 12 min", "No touch within the horizon.")
	s.get("/reports/fairness?pool=north").has(t, 200, "Is it explained by who was there?", "north: How many Not explained by who was there: ana got 189.5 turns more than their share.",
		"north: Which ones Explained by who was there", "north/ana 440 250.50 180 40.9 %", "Share sum of the weights (leads)", "at most one report in a hundred")
	if last := s.fixed.reports[len(s.fixed.reports)-1]; last.GetPool() != "north" {
		t.Errorf("asked for the pool %q; want north", last.GetPool())
	}
	s.get("/reports/second-chance").has(t, 200, "ana 3 1,234.50", "ana no-budget", "ben", "won 1,234.50 EUR", "There are 2 more")
	s.get("/reports/load").has(t, 200, "ana 3", "ben 0", "Second chances")
	s.get("/reports/scoreboard").has(t, 200, "Scoreboard by source", "made of log log up to event 1184", "fair * 50.0 % 3.25", "web 25.0 % 4.00", "Total 30.0 % 3.90",
		"* fewer than 30 cases", "The fair is followed up twice as often.", "Follow up rate 30.0 % 77.0 % A study of 2,241 companies", "source")
	s.get("/reports/funnel").has(t, 200, "Second chances", "Scoreboard", "Response times")
	s.get("/agreement").has(t, 200, "version 2", "in force", "abcdef01", "marketing 2026-03-01 12:15:30 UTC clo ed25519:AQID", "sales", "name: Kettle handoff", "version 3", "not signed by sales")
	s.get("/agreement?version=3").has(t, 200, "A draft, which nothing uses: not signed by sales yet")

	today := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	first := s.fixed.reports[:4]
	for _, name := range []string{"funnel", "response"} {
		if !slices.ContainsFunc(first, func(r *feedbackv1.GetReportRequest) bool {
			return r.GetReport() == name && r.GetFrom() != nil && r.GetFrom().AsTime().Equal(today)
		}) {
			t.Errorf("no %s report of today was asked for", name)
		}
		if !slices.ContainsFunc(first, func(r *feedbackv1.GetReportRequest) bool { return r.GetReport() == name && r.GetFrom() == nil }) {
			t.Errorf("no %s report of all time was asked for", name)
		}
	}
}

func TestMarketingReadsTheSameTimelineWithoutTheName(t *testing.T) {
	s := newStand(t)
	timeline := func(token string) (page answer, part string) {
		s.signIn(token)
		page = s.get("/leads/" + offeredLead)
		_, after, ok := strings.Cut(page.text, `<ol class="events timeline">`)
		part, _, end := strings.Cut(after, "</ol>")
		if !ok || !end {
			t.Fatalf("no timeline: %s", page.text)
		}
		return page, part
	}
	sales, first := timeline(anaToken)
	marketing, second := timeline(cloToken)
	if first != second {
		t.Errorf("the timelines differ:\n%s\n%s", first, second)
	}
	sales.has(t, 200, "zoe@kettle.example")
	marketing.has(t, 200, "Personal data is not shown", "At least 50 people work there")
	for _, no := range []string{"zoe@kettle.example", "Accept this lead", "Reject"} {
		if strings.Contains(marketing.text, no) {
			t.Errorf("marketing's page holds %q", no)
		}
	}
}

func TestEmptySystemSaysWhatToDo(t *testing.T) {
	s := newStand(t)
	s.fixed.empty = true
	s.fixed.log = nil
	s.signIn(anaToken)
	s.get("/").has(t, 200, "No lead has come in yet", `curl -d '{"email":"a@b.example"}' localhost:8080/hooks/web`, "baton agreement sign", "Nobody waits.", "Nothing has happened yet.", "baton people add")
	s.get("/leads").has(t, 200, "curl -d")
	s.get("/agreement").has(t, 200, "No agreement is in force", "baton agreement propose")
	s.get("/reports/fairness?pool=nowhere").has(t, 200, "No lead was offered to anybody in this pool and this time. The agreement names the pools; all pools, all time .")
}

func TestPartsFailAlone(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	s.fixed.refuse = map[string]error{
		"ListMembers": status.Error(codes.PermissionDenied, "the role sales may not list people"),
		"ListQueue":   status.Error(codes.Unavailable, "connection refused by 10.0.0.7"),
		"WatchEvents": status.Error(codes.PermissionDenied, "not yours"),
	}
	page := s.get("/")
	page.has(t, 200, "Received 214 8,812", "Not for your role: the role sales may not list people", "No answer: A service does not answer.", "Not for your role: not yours")
	if strings.Contains(page.text, "10.0.0.7") {
		t.Error("a page shows the house's inside")
	}
	s.fixed.refuse = map[string]error{"GetStatus": status.Error(codes.Internal, "stack"), "Explain": status.Error(codes.PermissionDenied, "no")}
	s.get("/").has(t, 200, "Something went wrong", "Received 214")
	s.get("/leads/"+offeredLead).has(t, 200, "60 points, 50 needed")
	s.fixed.refuse = nil
	s.fixed.readOnly = "The log differs from its last checkpoint at entry 512."
	s.get("/").has(t, 200, "Nothing new is taken. The log differs from its last checkpoint at entry 512.")
}

func TestFaultsHaveTheirStatus(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	for path, want := range map[string]int{
		"/leads/nobody":               404,
		"/leads/a%2Fb%3E%2A":          404,
		"/nowhere":                    404,
		"/reports/other":              404,
		"/agreement?version=9":        404,
		"/agreement?version=x":        400,
		"/leads?state=purple":         400,
		"/leads?state=unspecified":    400,
		"/reports/funnel?from=monday": 400,
		"/reports/funnel?horizon=1e9": 400,
		"/assets/other.css":           404,
	} {
		if a := s.get(path); a.StatusCode != want {
			t.Errorf("%s answered %d, want %d", path, a.StatusCode, want)
		}
	}
	s.fixed.refuse = map[string]error{"GetLead": status.Error(codes.Unavailable, "x"), "ListLeads": status.Error(codes.PermissionDenied, "no leads for you")}
	s.get("/leads/"+offeredLead).has(t, 503, "A service does not answer.")
	s.get("/leads").has(t, 403, "no leads for you")
}

func TestLeadsAreChosenAndPaged(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/leads?state=waiting&member=ana")
	page.has(t, 200, "Older leads")
	if want := `href="/leads?member=ana&amp;page=after%3D3%26x&amp;state=waiting"`; !strings.Contains(page.text, want) {
		t.Errorf("no link %s in %s", want, page.text)
	}
	next := s.get("/leads?member=ana&page=after%3D3%26x&state=waiting")
	next.has(t, 200, "Newest leads")
	if strings.Contains(next.text, "Older leads") {
		t.Error("the last page leads on")
	}
	ask := s.fixed.lists[1]
	if ask.GetState() != leadv1.State_STATE_WAITING || ask.GetMember() != "ana" || ask.GetPageToken() != "after=3&x" || ask.GetPageSize() != leadsShown {
		t.Errorf("asked %v", ask)
	}
}

func TestReportsOfferBothDepartmentsTimeFrames(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	page := s.get("/reports/funnel?by=source&from=2026-03-02")
	// at is a Wednesday in the first quarter.
	for _, want := range []string{
		`href="/reports/funnel?by=source&amp;from=2026-03-02" aria-current="true">this week`,
		`href="/reports/funnel?by=source&amp;from=2026-02-23&amp;to=2026-03-02">last week`,
		`href="/reports/funnel?by=source&amp;from=2026-01-01">this quarter`,
		`href="/reports/funnel?by=source&amp;from=2025-10-01&amp;to=2026-01-01">last quarter`,
		`href="/reports/funnel?by=source">all time`,
	} {
		if !strings.Contains(page.text, want) {
			t.Errorf("no %s in %s", want, page.text)
		}
	}
	s.get("/reports/funnel?horizon=14&definition=2&historical=yes&to=2026-03-01")
	ask := s.fixed.reports[len(s.fixed.reports)-1]
	if ask.GetHorizonDays() != 14 || ask.GetDefinition() != 2 || !ask.GetHistorical() || ask.GetFrom() != nil ||
		!ask.GetTo().AsTime().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %v", ask)
	}
	page = s.get("/reports/scoreboard?frame=activity&where=source%3Dweb,+country%3DDE&as-of=2026-03-01&known-at=2026-03-02T18:00%2B01:00&from=2026-03-02")
	ask = s.fixed.reports[len(s.fixed.reports)-1]
	if ask.GetFrame() != "activity" || !slices.Equal(ask.GetWhere(), []string{"source=web", "country=DE"}) || !ask.GetAsOf().AsTime().Equal(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)) ||
		!ask.GetKnownAt().AsTime().Equal(time.Date(2026, 3, 2, 17, 0, 0, 0, time.UTC)) {
		t.Errorf("asked %v", ask)
	}
	// What was asked stays in the fields and in every other time frame.
	for _, want := range []string{`value="source=web, country=DE"`, `value="activity" selected`, `value="2026-03-02T18:00&#43;01:00"`, `as-of=2026-03-01&amp;frame=activity&amp;known-at=2026-03-02T18%3A00%2B01%3A00&amp;where=source%3Dweb%2C&#43;country%3DDE">all time`} {
		if !strings.Contains(page.text, want) {
			t.Errorf("no %s in %s", want, page.text)
		}
	}
	s.get("/reports/funnel?known-at=friday").has(t, 400, "A time is written like 2026-03-31")
}

func TestPeopleAct(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	lead := "/leads/" + offeredLead
	a := s.post(lead+"/accept", url.Values{"key": {"k1"}})
	if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != lead {
		t.Fatalf("accept answered %d to %q", a.StatusCode, a.Header.Get("Location"))
	}
	if got := s.fixed.accepts[0]; got.GetLeadId() != offeredLead || got.GetIdempotencyKey() != "k1" {
		t.Errorf("asked %v", got)
	}
	s.get(lead).has(t, 200, "Accepted: the lead is yours.")
	if a := s.get(lead); strings.Contains(a.text, "Accepted: the lead is yours.") {
		t.Error("the notice is shown twice")
	}

	s.post(lead+"/reject", url.Values{"reason": {" "}}).has(t, 400, "needs a reason")
	if len(s.fixed.rejects) != 0 {
		t.Error("a rejection without a reason was sent")
	}
	wrong := s.post(lead+"/reject", url.Values{"reason": {"dunno"}, "note": {"typed <note>"}, "key": {"k2"}})
	wrong.has(t, 400, "the agreement has no such reason", "typed <note>")
	s.fixed.refuse = map[string]error{"Reject": status.Error(codes.FailedPrecondition, "somebody was faster")}
	late := s.post(lead+"/reject", url.Values{"reason": {"no-budget"}, "key": {"k4"}})
	if late.has(t, 409, "somebody was faster"); !strings.Contains(late.text, `<option value="no-budget" selected>`) {
		t.Error("what was chosen is gone after a rejection failed")
	}
	s.fixed.refuse = map[string]error{"GetAgreement": status.Error(codes.Unavailable, "down")}
	s.get(lead).has(t, 200, "The agreed reasons cannot be shown. No answer")
	s.fixed.refuse = nil
	s.post(lead+"/reject", url.Values{"reason": {"no-budget"}, "note": {"n"}, "key": {"k3"}})
	if got := s.fixed.rejects[1]; got.GetReason() != "no-budget" || got.GetNote() != "n" || got.GetIdempotencyKey() != "k3" {
		t.Errorf("asked %v", got)
	}
	s.get(lead).has(t, 200, "Rejected. The lead goes back to marketing.")

	s.signIn(benToken)
	s.post(lead+"/accept", nil).has(t, 409, "the lead is offered to somebody else")
	if page := s.get(lead); strings.Contains(page.text, "Accept this lead") {
		t.Error("a lead that is offered to ana offers ben to accept it")
	}
	s.get("/leads/"+acceptedLead).has(t, 200, "Owner ben", "Reject with a reason")
	s.post("/leads/nobody/accept", nil).has(t, 404, "there is no such lead")
}

// A decision has an address of its own, which shows it alone and for ever.
func TestADecisionHasItsAddress(t *testing.T) {
	s := newStand(t)
	s.signIn(cloToken)
	s.get("/leads/"+offeredLead).has(t, 200, "link to this decision", "It would have come to the stage Kettle MQL if the number of employees were 20 or more instead of 12.", "Accountable from then on Head of kettles")
	page := s.get("/leads/" + offeredLead + "/decisions/2")
	page.has(t, 200, "The company was too small by the profile of 2025-4.", "It would have come to the stage Kettle MQL if the number of employees were 20 or more instead of 12.", "Entry 2 of the log, hash 0a0b0c", "Head of kettles")
	s.get("/leads/"+offeredLead+"/decisions/3").has(t, 200, "Learned score beside the points, model 4: 312 of 1000 leads like this one. It decides nothing.", "An average lead – −4.2", "Country DE +0.8", "All together – −3.4")
	if strings.Contains(page.text, "profile 2026-1") {
		t.Error("the page of one decision shows another")
	}
	s.get("/leads/"+offeredLead+"/decisions/99").has(t, 404, "There is no decision at entry 99")
}

// A qualifier records a call by the questionnaire of the lead's stage; what was
// typed is typed as agreed, and comes back where it cannot be taken.
func TestRecordACall(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	lead := "/leads/" + offeredLead
	page := s.get(lead)
	page.has(t, 200, "Record a call", "First call. Questionnaire of Kettle MQL, version q7", "Was the person reached?", "Which <kettle>?", "Is it a customer? decides the fit", "In how many months does the person want to buy?", "How much?", "EUR")
	if strings.Contains(page.text, "agreed profile?") {
		t.Error("the fit is asked twice")
	}
	for name, form := range map[string]url.Values{
		"Say whether the person was reached": {"note": {"typed <note>"}},
		"a whole number is expected":         {"reached": {"yes"}, "horizon": {"soon"}},
		"one of small, large is expected":    {"reached": {"yes"}, "answer.need": {"medium"}},
		"at most 2 decimal places":           {"reached": {"yes"}, "answer.budget": {"1.005"}},
		"without blanks and marks":           {"reached": {"yes"}, "answer.budget": {"1,000"}},
		"yes or no is expected":              {"reached": {"yes"}, "answer.fits": {"maybe"}},
	} {
		back := s.post(lead+"/calls", form)
		back.has(t, 400, name)
		if form.Get("note") != "" && !strings.Contains(back.text, "typed &lt;note&gt;") {
			t.Error("what was typed is lost")
		}
	}
	if len(s.fixed.calls) != 0 {
		t.Errorf("calls that cannot be read were sent: %v", s.fixed.calls)
	}
	s.post(lead+"/calls", url.Values{"reached": {"yes"}, "note": {"refuse"}, "key": {"k1"}}).has(t, 409, "a call cannot change that")
	s.post(lead+"/calls", url.Values{"key": {"k2"}, "reached": {"yes"}, "horizon": {"3"}, "answer.need": {"large"}, "answer.fits": {"yes"}, "answer.budget": {"12.5"}, "note": {"n"}})
	want := &qualificationv1.RecordCallRequest{LeadId: offeredLead, IdempotencyKey: "k2", Reached: true, HorizonMonths: proto.Int64(3), Note: "n", Answers: map[string]*leadv1.Value{
		"need": {Kind: &leadv1.Value_Text{Text: "large"}}, "fits": {Kind: &leadv1.Value_Flag{Flag: true}}, "budget": {Kind: &leadv1.Value_Number{Number: 1250}},
	}}
	if diff := cmp.Diff(want, s.fixed.calls[1], protocmp.Transform()); diff != "" {
		t.Errorf("the call (-want +got)\n%s", diff)
	}
	s.get(lead).has(t, 200, "The call is recorded")
	// Nothing was heard from somebody who was not reached.
	s.post(lead+"/calls", url.Values{"key": {"k3"}, "reached": {"no"}, "answer.need": {"large"}, "horizon": {"3"}})
	if got := s.fixed.calls[2]; got.GetReached() || len(got.GetAnswers()) > 0 || got.HorizonMonths != nil {
		t.Errorf("not reached: %v", got)
	}
	// Who is no qualifier is not asked.
	s.signIn(benToken)
	if page := s.get(lead); strings.Contains(page.text, "Record a call") {
		t.Error("who is no qualifier may record a call")
	}
}

// A version has an address of its own, with what was agreed, what it changes, who
// has read it and who has not.
func TestVersionsOfTheAgreement(t *testing.T) {
	s := newStand(t)
	s.signIn(anaToken)
	page := s.get("/agreement/versions/2")
	page.has(t, 200, "version 2", "Goals of version 2", "abcdef01", "too many <small> ones", "dora", "Not yet: ana, ben.", "I have read this version", "against version 1")
	if !strings.Contains(page.text, `<article class="agreement"><h2>Goals of version 2</h2></article>`) {
		t.Error("the document is not on the page as its renderer made it")
	}
	s.get("/agreement/versions/3/changes?with=2").has(t, 200, "What changes from version 2 to version 3", "Customer profile", "Size: at least 50 instead of 20 <employees> for marketing, sales", "Pools and times", "for ana")
	for path, code := range map[string]int{"/agreement/versions/9": 404, "/agreement/versions/x": 400, "/agreement/versions/0": 400, "/agreement/versions/2/changes?with=x": 400} {
		if got := s.get(path).StatusCode; got != code {
			t.Errorf("%s answers %d", path, got)
		}
	}
	if a := s.post("/agreement/versions/2/read", nil); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/agreement/versions/2" || !slices.Equal(s.fixed.read, []int64{2}) {
		t.Errorf("reading it answers %d and records %v", a.StatusCode, s.fixed.read)
	}
	s.get("/agreement/versions/2").has(t, 200, "Recorded: you have read version 2.")
	lead := s.get("/leads/" + offeredLead).text
	if !strings.Contains(lead, `<abbr title="Fits &amp; should be called.">Warm</abbr>`) || !strings.Contains(lead, `href="/agreement/versions/2"`) {
		t.Error("the stage does not say what it means, or its version is not linked")
	}
}

// Every page is well-formed: tags close in order, ids are unique, what refers to
// an id finds it, and everything to act on has a name.
func TestPagesAreWellFormed(t *testing.T) {
	s := newStand(t)
	check := func(path string, a answer) {
		t.Helper()
		for _, flaw := range flaws(a.text) {
			t.Errorf("%s: %s", path, flaw)
		}
	}
	check("/signin", s.get("/signin?next=/leads"))
	s.signIn(anaToken)
	paths := []string{
		"/", "/leads", "/leads?state=won", "/leads/" + offeredLead, "/leads/" + offeredLead + "/decisions/2", "/leads/" + acceptedLead, "/leads/" + waitingLead,
		"/reports/funnel", "/reports/funnel?by=source", "/reports/response", "/reports/definitions", "/reports/fairness", "/reports/second-chance", "/reports/load", "/reports/funnel/leads?figure=received", "/reports/scoreboard", "/agreement", "/agreement?version=3", "/agreement/versions/2", "/agreement/versions/3/changes?with=2", "/nowhere",
		"/nurture", "/nurture?overdue=yes", "/line", "/line?pool=south&page=more", "/people", "/why-not", "/why-not?member=ben&days=30",
		"/targets", "/targets?quarter=2025-q4", "/targets?quarter=2026-q2",
	}
	for _, p := range paths {
		check(p, s.get(p))
	}
	s.signIn(maxToken)
	for _, p := range []string{"/line", "/people", "/leads/" + offeredLead} {
		check(p+" of a manager", s.get(p))
	}
	check("what was moved", s.post("/line/move", url.Values{"reason": {"left"}, "lead": {waitingLead, acceptedLead}}))
	s.fixed.empty, s.fixed.log = true, nil
	for _, p := range []string{"/", "/leads", "/nurture", "/agreement", "/line", "/people", "/why-not", "/targets"} {
		check(p+" of an empty system", s.get(p))
	}
}

func flaws(page string) []string {
	var out, open []string
	void := []string{"meta", "link", "input", "br", "img"}
	ids, refs := map[string]int{}, []string{}
	labelled := 0
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		tok := z.Token()
		attr := map[string]string{}
		for _, a := range tok.Attr {
			if _, twice := attr[a.Key]; twice {
				out = append(out, "attribute twice: "+tok.String())
			}
			attr[a.Key] = a.Val
		}
		switch kind {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				out = append(out, z.Err().Error())
			}
			if len(open) > 0 {
				out = append(out, "left open: "+strings.Join(open, " "))
			}
			for id, n := range ids {
				if n > 1 {
					out = append(out, "id twice: "+id)
				}
			}
			for _, r := range refs {
				if ids[r] == 0 {
					out = append(out, "refers to a missing id: "+r)
				}
			}
			return out
		case html.StartTagToken:
			if !slices.Contains(void, tok.Data) {
				open = append(open, tok.Data)
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != tok.Data {
				out = append(out, "closes out of order: "+tok.Data+" in "+strings.Join(open, " "))
				return out
			}
			open = open[:len(open)-1]
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			if kind == html.EndTagToken && tok.Data == "label" {
				labelled--
			}
			continue
		}
		if id := attr["id"]; id != "" {
			ids[id]++
		}
		for _, k := range []string{"aria-labelledby", "aria-describedby", "for"} {
			if attr[k] != "" {
				refs = append(refs, attr[k])
			}
		}
		for k := range attr {
			if k == "style" || strings.HasPrefix(k, "on") {
				out = append(out, "the policy forbids "+k+" in "+tok.String())
			}
		}
		switch tok.Data {
		case "label":
			labelled++
		case "input", "select", "textarea":
			if attr["type"] != "hidden" && labelled == 0 && attr["id"] == "" {
				out = append(out, "without a label: "+tok.String())
			}
		case "a":
			if attr["href"] == "" {
				out = append(out, "a link to nowhere: "+tok.String())
			}
		case "img":
			if _, ok := attr["alt"]; !ok {
				out = append(out, "without alt: "+tok.String())
			}
		case "script":
			if attr["src"] == "" {
				out = append(out, "an inline script")
			}
		}
		for _, k := range []string{"src", "href", "action"} {
			if v := attr[k]; v != "" && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "#") {
				out = append(out, "leads outside: "+tok.String())
			}
		}
		if strings.Contains(tok.String(), "ZgotmplZ") {
			out = append(out, "refused by the template: "+tok.String())
		}
	}
}

func TestAssetsNameTheirContent(t *testing.T) {
	s := newStand(t)
	page := s.get("/signin")
	for _, name := range []string{"console.css", "console.js", "icon.svg"} {
		_, after, ok := strings.Cut(page.text, "/assets/"+name+"?v=")
		version, _, _ := strings.Cut(after, `"`)
		if !ok {
			t.Fatalf("the page does not refer to %s", name)
		}
		a := s.get("/assets/" + name + "?v=" + version)
		if a.StatusCode != 200 || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || a.text == "" {
			t.Errorf("%s answered %d %v", name, a.StatusCode, a.Header)
		}
		if old := s.get("/assets/" + name + "?v=other"); old.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s under another version may be kept", name)
		}
	}
}

// A version is compared with the last before it that counted, not with a draft.
func TestVersionsAreComparedWithWhatCounted(t *testing.T) {
	list := []version{
		{Number: 4, Before: 3, InForce: at}, {Number: 3, Before: 2}, {Number: 2, Before: 1, InForce: at}, {Number: 1},
	}
	replaced(list)
	var got []int64
	for _, v := range list {
		got = append(got, v.Before)
	}
	if !slices.Equal(got, []int64{2, 2, 1, 0}) {
		t.Errorf("compared with %v", got)
	}
}
