package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

func (s *system) ImportOutcomes(_ context.Context, req *feedbackv1.ImportOutcomesRequest) (*feedbackv1.ImportOutcomesResponse, error) {
	s.ask(req)
	out := &feedbackv1.ImportOutcomesResponse{}
	for _, row := range req.GetRows() {
		what := map[string]string{"l-1": "recorded", "l-2": "waiting", "l-3": "repeat"}[row.GetLeadId()]
		r := &feedbackv1.OutcomeResult{Line: row.GetLine(), Outcome: what}
		if what == "" {
			r.Outcome, r.Text = "refused", "the lead is won already"
		}
		out.Results = append(out.Results, r)
	}
	return out, nil
}

func (s *system) RecordTouch(_ context.Context, req *intakev1.RecordTouchRequest) (*intakev1.RecordTouchResponse, error) {
	s.ask(req)
	return &intakev1.RecordTouchResponse{SubmissionId: "s1"}, nil
}

func (s *system) DeclareAccounts(_ context.Context, req *intakev1.DeclareAccountsRequest) (*intakev1.DeclareAccountsResponse, error) {
	s.ask(req)
	out := &intakev1.DeclareAccountsResponse{}
	for _, a := range req.GetAccounts() {
		out.Results = append(out.Results, &intakev1.AccountResult{Line: a.GetLine(), Outcome: "new"})
	}
	return out, nil
}

func (s *system) ListAccounts(_ context.Context, req *intakev1.ListAccountsRequest) (*intakev1.ListAccountsResponse, error) {
	return &intakev1.ListAccountsResponse{}, nil
}

func tallied(t testing.TB, args ...string) importTally {
	t.Helper()
	var out importTally
	if err := json.Unmarshal([]byte(ok(t, append(args, "--format", "json")...)), &out); err != nil {
		t.Fatal(err)
	}
	if out.ReadAs == "" {
		t.Error("it does not say how the file was read")
	}
	out.ReadAs = ""
	return out
}

func TestImportOutcomes(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "outcomes.ndjson", `{"deal":"1","what":"Closed Won","when":1767225600,"who":"Ana Lima","sum":"1.234,50","cur":"eur"}
{"deal":"2","what":"lost","when":1767225600,"why":"No budget"}
{"deal":"3","what":"touch","when":1767225600,"how":"call"}
{"deal":"4","what":"working","when":1767225600}
{"what":"won","when":1767225600}
{"deal":"5","what":"won","when":1767225600,"sum":"5","cur":"EURO"}
{"deal":"6","what":"gone","when":1767225600}
`)
	mapping := writeFile(t, "map.yaml", `
decimal: ","
columns:
  external_id: deal
  outcome: {column: what, map: {Closed Won: won}}
  occurred_at: {column: when, format: unix}
  member: who
  reason: why
  channel: how
  value: sum
  currency: cur
`)
	args := []string{"import", file, "--source", "crm", "--kind", "outcomes", "--map", mapping}
	same(t, "tally", tallied(t, args...), importTally{Rows: 7, Accepted: 3, New: 1, There: 1, Waiting: 1, Rejected: 4, Rejects: file + ".rejects.csv"})
	asked := last[*feedbackv1.ImportOutcomesRequest](t, s)
	first := asked.GetRows()[0]
	want := &feedbackv1.OutcomeRow{
		Line: 1, LeadId: "l-1", Key: first.GetKey(), Kind: leadv1.OutcomeKind_OUTCOME_KIND_WON, Member: "ana.lima", ValueMinor: 123450, Currency: "EUR",
		OccurredAt: &timestamppb.Timestamp{Seconds: 1767225600},
	}
	if diff := cmp.Diff(want, first, protocmp.Transform()); diff != "" || asked.GetSource() != "crm" {
		t.Error(asked.GetSource(), diff)
	}
	if lost := asked.GetRows()[1]; lost.GetReason() != "no-budget" || lost.GetKey() == first.GetKey() || !strings.HasPrefix(lost.GetKey(), "row:") {
		t.Errorf("got %v", lost)
	}
	var reasons []string
	for _, row := range rejectsOf(t, file)[1:] {
		reasons = append(reasons, row[0]+" "+row[1]+": "+row[2])
	}
	same(t, "rejects", reasons, []string{
		"4 : the lead is won already", "5 deal: external_id is empty; it says which lead is meant", "6 cur: the currency is none such as EUR",
		"7 what: the outcome is none of touch, working, stage, won, lost; say in the map what it means",
	})

	// A second look at the same file has the same keys.
	tallied(t, args...)
	if again := last[*feedbackv1.ImportOutcomesRequest](t, s).GetRows()[0].GetKey(); again != first.GetKey() {
		t.Errorf("the row is called %s now, and %s before", again, first.GetKey())
	}
	// Nothing is sent to look.
	before := len(s.asked)
	s.here = map[string]bool{"1": true}
	got := tallied(t, append(args, "--dry-run")...)
	if p := got.Preview; p.Here != 1 || p.Waits != 3 || got.Accepted != 4 {
		t.Errorf("got %+v, %+v", got, p)
	}
	for _, m := range s.asked[before:] {
		if _, sent := m.(*feedbackv1.ImportOutcomesRequest); sent {
			t.Error("the dry run sent outcomes")
		}
	}
}

func TestImportActivities(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "touches.csv", "id,external_id,kind,occurred_at,email,utm_campaign\nt1,1,Pricing page,2026-01-01T10:00:00Z,,spring\nt2,,webinar,2026-01-02,a@b.example,\nt3,,webinar,2026-01-02,,\nt4,9,,2026-01-02,,\n")
	same(t, "tally", tallied(t, "import", file, "--source", "crm", "--kind", "activities", "--batch", "1"), importTally{Rows: 4, Accepted: 2, Unsure: 2, Rejected: 2, Rejects: file + ".rejects.csv"})
	var touches []*intakev1.Touch
	for _, m := range s.asked {
		if req, is := m.(*intakev1.RecordTouchRequest); is {
			touches = append(touches, req.GetTouch())
		}
	}
	if len(touches) != 2 || touches[0].GetLeadId() != "l-1" || touches[0].GetKind() != "pricing-page" || touches[0].GetAttribution().GetCampaign() != "spring" || touches[1].GetEmail() != "a@b.example" || touches[1].GetLeadId() != "" {
		t.Errorf("got %v", touches)
	}
}

func TestImportPeople(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "people.csv", "handle,roles,name,email\nAna,sales,Ana Lima,ana@firm.example\nCara Roth,\"sales, qualifier\",Cara,cara@firm.example\nDan,juggler,Dan,\nEve,sales,Eve,no address\nCara Roth,sales,,\n")
	args := []string{"import", file, "--kind", "people"}
	want := importTally{Rows: 5, Accepted: 3, New: 1, There: 2, Rejected: 2, Rejects: file + ".rejects.csv", Tokens: file + ".tokens.csv"}
	same(t, "tally", tallied(t, args...), want)
	added := last[*routingv1.AddMemberRequest](t, s)
	if added.GetMember() != "cara.roth" || !slices.Equal(added.GetRoles(), []string{"sales", "qualifier"}) {
		t.Errorf("got %v", added)
	}
	text, err := os.ReadFile(want.Tokens)
	if err != nil || string(text) != "handle,token\ncara.roth,baton_shown_once\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(want.Tokens); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the tokens have mode %v, %v", info.Mode(), err)
	}
	if r := run(t, append(args, "--source", "web")...); r.status != statusUsage {
		t.Errorf("people of a source: %+v", r)
	}
}

func TestImportAccounts(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "accounts.csv", "domain,name,rep,segment,industry,employees,country\nfirm.example,Firm,Ben,Large Firms,Biolgy,51-200,Deutschland\n,Acme  Corp,,,,many,Atlantis\n,,ana,,,,\nmill.example,Mill,Ana Lima,,,,\n")
	mapped := writeFile(t, "map.yaml", "columns: {domain: domain, name: name, owner: rep, segment: segment, industry: industry, employees: employees, country: country}\n")
	same(t, "tally", tallied(t, "import", file, "--kind", "accounts", "--map", mapped), importTally{
		Rows: 4, Accepted: 3, New: 3, Rejected: 1, Rejects: file + ".rejects.csv",
		Warnings: []warned{{"employees", "not understood", 1}, {"country", "not understood", 1}, {"owner", "unknown", 1}}, Warns: file + ".warnings.csv",
	})
	want := []*intakev1.AccountRow{
		{Line: 2, Domain: "firm.example", Name: "Firm", Owner: "ben", Segment: "large-firms", Industry: "Biolgy", Employees: 51, Country: "DE"},
		{Line: 3, Name: "Acme  Corp"},
		// Nobody is called that: the company goes in all the same, and is nobody's.
		{Line: 5, Domain: "mill.example", Name: "Mill"},
	}
	text, err := os.ReadFile(file + ".warnings.csv")
	if err != nil || !strings.Contains(string(text), "\n5,rep,\"there is nobody with the handle ana.lima: add them with baton people add, and import the file again; the account is taken without an owner\",mill.example,Mill,Ana Lima,") {
		t.Errorf("the list of what is amiss is %s, %v", text, err)
	}
	gone := &importer{people: map[string]bool{"dan": false}, mapping: &mapping{own: map[string]column{fieldOwner: {name: "rep"}}}}
	row := &intakev1.AccountRow{Owner: "dan"}
	if left := gone.unowned(row); len(left) != 1 || row.GetOwner() != "" || !strings.HasPrefix(left[0].why.reason, "dan has left: name somebody who works here") {
		t.Errorf("who has left owns a company: %v, %v", row, left)
	}
	if diff := cmp.Diff(want, last[*intakev1.DeclareAccountsRequest](t, s).GetAccounts(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	has(t, ok(t, "account", "list"), "No account is known")
}

func TestKindsRefuse(t *testing.T) {
	file := writeFile(t, "a.csv", "external_id,email\n1,a@b.example\n")
	for _, c := range []struct {
		status int
		want   string
		args   []string
	}{
		{statusUsage, `--kind is "leeds"; it can be leads, outcomes, owners, activities, people, accounts`, []string{"--source", "web", "--kind", "leeds"}},
		{statusUsage, "--history is for leads alone", []string{"--source", "web", "--kind", "outcomes", "--history"}},
		{statusUsage, "--format-in is", []string{"--source", "web", "--format-in", "xls"}},
		{statusRefused, "outcomes needs the field outcome", []string{"--source", "web", "--kind", "outcomes", "--dry-run"}},
		{statusRefused, "accounts needs the field domain or name", []string{"--kind", "accounts", "--dry-run"}},
	} {
		r := run(t, append([]string{"import", file}, c.args...)...)
		if r.status != c.status || !strings.Contains(r.err, c.want) {
			t.Errorf("%v: %+v", c.args, r)
		}
	}
}

// streaming is a system whose door has a stream. It answers in another order,
// breaks off as it is told, and refuses what it is told to.
type streaming struct {
	*system
	// breaks is after how many answers each of the first streams breaks off.
	breaks  []int
	streams int
	faults  map[string]string
}

func (s *streaming) SubmitBatch(stream grpc.BidiStreamingServer[intakev1.SubmitBatchRequest, intakev1.SubmitBatchResponse]) error {
	s.mu.Lock()
	left := -1
	if s.streams < len(s.breaks) {
		left = s.breaks[s.streams]
	}
	s.streams++
	s.mu.Unlock()
	answer := func(req *intakev1.SubmitBatchRequest) error {
		if left == 0 {
			return fault.New(fault.Unavailable, "this server stops")
		}
		left--
		key := req.GetItem().GetIdempotencyKey()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.sent == nil {
			s.sent, s.taken = map[string]int{}, map[string]*intakev1.SubmitRequest{}
		}
		s.sent[key]++
		res := &intakev1.SubmitBatchResponse{Index: req.GetIndex()}
		if kind := s.faults[key]; kind != "" {
			if kind == "unavailable" {
				delete(s.faults, key)
			}
			res.Fault, res.Text = kind, "because of "+kind
		} else {
			s.taken[key] = req.GetItem()
			res.Accepted = &intakev1.SubmitResponse{LeadId: "l-" + key}
		}
		return stream.Send(res)
	}
	came, ended := make(chan *intakev1.SubmitBatchRequest, 100), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			req, err := stream.Recv()
			if err != nil {
				return
			}
			came <- req
		}
	}()
	for {
		var some []*intakev1.SubmitBatchRequest
		select {
		case req := <-came:
			some = append(some, req)
		case <-ended:
			return nil
		}
		for len(came) > 0 {
			some = append(some, <-came)
		}
		// The last comes first.
		for _, req := range slices.Backward(some) {
			if err := answer(req); err != nil {
				return err
			}
		}
	}
}

// TestImportStreams: what a broken stream left open is sent again, and nothing
// that was answered is.
func TestImportStreams(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,email\n")
	const rows = 40
	keys := map[string]bool{}
	for i := range rows {
		id := string(rune('a'+i/26)) + string(rune('a'+i%26))
		keys[id] = true
		text.WriteString(id + ",p" + id + "@firm.example\n")
	}
	file := writeFile(t, "leads.csv", text.String())
	s := &streaming{system: &system{here: map[string]bool{"ab": true}}, breaks: []int{6, 0, 4}, faults: map[string]string{"ac": "invalid", "bd": "unavailable", "be": "unavailable"}}
	serveDoor(t, s.system, s)
	same(t, "tally", tallied(t, "import", file, "--source", "web", "--batch", "10"), importTally{Rows: rows, Accepted: rows - 1, New: rows - 2, There: 1, Rejected: 1, Rejects: file + ".rejects.csv"})
	delete(keys, "ac")
	same(t, "taken", slices.Sorted(maps.Keys(s.taken)), slices.Sorted(maps.Keys(keys)))
	if s.streams < 4 {
		t.Errorf("%d streams; three broke off", s.streams)
	}
	twice := 0
	for key, n := range s.sent {
		if n > 2 {
			t.Errorf("%s was answered %d times", key, n)
		}
		if n == 2 {
			twice++
		}
	}
	if twice != 2 {
		t.Errorf("%d rows were answered twice; only the two that the system could not take for a moment may be", twice)
	}

	s.faults = map[string]string{"ad": "denied"}
	r := run(t, "import", file, "--source", "web", "--batch", "10")
	if r.status != statusRefused || !strings.Contains(r.err, "because of denied") {
		t.Errorf("got %+v", r)
	}
}

func (s *system) CheckSubmissions(_ context.Context, req *intakev1.CheckSubmissionsRequest) (*intakev1.CheckSubmissionsResponse, error) {
	s.ask(req)
	out := &intakev1.CheckSubmissionsResponse{}
	for _, sub := range req.GetSubmissions() {
		what := sub.GetPersonal().GetCompany()
		out.Results = append(out.Results, &intakev1.CheckedSubmission{Outcome: what, LeadId: "l-" + sub.GetExternalId(), Features: sub.GetFeatures()})
	}
	return out, nil
}

func (s *system) Preview(_ context.Context, req *qualificationv1.PreviewRequest) (*qualificationv1.PreviewResponse, error) {
	s.ask(req)
	out := &qualificationv1.PreviewResponse{AgreementVersion: 3}
	for _, f := range req.GetFeatures() {
		p := &qualificationv1.Previewed{Outcome: "nurturing", Explanation: &leadv1.Explanation{Summary: "Too small."}}
		if f.GetEmployees() >= 50 {
			p.Outcome = "mql"
		}
		out.Results = append(out.Results, p)
	}
	return out, nil
}

func TestImportPreview(t *testing.T) {
	s := &system{}
	serve(t, s)
	file := writeFile(t, "leads.csv", `id,email,company,employees
1,a@b.example,lead,80
2,b@b.example,lead,5
3,c@b.example,known-person,5
4,d@b.example,repeat,5
5,e@b.example,revision,5
6,f@b.example,test,5
7,g@b.example,spam,5
8,,needs-mapping,5
1,a@b.example,lead,80
"9,h@b.example,lead,90"
10,short
`)
	out := run(t, "import", file, "--source", "web", "--dry-run")
	if out.status != statusOK {
		t.Fatal(out)
	}
	want := `11 rows: 10 can be accepted, 1 rejected; nothing was sent; 1 row was repaired that stood in one cell
  would become leads        4
    MQL                     2 by version 3 of the agreement
    stay LEAD               2
    of known persons        1
  need mapping              1
  already there             1
  changes of what is there  1
  refused as tests          1
  refused as spam           1
  twice in the file         1
  line 12 rejected: the row has 2 cells where the header has 4
  line 7 refused: the sender marked it as a test
  line 8 refused: it looks like spam
`
	if diff := cmp.Diff(want, out.out); diff != "" {
		t.Error(diff)
	}
	if len(s.taken) > 0 {
		t.Error("a dry run sent something")
	}
	p := tallied(t, "import", file, "--source", "web", "--dry-run").Preview
	if sum := p.Leads + p.NeedsMapping + p.Known + p.Revisions + p.Test + p.Spam + p.InFile; sum != 10 || p.MQL+p.StayLead+p.Held != p.Leads {
		t.Errorf("the numbers do not add up: %+v", p)
	}
}
